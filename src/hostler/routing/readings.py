r"""The ways in which a destination may read a path that this proxy has routed.

A stage guards a route, and another route forwards the rest. That holds only as long as the destination takes a path
for the same as the proxy does, and destinations differ: they merge slashes, decode `%2F`, decode twice, take a
backslash for a slash, or drop `;` parameters. So a path that can be read in several ways is looked up in each of
`READINGS`, and goes on only when they all lead to the same URL prefix and route. A path that no route takes leads
nowhere, which is a place of its own.

What is read is `Target.forward_path`, since that is what a destination gets: it has no plain dot segments. Those that a
reading brings to light are removed from it; a reading that climbs above the root with them conflicts with every route,
since it would leave the path of a destination's address. Parameters are dropped from dot segments only (`..;x=1`): a segment
such as `admin;x=1` is looked up as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from attrs import frozen

from hostler.routing.table import Match

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.http.target import Target
    from hostler.routing.table import Table

__all__ = ["READINGS", "Reading", "find_conflict"]

_SLASHES: Final = re.compile("/{2,}")
_DOT_PARAMETERS: Final = re.compile(r"(?<=/)(\.\.?);[^/]*")


@frozen(kw_only=True)
class Reading:
    """One way to read a path; its steps are taken in the order of its fields, then dot segments are removed."""

    name: str
    """The steps, and who reads so."""

    decodings: int = 0
    """How often all escapes are decoded; 0 leaves `%2F` as it is, and decodes the others once."""

    backslashes: bool = False
    """A backslash is a slash."""

    parameters: bool = False
    """What follows a `;` in a dot segment is dropped."""

    merging: bool = False
    """Several slashes are one."""

    def read(self, target: Target) -> str | None:
        """Return the path that this reading makes of a target's; None when it climbs above the root."""
        path = self._decode(target) if self.decodings else target.path
        if self.backslashes:
            path = path.replace("\\", "/")
        if self.parameters:
            path = _DOT_PARAMETERS.sub(r"\1", path)
        if self.merging:
            path = _SLASHES.sub("/", path)
        return _without_dots(path)

    def _decode(self, target: Target) -> str:
        raw = target.forward_path
        for _ in range(self.decodings):
            raw = unquote_to_bytes(raw)
        return raw.decode("utf-8", "surrogateescape")


READINGS: Final = (
    Reading(name="slashes merged, as Apache does", merging=True),
    Reading(name="%2F decoded, as WSGI and ASGI servers do", decodings=1),
    Reading(name="%2F decoded and slashes merged, as nginx does", decodings=1, merging=True),
    Reading(
        name="parameters of dot segments dropped, as Tomcat does", decodings=1, parameters=True, merging=True
    ),
    Reading(
        name="backslashes as slashes, as IIS does", decodings=1, backslashes=True, merging=True
    ),
    Reading(name="decoded twice, as one server behind another does", decodings=2, merging=True),
    Reading(
        name="decoded twice, backslashes as slashes, parameters of dot segments dropped",
        decodings=2, backslashes=True, parameters=True, merging=True,
    ),
)  # fmt: skip
"""The readings beside the proxy's own, which is the first of eight: `Target.path`."""


def find_conflict(exchange: Exchange, table: Table[Any]) -> str | None:
    """Look a request's path up in each reading; return a sentence for the log when they do not all lead to one place."""
    target = exchange.target
    seen: set[str | None] = {target.path}
    place = ""
    for reading in READINGS:
        path = reading.read(target)
        if path in seen:
            continue
        seen.add(path)
        place = place or _place(exchange, table, target.path)
        if path is None:
            return _conflict(exchange, place, f"with {reading.name}, it climbs above the root")
        other = _place(exchange, table, path)
        if other != place:
            return _conflict(exchange, place, f"with {reading.name}, it is {path!a} and leads to {other}")
    return None


def _conflict(exchange: Exchange, place: str, otherwise: str) -> str:
    return f"{exchange.request.method} {exchange.target.path!a} leads to {place}; {otherwise}"


def _place(exchange: Exchange, table: Table[Any], path: str) -> str:
    """Say where a path leads, in the same words for two paths under the same URL prefix and route."""
    placed = ("", path) if exchange.place_reading is None else exchange.place_reading(path)
    if placed is None:
        return "no route"
    base, rest = placed
    found = table.find(exchange.request.method, exchange.host, exchange.port, rest or "/", exchange)
    if not isinstance(found, Match):
        return "no route"
    base = _SLASHES.sub("/", base).lower()
    return f"route {found.route.config.id} under {base!a}" if base else f"route {found.route.config.id}"


def _without_dots(path: str) -> str | None:
    """Remove dot segments (RFC 3986 5.2.4); None when they climb above the root."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segment = ""
    for segment in path.split("/")[1:]:
        if segment == "..":
            if not kept:
                return None
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segment in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
