"""Where the path base of a request ends: at the URL prefix that HTTP.sys matched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.contract import Address
    from hostler.server.placing import Placing
    from hostler.server.prefix import UrlPrefix

__all__ = ["Prefixes"]


@frozen
class _Under:
    """The path of a prefix, lower-cased and without its last slash."""

    key: str
    length: int
    """Characters of the prefix's path, of which some are two in lower case."""

    def split(self, path: str) -> tuple[str, str] | None:
        """Split a path after the prefix, in its own spelling; slashes at the front count as one."""
        key = self.key
        if not key:
            return "", path
        extra = len(path) - len(path.lstrip("/")) - 1 if path.startswith("//") else 0
        end = extra + self.length
        if path[extra:end].lower() != key or path[end : end + 1] not in {"", "/"}:
            return None
        return path[:end], path[end:]

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
            self.prefixes.sort(key=lambda item: -len(item.key))

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path)."""
        path = path or "/"
        return next((split for prefix in self.prefixes if (split := prefix.split(path))), ("", path))


@define(eq=False)
class Prefixes:
    """The prefixes of a server: its own by the context that their requests carry, the others by their paths."""

    _own: dict[int, Placing] = field(factory=dict, init=False)
    _noted: _Longest = field(factory=_Longest, init=False)

    def own(self, prefixes: Mapping[int, UrlPrefix]) -> None:
        """Know the prefixes that are registered, by context."""
        self._own = {context: _under(prefix) for context, prefix in prefixes.items()}

    def note(self, prefixes: Iterable[UrlPrefix]) -> None:
        """Know prefixes that another process may have registered for the same queue."""
        for prefix in prefixes:
            self._noted.add(_under(prefix))

    def placing(self, context: int) -> Placing:
        """Return what places a request that carries `context`."""
        return self._own.get(context, self._noted)


def _under(prefix: UrlPrefix) -> _Under:
    path = prefix.path[:-1]
    return _Under(path.lower(), len(path))
