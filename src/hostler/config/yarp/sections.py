"""The sections of a document that are not YARP's: those that would change what a proxy does are not passed over."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from hostler.config.model import SERVER_SECTIONS
from hostler.config.yarp.scalars import shown
from hostler.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_sections"]


def check_sections(document: Mapping[str, object], parts: Mapping[str, object]) -> Iterator[Problem]:
    """Find what stands in the wrong place, and what ASP.NET Core or YARP's container would do and hostler does not.

    `parts` are what the document says, by key in lower case.
    """
    yield from _misplaced(document, parts)
    if not parts.keys() & {"reverseproxy", "routes", "clusters"}:
        yield Problem(
            "",
            'there is no "ReverseProxy" section: every request will be answered with 404; add one with Routes and Clusters',
            Severity.WARNING,
        )
    yield from _allowed_hosts(parts.get("allowedhosts"))
    if str(parts.get("forwardedheaders_enabled")).lower() == "true":
        yield Problem(
            "ForwardedHeaders_Enabled",
            "is not obeyed: it has ASP.NET Core believe X-Forwarded-For and -Proto of everybody; name the proxies in front "
            "in TrustedProxies.Networks",
            Severity.WARNING,
        )
    if str(_member(parts.get("staticfiles"), "enabled")).lower() == "true":
        yield Problem("StaticFiles.Enabled", "not supported yet: StaticFiles; set it to false, or remove it")
    if _member(parts.get("navigationfallback"), "path"):
        yield Problem("NavigationFallback.Path", "not supported yet: NavigationFallback; remove it")


def _allowed_hosts(value: object) -> Iterator[Problem]:
    if value is None:
        return
    hosts = [host.strip() for host in value.split(";")] if isinstance(value, str) else [None]
    if any(hosts) and "*" not in hosts:
        yield Problem(
            "AllowedHosts",
            f'not supported yet: {shown(value)}; write "*", and say in Match.Hosts which hosts a route is for',
        )


def _member(value: object, key: str) -> object:
    """Return a member of what may be an object, by key in lower case."""
    members = value.items() if isinstance(value, dict) else ()
    return next((item for name, item in members if name.lower() == key), None)


_OURS: Final = {
    "reverseproxy": "ReverseProxy",
    "urls": "Urls",
    "policies": "Policies",
    **{label.lower(): label for label in SERVER_SECTIONS.values()},
}

_OF_OTHERS: Final = frozenset({"https"})
"""Sections that look like ours, and are a program's own."""


def _misplaced(document: Mapping[str, object], parts: Mapping[str, object]) -> Iterator[Problem]:
    for key in document:
        name = key.lower()
        close = difflib.get_close_matches(name[:100], list(_OURS), n=1, cutoff=0.8)
        if name in {"routes", "clusters"} and "reverseproxy" not in parts:
            yield Problem(key, f'{key} is at the top level; move it under "ReverseProxy"')
        elif close and close[0] != name and name not in _OF_OTHERS:
            yield Problem(key, f'unknown section "{key}"; did you mean {_OURS[close[0]]}?')
