"""Plain heads of HTTP/1.1 in Python: the twin of _heads.c, and what says what both do.

A plain head has nothing unusual in it, so that it is taken in and passed on as bytes, without being cut into names
and values. `read_request` and `read_response` take the head at the front of some bytes, and return what has to be known
of it and the lines that are passed on. `split_lines` and `write_lines` are for whoever has headers as pairs, or wants
them.

None is no error. It says that a head is not plain, or not whole yet, and that the ordinary readers of `h1` are to
judge it, so that there is one place where heads are refused. What is plain here means the same there, to the byte.

Rules for whoever changes this file: both twins return the same for any input (tests/http/test_heads_properties.py and
fuzz_heads.py). No pattern goes back over what it has read more than once, so that time is linear in the bytes
(test_heads_cost.py); none takes more lines than the limit, or has possessive repeats or atomic groups, which match
wrongly before Python 3.11.5.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from hostler.http.fields import HOP_BY_HOP, IDENTITY
from hostler.http.message import CHUNKED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.http.headers import RawHeaders

__all__ = [
    "DROPPED_FROM_REQUESTS",
    "DROPPED_FROM_RESPONSES",
    "read_request",
    "read_response",
    "split_lines",
    "write_lines",
]

_UNUSUAL: Final = frozenset({b"expect", b"upgrade"})
"""Fields with which a request is not plain."""

DROPPED_FROM_REQUESTS: Final = (HOP_BY_HOP | IDENTITY | {b"host"}) - _UNUSUAL
"""The fields of a plain request that no destination gets as they came, in lower case."""

DROPPED_FROM_RESPONSES: Final = HOP_BY_HOP
"""The fields of a plain response that no client gets, in lower case."""


def _any_of(names: Iterable[bytes]) -> bytes:
    """Return a pattern for `names` that looks at a name's first letter only once."""
    by_letter: dict[bytes, list[bytes]] = {}
    for name in sorted(names):
        by_letter.setdefault(name[:1], []).append(re.escape(name[1:]))
    return b"|".join(b"%b(?:%b)" % (letter, b"|".join(rests)) for letter, rests in by_letter.items())


_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_TEXT: Final = rb"[\t -~\x80-\xff]"
_HOST_FIRST: Final = rb"(?:[Hh]ost: ([!-~]+)\r\n)?"
"""Where nearly every client writes Host, and how: it need not be looked for then."""

_SEGMENT: Final = rb"[!$&'()*+,\-0-9:;=@A-Z_a-z~][!$&'()*+,\-.0-9:;=@A-Z_a-z~]*"
"""A segment of a path that a destination gets as it is (`target._PATH`), and that no dot begins."""

_TARGET: Final = rb"((?=/)((?:/%b)*/?)(?:\?([!\"$-~]*))?)" % _SEGMENT
"""A target, its path, and its query."""


@lru_cache(maxsize=64)
def _requests(max_headers: int) -> re.Pattern[bytes]:
    """Return a pattern for plain requests; it takes one line more than `max_headers` when Host is the first."""
    first = rb"(?!CONNECT )(%b{1,32}) %b HTTP/1\.1\r\n" % (_TOKEN, _TARGET)
    return re.compile(first + _HOST_FIRST + _lines(max_headers))


@lru_cache(maxsize=64)
def _responses(max_headers: int) -> re.Pattern[bytes]:
    """Return a pattern for plain responses."""
    return re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) %b{1,128}\r\n" % _TEXT + _lines(max_headers))


def _lines(most: int) -> bytes:
    """Return a pattern for at most so many lines, and the empty one; more than 2**30 fit no head."""
    return rb"((?:%b+:%b*\r\n){0,%d})\r\n" % (_TOKEN, _TEXT, max(0, min(most, 1 << 30)))


