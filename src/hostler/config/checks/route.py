"""Rules for a route: what it matches, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.address import HOST
from hostler.config.checks.metadata import check_metadata
from hostler.config.checks.values import check_positive, refuse_later
from hostler.errors import Problem
from hostler.routing.pattern import TemplateError
from hostler.routing.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import HeaderMatch, QueryMatch, Route

__all__ = ["check_route"]

_METHODS: Final = ("HEAD", "OPTIONS", "GET", "PUT", "POST", "PATCH", "DELETE", "TRACE")


def check_route(path: str, route: Route) -> Iterator[Problem]:
    """Find what is wrong with a route, but for the names of policies."""
    yield from _match(f"{path}.Match", route)
    if not -(2**31) <= route.order < 2**31:
        yield Problem(f"{path}.Order", f"{route.order} is out of range; use a 32-bit integer")
    size = route.max_request_body_size
    if size is not None and not -1 <= size < 2**63:
        yield Problem(
            f"{path}.MaxRequestBodySize", f"{size} is out of range; use 0 or more bytes, or -1 for no limit"
        )
    if route.timeout is not None:
        yield from check_positive(f"{path}.Timeout", route.timeout)
        if route.timeout_policy:
            message = (
                f'a route has a Timeout or a TimeoutPolicy ("{route.timeout_policy}"), not both; remove one'
            )
            yield Problem(f"{path}.TimeoutPolicy", message)
    yield from check_metadata(f"{path}.Metadata", route.metadata)
    yield from _refuse_later(path, route)


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
            message = f'unknown method "{method}"; use {", ".join(_METHODS)}'
            yield Problem(f"{path}.Methods[{index}]", message)
        elif method.upper() in seen:
            yield Problem(f"{path}.Methods[{index}]", f'"{method}" appears more than once; keep one')
        seen.add(method.upper())
    for index, header in enumerate(route.headers):
        yield from _value_rule(f"{path}.Headers[{index}]", header)
    for index, parameter in enumerate(route.query_parameters):
        yield from _value_rule(f"{path}.QueryParameters[{index}]", parameter)


def _host_rule(host: str) -> str | None:
    found = HOST.fullmatch(host)
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
    elif not rule.values:
        yield Problem(f"{path}.Values", f"{mode} needs values to compare with; add one")
    for index, value in enumerate(rule.values):
        if not value:
            yield Problem(f"{path}.Values[{index}]", "the value is empty; remove it, or use Mode Exists")


def _refuse_later(path: str, route: Route) -> Iterator[Problem]:
    """Refuse what a route can say and the program does not do yet."""
    yield from refuse_later(
        path,
        {
            "OutputCachePolicy": _names(route.output_cache_policy),
        },
    )


def _names(policy: str | None, *harmless: str) -> bool:
    """Tell whether a policy is named that is none of the reserved names which ask for nothing."""
    return policy is not None and policy.lower() not in {"", *(name.lower() for name in harmless)}
