"""Headers: an ordered multi-map over raw byte pairs.

Names keep the case they arrived in and are compared without it (RFC 9110 5.1). Nothing is decoded until it is asked
for; text is ISO-8859-1, which maps every byte to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hostler.http.fields import HOP_BY_HOP, TOKEN_PATTERN, has_token

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

__all__ = ["Headers", "RawHeaders", "add_headers", "split_line"]

RawHeaders = list[tuple[bytes, bytes]]
"""list of (name, value) byte pairs, in wire order."""

_VISIBLE: Final = rb"[!-~\x80-\xff]"
_LINE: Final = re.compile(rb"(%b+): (?:%b(?:[\t -~\x80-\xff]*%b)?)?" % (TOKEN_PATTERN, _VISIBLE, _VISIBLE))
"""A line of a name, a colon, and a value without space around it."""

_HSTS: Final = b"strict-transport-security"


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """Cut a well-formed header line into name and value (RFC 9112 5)."""
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def add_headers(added: RawHeaders, headers: RawHeaders) -> None:
    """Add to an answer what the proxy adds that has delegated it.

    Its Strict-Transport-Security goes in place of the application's: browsers read the first alone (RFC 6797 8.1).
    """
    if any(name == _HSTS for name, _ in added):
        headers[:] = [pair for pair in headers if pair[0].lower() != _HSTS]
    headers += added


def _bytes(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode("latin-1")
    if isinstance(text, bytes):
        return text
    raise TypeError(f"{text!r} is not the name or value of a header: give str or bytes")


class Headers:
    """The header section of a message.

    There are two forms. One is the lines themselves by lower-case name (`lines`): a proxy passes most of what comes off
    the wire on untouched, so neither names nor values are cut out of them before somebody asks. `set`, `add` and `remove`
    keep that form where they can. The other is a list of pairs: that of headers that were made of pairs, have a name on
    several lines, hold what no line may, or have had their `raw` pairs asked for.
    """

    __slots__ = ("_raw", "changed", "lines")

    def __init__(self, raw: RawHeaders | None = None, lines: dict[bytes, bytes] | None = None) -> None:
        """Make headers of pairs, or of whole lines that are known to be well-formed, by lower-case name, in order."""
        self._raw = raw if raw is not None or lines is not None else []
        self.lines = lines
        """The lines as they stand on the wire, without CRLF, by lower-case name; None once they may have changed."""
        self.changed = True
        """Whether they may say something else than what came: False is for a server to set that has read them."""

    @property
    def raw(self) -> RawHeaders:
        """The list of (name, value) byte pairs itself, yours to change."""
        pairs = self.pairs()
        self.lines, self.changed = None, True
        return pairs

    def pairs(self) -> RawHeaders:
        """Return the (name, value) byte pairs, to be read only."""
        if self._raw is None:
            self._raw = [split_line(line) for line in (self.lines or {}).values()]
        return self._raw

    def lower_pairs(self) -> RawHeaders:
        """Return the (name, value) byte pairs with their names in lower case, in a list of its own."""
        if self.lines is not None:
            return [(name, line[len(name) + 1 :].strip(b" \t")) for name, line in self.lines.items()]
        return [(name.lower(), value) for name, value in self.pairs()]

    def index(self) -> tuple[dict[bytes, bytes], frozenset[bytes]]:
        """Return each name's value, by lower-case name, and the names that stand on several lines.

        The values of those are joined with a comma (RFC 9110 5.3).
        """
        found: dict[bytes, bytes] = {}
        repeated = set()
        for name, value in self.pairs():
            key = name.lower()
            if key in found:
                repeated.add(key)
                found[key] += b", " + value
            else:
                found[key] = value
        return found, frozenset(repeated)

    @classmethod
    def received(cls, raw: RawHeaders | None, lines: dict[bytes, bytes] | None = None) -> Headers:
        """Make the headers of a message that came, which nobody has changed so far."""
        made = cls(raw, lines)
        made.changed = False
        return made

    @classmethod
    def of(cls, pairs: Iterable[tuple[str | bytes, str | bytes]] | Mapping[str, str]) -> Headers:
        """Make headers from pairs of text or bytes, or from a mapping; raises TypeError for what is none."""
        if isinstance(pairs, Mapping):
            pairs = pairs.items()
        raw: RawHeaders = []
        for pair in pairs:
            if len(pair) != 2:
                raise TypeError(f"{pair!r} is not a header: give pairs of name and value, or a mapping")
            raw.append((_bytes(pair[0]), _bytes(pair[1])))
        return cls(raw)

    def get_raw(self, name: bytes) -> bytes | None:
        """Return the first value of `name` (given in lower case), or None."""
        if self.lines is not None:
            line = self.lines.get(name)
            return None if line is None else line[len(name) + 1 :].strip(b" \t")
        size = len(name)
        for key, value in self.pairs():
            if len(key) == size and key.lower() == name:
                return value
        return None

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of `name`, or `default`."""
        value = self.get_raw(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def get_all_raw(self, name: bytes) -> list[bytes]:
        """Return every value of `name` (given in lower case), one per header line, in order."""
        if self.lines is not None:
            value = self.get_raw(name)
            return [] if value is None else [value]
        return [value for key, value in self.pairs() if key.lower() == name]

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name`, one per header line, in order."""
        return [value.decode("latin-1") for value in self.get_all_raw(name.lower().encode("latin-1"))]

    def only(self, names: Container[bytes]) -> RawHeaders:
        """Return the (name, value) byte pairs of these names, which are in lower case."""
        if self.lines is not None:
            return [split_line(line) for name, line in self.lines.items() if name in names]
        return [pair for pair in self.pairs() if pair[0].lower() in names]

    def without(self, names: frozenset[bytes]) -> Headers:
        """Return a copy of all headers but those of these names, which are in lower case."""
        if self.lines is None:
            return Headers([pair for pair in self.pairs() if pair[0].lower() not in names])
        lines = self.lines.copy()
        for name in names.intersection(lines):
            del lines[name]
        return Headers(None, lines)

    def add(self, name: str | bytes, value: str | bytes) -> None:
        """Append one more line."""
        name, value = _bytes(name), _bytes(value)
        lines, key = self.lines, name.lower()
        if lines is not None and key not in lines:
            line = b"%b: %b" % (name, value)
            found = _LINE.fullmatch(line)
            if found is not None and found.end(1) == len(name):
                lines[key] = line
                self._raw, self.changed = None, True
                return
        self.raw.append((name, value))

    def extend(self, other: Headers) -> None:
        """Append all lines of other headers."""
        lines = other.lines
        if self.lines is not None and lines is not None and self.lines.keys().isdisjoint(lines):
            self.lines.update(lines)
            self._raw, self.changed = None, True
        else:
            self.raw.extend(other.pairs())

    def set(self, name: str | bytes, value: str | bytes) -> None:
        """Replace every line of `name` by one.

        The field is no longer the one that came, so that a Connection header names it no more: a client could have
        whatever a proxy says of it dropped on the way.
        """
        self.remove(name)
        self.add(name, value)
        if b"connection" in self:
            self._name_no_more(_bytes(name).lower())

    def _name_no_more(self, name: bytes) -> None:
        """Take a field's name out of Connection, unless that is what the field is for (RFC 9110 7.6.1)."""
        if name in HOP_BY_HOP or not any(has_token(value, name) for value in self.get_all_raw(b"connection")):
            return
        raw = self.raw
        pairs, raw[:] = raw[:], []
        for key, value in pairs:
            left = value
            if key.lower() == b"connection":
                left = b", ".join(
                    token for part in value.split(b",") if (token := part.strip()) and token.lower() != name
                )
            if left or not value:
                raw.append((key, left))

    def remove(self, name: str | bytes) -> None:
        """Remove every line of `name`; none is fine."""
        wanted = _bytes(name).lower()
        if self.lines is not None:
            if self.lines.pop(wanted, None) is not None:
                self._raw, self.changed = None, True
            return
        self.raw[:] = [pair for pair in self.raw if pair[0].lower() != wanted]

    def __contains__(self, name: str | bytes) -> bool:
        wanted = _bytes(name).lower()
        if self.lines is not None:
            return wanted in self.lines
        return self.get_raw(wanted) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.pairs():
            yield name.decode("latin-1"), value.decode("latin-1")

    def __len__(self) -> int:
        return len(self.pairs() if self.lines is None else self.lines)

    def __repr__(self) -> str:
        return f"Headers({self.pairs()!r})"