_IN_REQUESTS: Final = re.compile(
    rb"\n(%b):[ \t]*([^\r]*)" % _any_of(DROPPED_FROM_REQUESTS | _UNUSUAL | {b"content-length"})
)
_IN_RESPONSES: Final = re.compile(
    rb"\n(%b):[ \t]*([^\r]*)" % _any_of(DROPPED_FROM_RESPONSES | {b"content-length"})
)
"""Which lines of a head in lower case are more to a proxy than bytes."""

_KEEP_ALIVE: Final = {b"keep-alive": True, b"close": False}
_NO_LENGTH: Final = -2
_MOST_DIGITS: Final = 18
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}
_BODILESS: Final = frozenset({b"204", b"205", b"304"})


def read_request(
    data: bytes, max_head: int, max_line: int, max_headers: int, /
) -> tuple[str, bytes, str, bytes | None, bytes, int, bool, bytes, int] | None:
    """Read the request head at the front of `data`; what follows it is not looked at.

    Returns the method, the target, its path, its query without the `?` (None when there is no `?`), Host, the body's
    framing (its length, 0 without a body, or CHUNKED), whether the connection stays open, the lines that a destination
    gets as they came, each with CRLF, and how many bytes the head has.

    Plain is an origin-form target with a path that needs no decoding and has neither `//` nor `/.`; a method of at most
    32 bytes, but not CONNECT; HTTP/1.1; one Host that is not empty; at most one Content-Length, or one
    Transfer-Encoding that is `chunked`; at most one Connection, which is `close` or `keep-alive`; no Expect and no
    Upgrade; at most `max_head` bytes, `max_line` bytes in the request line, and `max_headers` lines after it.
    """
    found = _requests(max_headers).match(data, 0, max_head)
    if found is None or found.end(2) + 9 > max_line:
        return None
    method, target, path, query, host = found.group(1, 2, 3, 4, 5)
    start, end = found.span(6)
    if host is not None and _has_more_lines(data, start, end, max_headers - 1):
        return None
    facts = _survey(_IN_REQUESTS, data, start, end, start, host)
    if facts is None:
        return None
    host, framing, keep_alive, _, kept = facts
    if host is None:
        return None
    return (
        _METHODS.get(method) or method.decode("ascii"),
        target,
        path.decode("ascii"),
        query,
        host,
        0 if framing == _NO_LENGTH else framing,
        keep_alive,
        kept,
        end + 2,
    )


def read_response(
    data: bytes, max_head: int, max_headers: int, /
) -> tuple[int, int, bool, bytes, bool, int] | None:
    """Read the response head at the front of `data`, to a request that was not HEAD; what follows it is not looked at.

    Returns the status, the body's framing (its length, or CHUNKED), whether the connection stays open, the status line
    and the lines that a client gets as they came, each with CRLF, whether Date is among them, and how many bytes the
    head has.

    Plain is HTTP/1.1; a status from 200 to 599 with which a body can come; a reason of 1 to 128 bytes; one
    Content-Length, or one Transfer-Encoding that is `chunked`; at most one Connection, which is `close` or
    `keep-alive`; at most `max_head` bytes, and `max_headers` lines after the status line.
    """
    found = _responses(max_headers).match(data, 0, max_head)
    if found is None or found[1] in _BODILESS:
        return None
    start, end = found.span(2)
    facts = _survey(_IN_RESPONSES, data, start, end, 0)
    if facts is None:
        return None
    _, framing, keep_alive, has_date, block = facts
    if framing == _NO_LENGTH:
        return None
    return int(found[1]), framing, keep_alive, block, has_date, end + 2


def _has_more_lines(data: bytes, start: int, end: int, most: int) -> bool:
    # no line is shorter than `A:` and its CRLF, so that they need not be counted in most heads
    return end - start > 4 * most and data.count(b"\n", start, end) > most


