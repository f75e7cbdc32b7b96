"""Clusters: destinations, and how one of them is chosen."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from hostler.config.fields import NOTHING, mapping_of_strings
from hostler.config.model.client import HttpClient, HttpRequest
from hostler.config.model.destination import Destination
from hostler.config.model.health import HealthCheck

if TYPE_CHECKING:
    from hostler.config.limits import ConcurrencyDefinition  # `keys_of` imports it for documents

__all__ = [
    "AddressFamily",
    "AffinityCookie",
    "Cluster",
    "HashBy",
    "LoadBalancing",
    "Resolver",
    "SameSite",
    "SecurePolicy",
    "SessionAffinity",
]


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


@frozen
class AffinityCookie:
    """The attributes of an affinity cookie (SessionAffinity.Cookie)."""

    path: str = "/"
    domain: str | None = None
    http_only: bool = True
    secure_policy: SecurePolicy = SecurePolicy.NONE
    same_site: SameSite = SameSite.UNSPECIFIED
    expiration: float | None = None
    """Seconds from the answer to `expires`; None writes none."""

    max_age: float | None = None
    """Seconds in `max-age`; None writes none."""

    is_essential: bool = False
    """Without effect: hostler asks for no consent."""


@frozen
class SessionAffinity:
    """Keep a client on the destination that answered it first."""

    key_name: str = ""
    """The cookie or header that holds the key (AffinityKeyName); required when enabled."""

    enabled: bool = True
    policy: str = "HashCookie"
    """How the key names a destination: HashCookie, ArrCookie, Cookie, CustomHeader, or one of your own."""

    failure_policy: str = "Redistribute"
    """What becomes of a request whose key is of no use: Redistribute, Return503Error, or one of your own."""

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
    """The name of the header or the cookie."""

    segment: int = 1
    """Which segment of the path it is; the first one is 1."""


class AddressFamily(enum.Enum):
    """Which addresses of a name are looked up (.NET's AddressFamily)."""

    INTER_NETWORK = "InterNetwork"
    INTER_NETWORK_V6 = "InterNetworkV6"


@frozen
class Resolver:
    """Have a policy say again and again which destinations take the place of each that a cluster lists.

    The one that is there, `Dns`, makes one of each address that a name has (YARP's AddDnsDestinationResolver).
    """

    enabled: bool = True
    policy: str = "Dns"
    refresh_period: float = 300.0
    """Seconds after which each destination is asked for again."""

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
    metadata: Mapping[str, str] = field(default=NOTHING, converter=mapping_of_strings, kw_only=True)
