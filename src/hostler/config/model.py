"""The configuration model: everything that YARP's `ReverseProxy` section can say, as frozen values.

Each class names the YARP key that a field comes from where the words differ. Times are seconds (float), sizes are
bytes. What a field means, and its default, is YARP's.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import Factory, evolve, field, frozen

from hostler.config.definitions import Definitions
from hostler.config.limits import ConcurrencyDefinition  # noqa: TC001 - `keys_of` asks for the types
from hostler.config.transforms import CodeTransform, convert_transforms
from hostler.errors import QueueNameError, redact

__all__ = [
    "FAILURE_RATE_METADATA",
    "MAX_REQUEST_BODY_SIZE",
    "METADATA_KEYS",
    "QUEUE_METADATA",
    "THRESHOLD_METADATA",
    "TLS_VERSIONS",
    "ActiveHealthCheck",
    "AddressFamily",
    "AffinityCookie",
    "Cluster",
    "Config",
    "Destination",
    "HashBy",
    "HeaderMatch",
    "HeaderMatchMode",
    "HealthCheck",
    "HttpClient",
    "HttpRequest",
    "LoadBalancing",
    "Mirror",
    "PassiveHealthCheck",
    "QueryMatch",
    "QueryMatchMode",
    "Resolver",
    "Route",
    "SameSite",
    "SecurePolicy",
    "SessionAffinity",
    "VersionPolicy",
    "WebProxy",
    "check_queue_name",
    "queue",
]

QUEUE_METADATA = "HttpSysDelegationQueue"
"""The metadata key of a destination that is delegated to: the name of its request queue."""

FAILURE_RATE_METADATA = "TransportFailureRateHealthPolicy.RateLimit"
"""The metadata key of a cluster that sets from which share of failures (0 to 1) on a destination is unhealthy."""

THRESHOLD_METADATA = "ConsecutiveFailuresHealthPolicy.Threshold"
"""The metadata key of a cluster that sets how many failed probes in a row make a destination unhealthy."""

METADATA_KEYS = (QUEUE_METADATA, FAILURE_RATE_METADATA, THRESHOLD_METADATA)
"""The metadata keys that mean something to hostler; any other is the user's."""

TLS_VERSIONS = ("Tls", "Tls11", "Tls12", "Tls13")
"""The versions of TLS in their order, as HttpClient.SslProtocols names them."""

MAX_REQUEST_BODY_SIZE = 30_000_000
"""Bytes that a request's body may have on a route that does not say: ASP.NET's default."""

_QUEUE_NAME_LIMIT = 260
_NOT_IN_QUEUE_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]')

_NOTHING: Mapping[str, str] = MappingProxyType({})


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value)) if value else _NOTHING


