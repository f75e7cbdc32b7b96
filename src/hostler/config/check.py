"""The rules over a whole configuration, whether it was written in JSON or in Python.

`check` reports every problem at once, routes first, each with the path that a YARP document has for it. A name
of a policy is known when `Policies` lists it, or when it is a dotted import path that the program resolves. What
the model can say and the program does not do yet is refused, never passed over in silence: each such rule
stands in `_later_route` or `_later_cluster`, and goes when its feature comes.
"""

from __future__ import annotations

import codecs
import difflib
import math
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

from hostler.config.model import (
    FAILURE_RATE_METADATA,
    QUEUE_METADATA,
    THRESHOLD_METADATA,
    Cluster,
    Config,
    Destination,
    HeaderMatch,
    HttpClient,
    QueryMatch,
    Route,
    SessionAffinity,
    VersionPolicy,
    check_queue_name,
)
from hostler.errors import Problem, QueueNameError
from hostler.routing.template import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Policies", "check"]


@frozen
class Policies:
    """The names of policies that exist, in any case."""

    balance: frozenset[str] = frozenset(
        {"FirstAlphabetical", "Random", "RoundRobin", "LeastRequests", "PowerOfTwoChoices"}
    )
    affinity: frozenset[str] = frozenset({"HashCookie"})
    affinity_failure: frozenset[str] = frozenset({"Redistribute"})
    passive_health: frozenset[str] = frozenset({"TransportFailureRate"})
    available_destinations: frozenset[str] = frozenset({"HealthyOrPanic", "HealthyAndUnknown"})


_LATER_AFFINITY = ("ArrCookie", "Cookie", "CustomHeader")
_LATER_AFFINITY_FAILURE = ("Return503Error",)

_METHODS = ("HEAD", "OPTIONS", "GET", "PUT", "POST", "PATCH", "DELETE", "TRACE")
_SSL_PROTOCOLS = frozenset({"none", "ssl2", "ssl3", "tls", "tls11", "tls12", "tls13"})
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_HOST = re.compile(r"(\*|(\*\.)?[^\s/\\*?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}|\*))?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_PATH = re.compile(r"/[ -:<-~]*")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f]")


def check(config: Config, *, policies: Policies = Policies()) -> list[Problem]:
    """List everything that is wrong with a configuration, in document order; empty when it can be used."""
    problems = [Problem("Urls", message) for url in config.urls if (message := _url(url, listened_on=True))]
    problems += _ids("Routes", (route.id for route in config.routes))
    for route in config.routes:
        problems += _route(f"Routes.{route.id}", route)
    problems += _ids("Clusters", (cluster.id for cluster in config.clusters))
    for cluster in config.clusters:
        problems += _cluster(f"Clusters.{cluster.id}", cluster, policies)
    return problems


def _ids(path: str, ids: Iterable[str]) -> Iterator[Problem]:
    """Find ids that are empty or, in any case, not the only one."""
    seen: set[str] = set()
    for name in ids:
        if not name:
            yield Problem(path, "an id is empty; give each a name")
        elif name.lower() in seen:
            yield Problem(
                f"{path}.{name}", f'the id "{name}" is taken (case does not matter); choose another'
            )
        seen.add(name.lower())


def _route(path: str, route: Route) -> Iterator[Problem]:
    yield from _match(f"{path}.Match", route)
    if not -(2**31) <= route.order < 2**31:
        yield Problem(f"{path}.Order", f"{route.order} is out of range; use 32 bits")
    size = route.max_request_body_size
    if size is not None and not -1 <= size < 2**63:
        yield Problem(f"{path}.MaxRequestBodySize", f"{size} is no size; use 0 or more, or -1 for no limit")
    if route.timeout is not None:
        yield from _positive(f"{path}.Timeout", route.timeout)
        if route.timeout_policy:
            message = (
                f'a route has a Timeout or a TimeoutPolicy ("{route.timeout_policy}"), not both; remove one'
            )
            yield Problem(f"{path}.TimeoutPolicy", message)
    yield from _metadata(f"{path}.Metadata", route.metadata)
    yield from _later_route(path, route)


