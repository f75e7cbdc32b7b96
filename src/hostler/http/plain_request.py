"""A request whose head is plain, as one value: what is known of it, and the bytes that it came in."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from hostler.http.fields import IDENTITY
from hostler.http.headers import Headers, RawHeaders
from hostler.http.heads import split_lines
from hostler.http.message import Request
from hostler.http.target import Target

if TYPE_CHECKING:
    from types import MemberDescriptorType

__all__ = ["PlainRequest"]

_NAME: Final = itemgetter(0)
_IDENTITY_LINE: Final = re.compile(rb"\r\n(%b):([^\r]*)" % b"|".join(sorted(IDENTITY)), re.IGNORECASE)
"""A line of `IDENTITY`."""


class _Facts(NamedTuple):
    """What `read_request` returns of a head, and the head itself."""

    method: str
    raw_target: bytes
    path: str
    """The target's path: nothing in it is to be decoded."""

    query: bytes | None
    host: bytes
    framing: int
    """The body's length in bytes, or CHUNKED."""

    keep_alive: bool
    kept: bytes
    """The lines that are passed on, each with CRLF."""

    size: int
    head: bytes
    """Its own bytes, `size` of them; an exchange keeps no others of the read that they came with."""


class PlainRequest(_Facts):
    """A request's plain head (`hostler.http.heads.read_request`), passed on as bytes.

    It takes the place of a `Request` and a `Target` until somebody asks for those.
    """

    __slots__ = ()

    def __new__(
        cls, data: bytes, facts: tuple[str, bytes, str, bytes | None, bytes, int, bool, bytes, int]
    ) -> Self:
        """Keep the head at the front of `data`, and what `read_request` returned of it."""
        size = facts[8]
        made: Self = tuple.__new__(cls, (*facts, data if size == len(data) else data[:size]))
        return made

    def __getnewargs__(self) -> tuple[bytes, tuple[object, ...]]:
        """Return what it is made of, for `copy` and `pickle`."""
        return self.head, self[:9]

    # what no plain head has
    version: Final = 11
    expect_continue: Final = False
    upgrade: Final = None

    @property
    def lines(self) -> bytes:
        """Its header lines, as they came."""
        return self.head[self.head.index(b"\n") + 1 : -2]

    @property
    def raw_path(self) -> bytes:
        """Its target without the query."""
        query = self.query
        return self.raw_target if query is None else self.raw_target[: -1 - len(query)]

    def get_raw(self, name: bytes) -> bytes | None:
        """Return the first value of a header, given in lower case, or None."""
        head = self.head
        at = head.lower().find(b"\n%b:" % name)
        if at < 0:
            return None
        at += len(name) + 2
        return head[at : head.index(b"\r", at)].strip(b" \t")

    def get_all_raw(self, name: bytes) -> list[bytes]:
        """Return every value of a header, given in lower case, one per line, in order."""
        head, start = self.head, b"\n%b:" % name
        lowered = head.lower()
        values = []
        at = lowered.find(start)
        while at >= 0:
            end = head.index(b"\r", at)
            values.append(head[at + len(start) : end].strip(b" \t"))
            at = lowered.find(start, end)
        return values

    def without_identity(self) -> tuple[Self, RawHeaders]:
        """Return it without the fields of `IDENTITY`, which are not among the kept lines, and these (name, value).

        The values have the space around them that they came with.
        """
        parts = _IDENTITY_LINE.split(
            self.head
        )  # what is between them, name, value, what is between them, ...
        if len(parts) == 1:
            return self, []
        head = b"".join(parts[::3])
        made: Self = tuple.__new__(type(self), (*self[:8], len(head), head))
        return made, list(zip(parts[1::3], parts[2::3], strict=True))

    def request(self) -> Request:
        """Return it as a request like any other."""
        method, target, _, _, host, framing, keep_alive, _, _, _ = self
        return Request(method, target, _PlainHeaders(self), 11, framing, host, keep_alive)

    def parsed_target(self) -> Target:
        """Return its target, as `parse_target` would."""
        return Target(self.path, self.query, None, self.raw_path, self.raw_path)

    def stands_for(self, request: Request | None, target: Target | None) -> bool:
        """Whether a request and a target that were made of it, and may have been changed since, still say the same."""
        method, raw_target, _, _, host, framing, _, _, _, _ = self
        if request is not None and (
            request.headers.changed
            or request.method != method
            or request.target != raw_target
            or request.host != host
            or request.framing != framing
            or request.upgrade is not None
        ):
            return False
        return target is None or (target.query == self.query and target.forward_path == self.raw_path)


# where headers keep their two forms
_RAW: Final[MemberDescriptorType] = vars(Headers)["_raw"]
_LINES: Final[MemberDescriptorType] = vars(Headers)["lines"]


class _PlainHeaders(Headers):
    """The headers of a plain head: single values are found in its bytes, and the rest is cut out of them when asked for."""

    __slots__ = ("_plain",)

    def __init__(self, plain: PlainRequest) -> None:
        # the two forms that headers have are made when somebody looks at one
        self._plain: PlainRequest | None = plain
        self.changed = False

    def _split(self) -> None:
        plain = self._plain
        if plain is None:
            return
        self._plain = None
        block = plain.lines
        pairs = split_lines(block, True)
        lines = dict(
            zip(map(_NAME, pairs), block.split(b"\r\n"), strict=False)
        )  # what follows the last CRLF is none
        if len(lines) == len(pairs):
            self._raw, self.lines = None, lines
        else:  # a name is on several lines
            self._raw, self.lines = split_lines(block, False), None

    @property
    def _raw(self) -> RawHeaders | None:
        self._split()
        raw: RawHeaders | None = _RAW.__get__(self)
        return raw

    @_raw.setter
    def _raw(self, raw: RawHeaders | None) -> None:
        _RAW.__set__(self, raw)

    @property
    def lines(self) -> dict[bytes, bytes] | None:
        """The lines as they stand on the wire, by lower-case name; None where a name is on several, or was changed."""
        self._split()
        lines: dict[bytes, bytes] | None = _LINES.__get__(self)
        return lines

    @lines.setter
    def lines(self, lines: dict[bytes, bytes] | None) -> None:
        _LINES.__set__(self, lines)

    def get_raw(self, name: bytes) -> bytes | None:
        """Return the first value of `name` (given in lower case), or None."""
        plain = self._plain
        return Headers.get_raw(self, name) if plain is None else plain.get_raw(name)

    def get_all_raw(self, name: bytes) -> list[bytes]:
        """Return every value of `name` (given in lower case), one per header line, in order."""
        plain = self._plain
        return Headers.get_all_raw(self, name) if plain is None else plain.get_all_raw(name)