def _strings(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


class HeaderMatchMode(enum.Enum):
    """How a header's value is compared (Match.Headers[].Mode)."""

    EXACT_HEADER = "ExactHeader"
    HEADER_PREFIX = "HeaderPrefix"
    CONTAINS = "Contains"
    NOT_CONTAINS = "NotContains"
    EXISTS = "Exists"
    NOT_EXISTS = "NotExists"


class QueryMatchMode(enum.Enum):
    """How a query parameter's value is compared (Match.QueryParameters[].Mode)."""

    EXACT = "Exact"
    CONTAINS = "Contains"
    NOT_CONTAINS = "NotContains"
    PREFIX = "Prefix"
    EXISTS = "Exists"


class SecurePolicy(enum.Enum):
    """When an affinity cookie carries `Secure`."""

    NONE = "None"
    ALWAYS = "Always"
    SAME_AS_REQUEST = "SameAsRequest"


class SameSite(enum.Enum):
    """An affinity cookie's `SameSite`; UNSPECIFIED writes none."""

    UNSPECIFIED = "Unspecified"
    NONE = "None"
    LAX = "Lax"
    STRICT = "Strict"


class AddressFamily(enum.Enum):
    """Which addresses of a name are looked up (.NET's AddressFamily)."""

    INTER_NETWORK = "InterNetwork"
    INTER_NETWORK_V6 = "InterNetworkV6"


class VersionPolicy(enum.Enum):
    """How HttpRequest.Version is meant."""

    REQUEST_VERSION_OR_LOWER = "RequestVersionOrLower"
    REQUEST_VERSION_OR_HIGHER = "RequestVersionOrHigher"
    REQUEST_VERSION_EXACT = "RequestVersionExact"


@frozen
class HeaderMatch:
    """A condition on a request header; a route's conditions must all hold, one of `values` is enough."""

    name: str
    values: tuple[str, ...] = field(default=(), converter=_strings)
    mode: HeaderMatchMode = HeaderMatchMode.EXACT_HEADER
    is_case_sensitive: bool = False


@frozen
class QueryMatch:
    """A condition on a query parameter."""

    name: str
    values: tuple[str, ...] = field(default=(), converter=_strings)
    mode: QueryMatchMode = QueryMatchMode.EXACT
    is_case_sensitive: bool = False


def _header_matches(values: Iterable[HeaderMatch]) -> tuple[HeaderMatch, ...]:
    return tuple(values)


def _query_matches(values: Iterable[QueryMatch]) -> tuple[QueryMatch, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Mirror:
    """Where copies of a route's requests go (Route.Mirror, ours)."""

    cluster_id: str = field(kw_only=False)
    percent: int = 100
    """Of how many of 100 requests there is a copy."""

    max_body_size: int = 1 << 16
    """Bytes of a request's body that are kept for the copy; of a request with a larger one there is none."""

    max_concurrent: int = 100
    """How many copies may be under way; while so many are, there are no more."""

    timeout: float = 30.0
    """Seconds that a copy may take."""


@frozen
class Route:
    """What a request must look like, and the cluster that it goes to.

    `path` is an ASP.NET route template (None matches every path). `id` names the route in logs and defaults to the
    template. The matching rules are YARP's `Match` object, flattened.
    """

    path: str | None = None
    cluster_id: str | None = None
    id: str = field(kw_only=True)
    hosts: tuple[str, ...] = field(default=(), converter=_strings, kw_only=True)
    methods: tuple[str, ...] = field(default=(), converter=_strings, kw_only=True)
    headers: tuple[HeaderMatch, ...] = field(default=(), converter=_header_matches, kw_only=True)
    query_parameters: tuple[QueryMatch, ...] = field(default=(), converter=_query_matches, kw_only=True)
    order: int = field(default=0, kw_only=True)
    max_request_body_size: int | None = field(default=None, kw_only=True)
    authorization_policy: str | None = field(default=None, kw_only=True)
    rate_limiter_policy: str | None = field(default=None, kw_only=True)
    output_cache_policy: str | None = field(default=None, kw_only=True)
    timeout_policy: str | None = field(default=None, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    cors_policy: str | None = field(default=None, kw_only=True)
    concurrency_policy: str | None = field(default=None, kw_only=True)
    retry_policy: str | None = field(default=None, kw_only=True)
    mirror: Mirror | None = field(default=None, kw_only=True)
    metadata: Mapping[str, str] = field(default=_NOTHING, converter=_frozen_mapping, kw_only=True)
    transforms: tuple[Mapping[str, str] | CodeTransform, ...] = field(
        default=(), converter=convert_transforms, kw_only=True
    )

    @id.default  # noqa: A003 - the field, not the builtin
    def _id(self) -> str:
        return self.path or "/{**catchall}"


@frozen
class Destination:
    """An address to forward to, or (with a queue in its metadata) a queue to delegate to.

    `address` is `scheme://host[:port][/path]`; for a queue it is the URL prefix that the request is delegated under.
    """

    address: str
    id: str = field(kw_only=True)
    health: str | None = field(default=None, kw_only=True)
    host: str | None = field(default=None, kw_only=True)
    weight: int = field(default=1, kw_only=True)
    """How large its share is beside those of the others (Weight, hostler's own); 0 while any other can be chosen."""

    priority: int = field(default=0, kw_only=True)
    """Its place in the order of fail-over (Priority, hostler's own): the available ones of the lowest take all."""

    metadata: Mapping[str, str] = field(default=_NOTHING, converter=_frozen_mapping, kw_only=True)

    @id.default  # noqa: A003 - the field, not the builtin
    def _id(self) -> str:
        return self.address

    queue: str | None = field(init=False, eq=False, repr=False)
    """The request queue that takes this destination's requests, or None when they are forwarded."""

    @queue.default
    def _queue(self) -> str | None:
        return self.metadata.get(QUEUE_METADATA)


def check_queue_name(name: str) -> None:
    """Refuse a request queue name that HTTP.sys would refuse (HttpCreateRequestQueue).

    A name is a legal file name of 1 to 260 characters. Raises `QueueNameError`.
    """
    if not name:
        raise QueueNameError("a request queue's name is empty; give it 1 to 260 characters")
    if len(name) > _QUEUE_NAME_LIMIT:
        raise QueueNameError(
            f'"{name[:20]}..." is not a queue name ({len(name)} characters); use at most {_QUEUE_NAME_LIMIT}'
        )
    if name in {".", ".."}:
        raise QueueNameError(f'"{name}" is not a queue name (it names a directory); choose another')
    if found := _NOT_IN_QUEUE_NAMES.search(name):
        raise QueueNameError(
            f"{name!a} is not a queue name ({found[0]!a} at {found.start()}); "
            'use a legal file name: none of \\ / : * ? " < > | and no control characters'
        )


def queue(name: str, url_prefix: str, *, id: str | None = None) -> Destination:  # noqa: A002 - the field's own name
    """Make a destination that is delegated to the request queue `name`, under `url_prefix`."""
    return Destination(url_prefix, id=name if id is None else id, metadata={QUEUE_METADATA: name})


@frozen
class AffinityCookie:
    """The attributes of an affinity cookie (SessionAffinity.Cookie)."""

    path: str = "/"
    domain: str | None = None
    http_only: bool = True
    secure_policy: SecurePolicy = SecurePolicy.NONE
    same_site: SameSite = SameSite.UNSPECIFIED
    expiration: float | None = None
    max_age: float | None = None
    is_essential: bool = False


@frozen
class SessionAffinity:
    """Keep a client on the destination that answered it first."""

    key_name: str = ""
    """The cookie or header that holds the key (AffinityKeyName); required when enabled."""

    enabled: bool = True
    policy: str = "HashCookie"
    failure_policy: str = "Redistribute"
    sealing_key_file: str | None = None
    """The file of the keys that Cookie and CustomHeader seal with (SealingKeyFile, hostler's own)."""

    cookie: AffinityCookie = AffinityCookie()


class HashBy(enum.Enum):
    """What of a request the policy ConsistentHash goes by."""

    CLIENT_ADDRESS = "ClientAddress"
    COOKIE = "Cookie"
    HEADER = "Header"
    PATH_SEGMENT = "PathSegment"


@frozen
class LoadBalancing:
    """The settings of a cluster's balancing policy (LoadBalancing, hostler's own); they are for ConsistentHash."""

    hash_by: HashBy = HashBy.CLIENT_ADDRESS
    name: str = ""
    """The header's, or the cookie's."""

    segment: int = 1
    """Which segment of the path it is; the first one is 1."""


@frozen
class PassiveHealthCheck:
    """Judge destinations by what became of the exchanges sent to them."""

    enabled: bool = True
    policy: str = "TransportFailureRate"
    reactivation_period: float = 60.0
    """Seconds for which an unhealthy destination gets nothing, before it is unknown again."""

    half_open: bool = False
    """Whether it gets one exchange at a time then, until one succeeds (HalfOpen, hostler's own)."""

    unhealthy_statuses: tuple[str, ...] = field(default=(), converter=_strings)
    """Statuses of answers that count as failures, "503" or "5xx" (UnhealthyStatuses, hostler's own)."""

    latency_limit: float | None = None
    """Seconds after which the beginning of an answer counts as a failure (LatencyLimit, hostler's own)."""


@frozen
class ActiveHealthCheck:
    """Judge destinations by asking them."""

    enabled: bool = True
    interval: float = 15.0
    """Seconds from the end of one round of probes to the next."""

    timeout: float = 10.0
    """Seconds that one probe may take."""

    policy: str = "ConsecutiveFailures"
    path: str | None = None
    """What is appended to the path of a destination's `Health` or `Address`; begins with a slash."""

    query: str | None = None
    """The query, with its question mark."""

    request: str = "Get"
    """What makes the request of a probe (Request, hostler's own)."""


@frozen
class HealthCheck:
    """A cluster's health checks, and which destinations are available given their verdicts."""

    passive: PassiveHealthCheck = PassiveHealthCheck(enabled=False)
    active: ActiveHealthCheck = ActiveHealthCheck(enabled=False)
    available_destinations_policy: str = "HealthyOrPanic"
    slow_start: float | None = None
    """Seconds in which a destination that comes back gets all of its weight (SlowStart, hostler's own)."""


@frozen
class WebProxy:
    """An HTTP proxy towards destinations."""

    address: str = field(repr=redact)
    """`http://[user:password@]host[:port]`; user and password are percent-encoded."""

    bypass_on_local: bool = False
    """Reach destinations without it that are on this machine, or whose name has no dot or is in this machine's domain."""

    use_default_credentials: bool = False


@frozen
class HttpClient:
    """How connections to a cluster's destinations are made."""

    ssl_protocols: tuple[str, ...] = field(default=(), converter=_strings)
    """The versions of TLS that are spoken, some of TLS_VERSIONS; none, or `None`, leaves it to the system's OpenSSL."""

    dangerous_accept_any_server_certificate: bool = False
    max_connections_per_server: int | None = None
    enable_multiple_http2_connections: bool = True
    request_header_encoding: str | None = None
    response_header_encoding: str | None = None
    """Headers are passed on byte for byte, so that neither encoding changes them."""

    web_proxy: WebProxy | None = None
    connect_timeout: float = 15.0
    """Seconds to connect in: name, web proxy and TLS included (SocketsHttpHandler.ConnectTimeout as YARP sets it)."""

    pooled_connection_idle_timeout: float = 60.0
    """Seconds after which an idle connection is closed (SocketsHttpHandler)."""

    pooled_connection_lifetime: float | None = None
    """Seconds after which a connection takes no more requests; None is for ever (SocketsHttpHandler)."""

    max_idle_connections_per_server: int = 200
    """Idle connections to a destination that are kept for their idle timeout; more are for two seconds.

    That is Traefik's maxIdleConnsPerHost; nginx's `keepalive` is what its administrator says for each worker, and
    SocketsHttpHandler, which YARP uses, has no such limit.
    """


@frozen
class HttpRequest:
    """How requests to a cluster's destinations are made."""

    activity_timeout: float = 100.0
    """Seconds in which something must move: the head, or a piece of a body, in either direction."""

    version: str = "2"
    version_policy: VersionPolicy = VersionPolicy.REQUEST_VERSION_OR_LOWER
    allow_response_buffering: bool = False
    """Without effect: what arrives is passed on at once."""


@frozen
class Resolver:
    """Have a policy say again and again which destinations take the place of each that a cluster lists.

    The one that is there, `Dns`, makes one of each address that a name has (YARP's AddDnsDestinationResolver).
    """

    enabled: bool = True
    policy: str = "Dns"
    refresh_period: float = 300.0
    address_family: AddressFamily | None = None
    """None is any."""


def _destinations(
    value: Iterable[str | Destination] | Mapping[str, str | Destination],
) -> tuple[Destination, ...]:
    if isinstance(value, str):
        raise TypeError(f"destinations={value!r} is one address where a list is expected: write [{value!r}]")
    if isinstance(value, Mapping):
        return tuple(
            Destination(item, id=key) if isinstance(item, str) else evolve(item, id=key)
            for key, item in value.items()
        )
    return tuple(Destination(item) if isinstance(item, str) else item for item in value)


@frozen
class Cluster:
    """A named set of destinations with its policies.

    `destinations` may be given as addresses, as `Destination`s, or as a mapping from id to either.
    """

    id: str
    destinations: tuple[Destination, ...] = field(default=(), converter=_destinations)
    balance: str = field(default="PowerOfTwoChoices", kw_only=True)
    """How one of several available destinations is chosen (LoadBalancingPolicy)."""

    load_balancing: LoadBalancing = field(default=LoadBalancing(), kw_only=True)
    affinity: SessionAffinity | None = field(default=None, kw_only=True)
    health_check: HealthCheck = field(default=HealthCheck(), kw_only=True)
    resolver: Resolver | None = field(default=None, kw_only=True)
    destination_concurrency: ConcurrencyDefinition | None = field(default=None, kw_only=True)
    """How many exchanges may be in flight at each destination."""

    http_client: HttpClient = field(default=HttpClient(), kw_only=True)
    http_request: HttpRequest = field(default=HttpRequest(), kw_only=True)
    metadata: Mapping[str, str] = field(default=_NOTHING, converter=_frozen_mapping, kw_only=True)


def _routes(values: Iterable[Route]) -> tuple[Route, ...]:
    return tuple(values)


def _clusters(values: Iterable[Cluster]) -> tuple[Cluster, ...]:
    return tuple(values)


@frozen
class Config:
    """One whole configuration: what a YARP document says, and nothing that is not in it."""

    routes: tuple[Route, ...] = field(default=(), converter=_routes)
    clusters: tuple[Cluster, ...] = field(default=(), converter=_clusters)
    urls: tuple[str, ...] = field(default=Factory(tuple), converter=_strings)
    """Where to listen (ASP.NET's `Urls`); empty means that the document does not say."""

    policies: Definitions = Factory(Definitions)
    """The policies that the document defines for its routes to name (its `Policies` section)."""