def _match(path: str, route: Route) -> Iterator[Problem]:
    if not route.path and not any(route.hosts):
        yield Problem(path, 'the route has neither a path nor hosts; give it one, such as "/{**rest}"')
    if route.path:
        try:
            Template.parse(route.path)
        except TemplateError as error:
            yield Problem(f"{path}.Path", f"{error}; correct it")
    for index, host in enumerate(route.hosts):
        if message := _host_rule(host):
            yield Problem(f"{path}.Hosts[{index}]", message)
    seen: set[str] = set()
    for index, method in enumerate(route.methods):
        if method.upper() not in _METHODS:
            message = f'"{method}" is not a method; use {", ".join(_METHODS)}'
            yield Problem(f"{path}.Methods[{index}]", message)
        elif method.upper() in seen:
            yield Problem(f"{path}.Methods[{index}]", f'"{method}" stands more than once; keep one')
        seen.add(method.upper())
    for index, header in enumerate(route.headers):
        yield from _value_rule(f"{path}.Headers[{index}]", header)
    for index, parameter in enumerate(route.query_parameters):
        yield from _value_rule(f"{path}.QueryParameters[{index}]", parameter)


def _host_rule(host: str) -> str | None:
    found = _HOST.fullmatch(host)
    if not host:
        return "the host is empty; give a name, or remove it"
    if "xn--" in host.lower():
        return f'"{host}" is written in punycode; write it in Unicode'
    if not found or ((port := found["port"]) and port != "*" and not 0 < int(port) < 65536):
        return f'"{host}" is not a host; write "example.com", "example.com:8080" or "*.example.com"'
    return None


def _value_rule(path: str, rule: HeaderMatch | QueryMatch) -> Iterator[Problem]:
    """Check a header's or a query parameter's condition."""
    mode = rule.mode.value
    if not rule.name:
        yield Problem(f"{path}.Name", "the name is empty; say which one is meant")
    if mode in {"Exists", "NotExists"}:
        if rule.values:
            yield Problem(f"{path}.Values", f"{mode} takes no values; remove them, or choose another Mode")
    elif not any(rule.values):
        yield Problem(f"{path}.Values", f"{mode} needs values to compare with; add one")


def _cluster(path: str, cluster: Cluster, policies: Policies) -> Iterator[Problem]:
    yield from _policy(f"{path}.LoadBalancingPolicy", cluster.balance, policies.balance)
    if cluster.affinity is not None and cluster.affinity.enabled:
        yield from _affinity(f"{path}.SessionAffinity", cluster.affinity, policies)
    yield from _health(f"{path}.HealthCheck", cluster, policies)
    yield from _http_client(f"{path}.HttpClient", cluster.http_client)
    yield from _positive(f"{path}.HttpRequest.ActivityTimeout", cluster.http_request.activity_timeout)
    version = cluster.http_request.version
    if version not in {"1.0", "1.1", "2", "3"}:
        message = f'"{version}" is not a version of HTTP; use 1.0, 1.1, 2 or 3'
        yield Problem(f"{path}.HttpRequest.Version", message)
    yield from _later_cluster(path, cluster)
    yield from _ids(f"{path}.Destinations", (destination.id for destination in cluster.destinations))
    for destination in cluster.destinations:
        yield from _destination(f"{path}.Destinations.{destination.id}", destination)
    yield from _metadata(f"{path}.Metadata", cluster.metadata)


