"""Where the path base of a request ends: at the URL prefix that HTTP.sys matched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from hostler.server.prefix import PrefixTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.contract import Address
    from hostler.server.placing import Placing
    from hostler.server.prefix import UrlPrefix

__all__ = ["Prefixes"]


_SLASH: Final = r"(?:/|\\|%2F)+"
"""What HTTP.sys takes for one slash when it looks for a prefix: a backslash, %2F, and several of them in a row."""


@frozen
class _Under:
    """The path of a prefix, without its last slash."""

    path: str
    _begins: re.Pattern[str] = field(init=False, eq=False, repr=False)

    @_begins.default
    def _compiled(self) -> re.Pattern[str]:
        segments = (re.escape(segment) for segment in self.path.split("/"))
        return re.compile(f"{_SLASH.join(segments)}(?=/|$)", re.IGNORECASE)

    def split(self, path: str) -> tuple[str, str] | None:
        """Split a path after the prefix, in its own spelling, at a plain slash or its end."""
        if not self.path:
            return "", path
        found = self._begins.match(path)
        return found and (path[: found.end()], path[found.end() :])

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path).

        HTTP.sys has matched the prefix, or whoever delegated has named it: then the path need not be under it.
        """
        path = path or "/"
        return self.split(path) or ("", path)


@define(eq=False)
class _Longest:
    """The longest of several prefixes, whatever their hosts and ports: who registered them has matched those."""

    prefixes: list[_Under] = field(factory=list)

    def add(self, prefix: _Under) -> None:
        if prefix not in self.prefixes:
            self.prefixes.append(prefix)
            self.prefixes.sort(key=lambda item: -len(item.path))

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path)."""
        path = path or "/"
        return next((split for prefix in self.prefixes if (split := prefix.split(path))), ("", path))


@define(eq=False)
class Prefixes:
    """The prefixes of a server: its own by the context that their requests carry, the others by their paths."""

    _own: dict[int, Placing] = field(factory=dict, init=False)
    _table: PrefixTable = field(factory=PrefixTable, init=False)
    """The prefixes that are registered, as HTTP.sys would match them."""

    _noted: _Longest = field(factory=_Longest, init=False)

    def own(self, prefixes: Mapping[int, UrlPrefix]) -> None:
        """Know the prefixes that are registered, by context."""
        self._own = {context: _under(prefix) for context, prefix in prefixes.items()}
        self._table = PrefixTable()
        for prefix in prefixes.values():
            self._table.add(prefix)

    def note(self, prefixes: Iterable[UrlPrefix]) -> None:
        """Know prefixes that another process may have registered for the same queue."""
        for prefix in prefixes:
            self._noted.add(_under(prefix))

    def placing(self, context: int) -> Placing:
        """Return what places a request that carries `context`."""
        return self._own.get(context, self._noted)

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path) of a request that HTTP.sys has matched by another host than `host`.

        Raises ProtocolError where no prefix takes it. Prefixes that another process has registered are matched by their
        paths alone.
        """
        if not len(self._table):
            return self._noted.place(scheme, host, server, path)
        return self._table.place(scheme, host, server, path)


def _under(prefix: UrlPrefix) -> _Under:
    return _Under(prefix.path[:-1])
