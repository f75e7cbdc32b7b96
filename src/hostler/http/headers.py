"""Headers: an ordered multi-map over raw byte pairs.

Names keep the case they arrived in and are compared without it (RFC 9110 5.1). Nothing is decoded until it is asked
for; text is ISO-8859-1, which maps every byte to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Headers", "RawHeaders"]

RawHeaders = list[tuple[bytes, bytes]]
"""list of (name, value) byte pairs, in wire order."""


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


class Headers:
    """The header section of a message; `raw` is the list of (name, value) byte pairs itself."""

    __slots__ = ("raw",)

    def __init__(self, raw: RawHeaders | None = None) -> None:
        self.raw: RawHeaders = [] if raw is None else raw

    @classmethod
    def of(cls, pairs: Iterable[tuple[str | bytes, str | bytes]]) -> Headers:
        """Make headers from text or byte pairs."""
        return cls([(_bytes(name), _bytes(value)) for name, value in pairs])

    def get_raw(self, name: bytes) -> bytes | None:
        """Return the first value of `name` (given in lower case), or None."""
        size = len(name)
        for key, value in self.raw:
            if len(key) == size and key.lower() == name:
                return value
        return None

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of `name`, or `default`."""
        value = self.get_raw(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name`, one per header line, in order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for key, value in self.raw if key.lower() == wanted]

    def add(self, name: str | bytes, value: str | bytes) -> None:
        """Append one more line."""
        self.raw.append((_bytes(name), _bytes(value)))

    def set(self, name: str | bytes, value: str | bytes) -> None:
        """Replace every line of `name` by one."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str | bytes) -> None:
        """Remove every line of `name`; none is fine."""
        wanted = _bytes(name).lower()
        self.raw[:] = [pair for pair in self.raw if pair[0].lower() != wanted]

    def __contains__(self, name: str) -> bool:
        return self.get_raw(name.lower().encode("latin-1")) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"