def _survey(
    telling: re.Pattern[bytes], data: bytes, start: int, end: int, first: int, host: bytes | None = None
) -> tuple[bytes | None, int, bool, bool, bytes] | None:
    """Survey the well-formed header lines from `start` to `end`; None when they are not plain.

    Returns Host, which may have been read before; the framing; whether the connection stays open; whether there is a
    Date in a response; and what is passed on of the bytes from `first` to `end`.
    """
    before = start - 1
    lowered = data[before:end].lower()
    kept = []
    framing, keep_alive = _NO_LENGTH, None
    for field in telling.finditer(lowered):
        name, value = field.groups()
        if name == b"content-length":
            value = value.rstrip(b" \t")
            if framing != _NO_LENGTH or not value.isdigit() or len(value) > _MOST_DIGITS:
                return None
            framing = int(value)
            continue
        if name == b"connection":
            if keep_alive is not None or (keep_alive := _KEEP_ALIVE.get(value.rstrip(b" \t"))) is None:
                return None
        elif name == b"host":
            value = data[before + field.start(2) : before + field.end()].rstrip(b" \t")
            if host is not None or not value:
                return None
            host = value
        elif name == b"transfer-encoding":
            value = data[before + field.start(2) : before + field.end()].rstrip(b" \t")
            if framing != _NO_LENGTH or value != b"chunked":
                return None
            framing = CHUNKED
        elif name in _UNUSUAL and telling is _IN_REQUESTS:
            return None
        line, line_end = field.span()
        kept.append(data[first : start + line])
        first = start + line_end + 1
    kept.append(data[first:end])
    block = b"".join(kept) if len(kept) > 1 else kept[0]
    has_date = telling is _IN_RESPONSES and b"\ndate:" in lowered
    return host, framing, keep_alive is not False, has_date, block


_PLAIN, _DATE, _LENGTH, _UNFIT = range(1, 5)
_names: Final[dict[bytes, int]] = {}
"""What names that have been seen mean to `write_lines`: looking one up is cheaper than looking at its letters."""

_MAX_NAMES: Final = 4096
_NAME: Final = re.compile(rb"%b+" % _TOKEN)
_LEGAL: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_MEANINGS: Final = dict.fromkeys(HOP_BY_HOP, _UNFIT) | {b"date": _DATE, b"content-length": _LENGTH}


def split_lines(block: bytes, lower: bool, /) -> RawHeaders:
    """Cut well-formed header lines, each ended by CRLF, into names and values; names in lower case if `lower`.

    What follows the last CRLF is left out; a line without a colon is all name.
    """
    lines = [line.partition(b":") for line in block.split(b"\r\n")[:-1]]
    if lower:
        return [(name.lower(), value.strip(b" \t")) for name, _, value in lines]
    return [(name, value.strip(b" \t")) for name, _, value in lines]


def write_lines(raw: RawHeaders, /) -> tuple[bytes, int, bool] | None:
    """Write headers as lines, each ended by CRLF; None when one is not plain, or `raw` is no list.

    Returns the lines, what Content-Length says (-1 without one), and whether there is a Date.

    Plain is a tuple of two bytes objects: a token, and a value without control characters; nothing that concerns one
    connection only (`fields.HOP_BY_HOP`); at most one Content-Length, which is a number.
    """
    if type(raw) is not list:
        return None
    length, has_date = -1, False
    pair: Any  # whatever an application made of the list
    for pair in raw:
        if (
            type(pair) is not tuple
            or len(pair) != 2
            or type(pair[0]) is not bytes
            or type(pair[1]) is not bytes
        ):
            return None
        name, value = pair
        meaning = _names.get(name) or _meaning(name)
        if meaning == _PLAIN:
            continue
        if meaning == _DATE:
            has_date = True
        elif meaning == _LENGTH and length < 0 and value.isdigit() and len(value) <= _MOST_DIGITS:
            length = int(value)
        else:
            return None
    block = b"".join([b"%b: %b\r\n" % pair for pair in raw])
    if block.translate(None, _LEGAL) != b"\r\n" * len(raw):
        return None
    return block, length, has_date


def _meaning(name: bytes) -> int:
    meaning = _MEANINGS.get(name.lower(), _PLAIN) if _NAME.fullmatch(name) else _UNFIT
    if len(_names) < _MAX_NAMES:
        _names[name] = meaning
    return meaning