def _policy(
    path: str, name: str, known: frozenset[str], later: Iterable[str] = (), *, importable: bool = True
) -> Iterator[Problem]:
    """Check a policy's name; empty means the default, `later` are YARP's that hostler does not have yet."""
    names = {policy.lower(): policy for policy in known}
    if not name or name.lower() in names or (importable and _DOTTED.fullmatch(name)):
        return
    if name.lower() in {policy.lower() for policy in later}:
        key = path.rpartition(".")[2]
        message = f'not supported yet: {key} "{name}"; remove it, or use {_listed(known)}'
    else:
        close = difflib.get_close_matches(name.lower(), names, n=1)
        hint = (
            f"did you mean {names[close[0]]}?"
            if close
            else f"use {_listed(known)}" + (", or package.module:name" if importable else "")
        )
        message = f'"{name}" is not a policy that is known here; {hint}'
    yield Problem(path, message)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _affinity(path: str, affinity: SessionAffinity, policies: Policies) -> Iterator[Problem]:
    yield from _policy(f"{path}.Policy", affinity.policy, policies.affinity, _LATER_AFFINITY)
    failure = affinity.failure_policy
    yield from _policy(
        f"{path}.FailurePolicy", failure, policies.affinity_failure, _LATER_AFFINITY_FAILURE, importable=False
    )
    if not affinity.key_name:
        message = "is missing; name the cookie that holds the key, or set Enabled to false"
        yield Problem(f"{path}.AffinityKeyName", message)
    elif not _TOKEN.fullmatch(affinity.key_name):
        message = f"{affinity.key_name!a} is not a cookie's name; use letters, digits and !#$%&'*+-.^_`|~"
        yield Problem(f"{path}.AffinityKeyName", message)
    cookie = affinity.cookie
    if not _COOKIE_PATH.fullmatch(cookie.path):
        message = f'{cookie.path!a} is not a cookie\'s path; write "/" and ASCII without ";"'
        yield Problem(f"{path}.Cookie.Path", message)
    if cookie.domain is not None and not _DOMAIN.fullmatch(cookie.domain):
        yield Problem(f"{path}.Cookie.Domain", f'"{cookie.domain}" is not a domain; write "example.com"')
    for key, seconds in (("Expiration", cookie.expiration), ("MaxAge", cookie.max_age)):
        if seconds is not None:
            yield from _positive(f"{path}.Cookie.{key}", seconds)


def _health(path: str, cluster: Cluster, policies: Policies) -> Iterator[Problem]:
    passive, active = cluster.health_check.passive, cluster.health_check.active
    if passive.enabled:
        yield from _policy(f"{path}.Passive.Policy", passive.policy, policies.passive_health)
        yield from _positive(f"{path}.Passive.ReactivationPeriod", passive.reactivation_period)
    if active.enabled:
        yield from _positive(f"{path}.Active.Interval", active.interval)
        yield from _positive(f"{path}.Active.Timeout", active.timeout)
    available = cluster.health_check.available_destinations_policy
    known = policies.available_destinations
    yield from _policy(f"{path}.AvailableDestinationsPolicy", available, known, importable=False)


def _http_client(path: str, client: HttpClient) -> Iterator[Problem]:
    for index, protocol in enumerate(client.ssl_protocols):
        if protocol.lower() not in _SSL_PROTOCOLS:
            yield Problem(
                f"{path}.SslProtocols[{index}]", f'"{protocol}" is not a protocol; use Tls12 or Tls13'
            )
    limit = client.max_connections_per_server
    if limit is not None and limit < 1:
        message = f"{limit} is not a number of connections; use 1 or more, or remove it for no limit"
        yield Problem(f"{path}.MaxConnectionsPerServer", message)
    for key, encoding in (
        ("RequestHeaderEncoding", client.request_header_encoding),
        ("ResponseHeaderEncoding", client.response_header_encoding),
    ):
        if encoding and not _is_encoding(encoding):
            yield Problem(f"{path}.{key}", f'"{encoding}" is not an encoding; use "utf-8" or "latin1"')
    if client.web_proxy is not None and (wrong := _url(client.web_proxy.address)):
        yield Problem(f"{path}.WebProxy.Address", wrong)


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return True


def _destination(path: str, destination: Destination) -> Iterator[Problem]:
    if message := _url(destination.address, wildcard=destination.queue is not None):
        yield Problem(f"{path}.Address", message)
    if destination.health and (message := _url(destination.health)):
        yield Problem(f"{path}.Health", message)
    host = destination.host
    if host and not (_HOST.fullmatch(host) and host.isascii() and "*" not in host):
        yield Problem(f"{path}.Host", f'{host!a} is not a host; write "example.com" or "example.com:8080"')
    yield from _metadata(f"{path}.Metadata", destination.metadata)


def _url(text: str, *, wildcard: bool = False, listened_on: bool = False) -> str | None:
    """Say what is wrong with an address.

    As a URL prefix (`wildcard`) it may have `+` or `*` for its host; one to listen on, port 0 for any free port too.
    """
    wildcard = wildcard or listened_on
    expected = 'write "http://host:port/" or "https://host:port/"'
    if not text:
        return f"the address is empty; {expected}"
    if _UNSAFE.search(text):
        return f"{text!a} holds white space or control characters; {expected}"
    if not wildcard and not text.isascii():
        return f'"{text}" is not ASCII; write its host in punycode and its path percent-encoded'
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f'"{text}" is not an address ({error}); {expected}'
    if parts.scheme not in {"http", "https"} or not host or (port == 0 and not listened_on):
        return f'"{text}" is not an absolute http or https address; {expected}'
    if "@" in parts.netloc or "?" in text or "#" in text:
        return f'"{text}" has a user, a query or a fragment, which an address cannot have; remove it'
    if host in {"+", "*"} and not wildcard:
        return f'"{text}" has a wildcard for its host, which only a request queue\'s address may have; {expected}'
    return None


