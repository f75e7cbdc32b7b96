"""The query of an outgoing request: changed parameter by parameter, the others stay as the client wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Query"]


class Query:
    """The parameters of a query, in order; names are compared without case, as ASP.NET does.

    `raw` is the query as it goes out, without its `?`; None where there is none. Text that is set is escaped.
    """

    __slots__ = ("_pairs", "raw")

    def __init__(self, raw: bytes | None = None) -> None:
        self.raw = raw
        self._pairs: tuple[bytes | None, list[tuple[str, str]]] | None = None
        """The query that they were read from, and each parameter's name in lower case, with how it is written."""

    def _read(self) -> list[tuple[str, str]]:
        raw = self.raw
        if self._pairs is None or self._pairs[0] != raw:
            written = [] if not raw else raw.decode("latin-1").split("&")
            self._pairs = raw, [(unquote_plus(one.partition("=")[0]).lower(), one) for one in written]
        return self._pairs[1]

    def _write(self, pairs: list[tuple[str, str]]) -> None:
        self.raw = "&".join([one for _, one in pairs]).encode("latin-1") if pairs else None
        self._pairs = self.raw, pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a parameter, decoded, or `default`."""
        return next(iter(self.get_all(name)), default)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a parameter, decoded, in order."""
        wanted = name.lower()
        return [unquote_plus(one.partition("=")[2]) for found, one in self._read() if found == wanted]

    def set(self, name: str, value: str) -> None:
        """Give a parameter one value, where its first one stands, else at the end."""
        wanted = name.lower()
        pairs = self._read()
        at = next((at for at, (found, _) in enumerate(pairs) if found == wanted), len(pairs))
        kept = [pair for pair in pairs[at:] if pair[0] != wanted]
        self._write([*pairs[:at], _pair(name, value), *kept])

    def append(self, name: str, value: str) -> None:
        """Add a value to a parameter, behind those that it has."""
        wanted = name.lower()
        pairs = self._read()
        end = max((at + 1 for at, (found, _) in enumerate(pairs) if found == wanted), default=len(pairs))
        self._write([*pairs[:end], _pair(name, value), *pairs[end:]])

    def remove(self, name: str) -> None:
        """Remove every value of a parameter; none is fine."""
        wanted = name.lower()
        pairs = self._read()
        kept = [pair for pair in pairs if pair[0] != wanted]
        if len(kept) != len(pairs):
            self._write(kept)

    def __contains__(self, name: str) -> bool:
        wanted = name.lower()
        return any(found == wanted for found, _ in self._read())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for _, one in self._read():
            name, _, value = one.partition("=")
            yield unquote_plus(name), unquote_plus(value)

    def __repr__(self) -> str:
        return f"Query({self.raw!r})"


def _pair(name: str, value: str) -> tuple[str, str]:
    escaped = "=".join(quote(text, safe="", errors="surrogateescape") for text in (name, value))
    return name.lower(), escaped