def _metadata(path: str, metadata: Mapping[str, str]) -> Iterator[Problem]:
    """Check the keys that mean something to hostler."""
    spelling = {key.lower(): key for key in _METADATA_RULES}
    for key, value in metadata.items():
        known = spelling.get(key.lower(), key)
        if known != key:
            yield Problem(f"{path}.{key}", f'"{key}" has no effect when spelt so; write {known}')
        elif key in _METADATA_RULES and (message := _METADATA_RULES[key](value)):
            yield Problem(f"{path}.{key}", message)


def _queue_rule(value: str) -> str | None:
    try:
        check_queue_name(value)
    except QueueNameError as error:
        return str(error)
    return None


def _rate_rule(value: str) -> str | None:
    try:
        fits = 0 <= float(value) <= 1
    except ValueError:
        fits = False
    return None if fits else f'"{value}" is not a share of failures; use a number from 0 to 1, such as "0.3"'


def _threshold_rule(value: str) -> str | None:
    if re.fullmatch(r"0*[1-9][0-9]{0,8}", value):
        return None
    return f'"{value}" is not a number of failed probes; use a whole number from 1 on, such as "2"'


_METADATA_RULES: Mapping[str, Callable[[str], str | None]] = {
    QUEUE_METADATA: _queue_rule,
    FAILURE_RATE_METADATA: _rate_rule,
    THRESHOLD_METADATA: _threshold_rule,
}


def _positive(path: str, seconds: float) -> Iterator[Problem]:
    if not 0 < seconds < math.inf:
        yield Problem(path, f"{seconds:g} seconds is no time; use more than 0")


def _later_route(path: str, route: Route) -> Iterator[Problem]:
    """Refuse what a route can say and the program does not do yet."""
    size = route.max_request_body_size
    yield from _later(
        path,
        {
            "Match.Headers": bool(route.headers),
            "Match.QueryParameters": bool(route.query_parameters),
            "MaxRequestBodySize": size is not None and size >= 0,
            "AuthorizationPolicy": _names(route.authorization_policy, "Anonymous"),
            "RateLimiterPolicy": _names(route.rate_limiter_policy, "Default", "Disable"),
            "OutputCachePolicy": _names(route.output_cache_policy),
            "TimeoutPolicy": _names(route.timeout_policy, "Disable"),
            "Timeout": route.timeout is not None,
            "CorsPolicy": _names(route.cors_policy, "Disable"),
            "Transforms": bool(route.transforms),
        },
    )


def _later_cluster(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Refuse what a cluster can say and the program does not do yet (policies: `_policy`)."""
    client, request = cluster.http_client, cluster.http_request
    or_lower = request.version_policy is VersionPolicy.REQUEST_VERSION_OR_LOWER
    yield from _later(
        path,
        {
            "HealthCheck.Active.Enabled": cluster.health_check.active.enabled,
            "HttpClient.SslProtocols": bool(client.ssl_protocols),
            "HttpClient.RequestHeaderEncoding": bool(client.request_header_encoding),
            "HttpClient.ResponseHeaderEncoding": bool(client.response_header_encoding),
            "HttpClient.WebProxy": client.web_proxy is not None,
            "HttpRequest.Version": request.version == "1.0",
            "HttpRequest.VersionPolicy": request.version in {"2", "3"} and not or_lower,
            "HttpRequest.AllowResponseBuffering": request.allow_response_buffering,
        },
    )


def _later(path: str, used: Mapping[str, bool]) -> Iterator[Problem]:
    for key, is_used in used.items():
        if is_used:
            yield Problem(f"{path}.{key}", f"not supported yet: {key}; remove it")


def _names(policy: str | None, *harmless: str) -> bool:
    """Tell whether a policy is named that is none of the reserved names which ask for nothing."""
    return policy is not None and policy.lower() not in {"", *(name.lower() for name in harmless)}
