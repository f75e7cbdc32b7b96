"""What is wrong with a head, in words for whoever reads the log: which line, and which character.

Only what `hostler.http.h1` has refused comes here. Values are not shown: they may be secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hostler.errors import ProtocolError
from hostler.http.fields import TEXT_PATTERN, TOKEN_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["header_error", "request_line_error", "status_line_error"]

_TOKEN: Final = re.compile(rb"%b*" % TOKEN_PATTERN)
_VISIBLE: Final = re.compile(rb"[!-~]*")
_NO_TEXT: Final = re.compile(rb"(?!%b)(?s:.)" % TEXT_PATTERN)
_TLS: Final = b"\x16\x03"
"""What a TLS handshake begins with (RFC 8446 5.1)."""

_OTHER_VERSION: Final = re.compile(rb"%b+ [!-~]+ (HTTP/[0-9]\.[0-9])" % TOKEN_PATTERN)
_STATUS: Final = re.compile(rb" [1-9][0-9][0-9](?![^ ])")
_NAMES: Final = {
    0x00: "NUL",
    0x09: "a tab",
    0x0A: "a bare LF",
    0x0D: "a bare CR",
    0x20: "a space",
    0x7F: "DEL",
}
_SHOWN: Final = 40
"""Characters of a name that are shown."""


def header_error(lines: Iterable[bytes], first: int = 1, section: str = "header") -> ProtocolError:
    """Return what is wrong with the first malformed one of `lines`, which are counted from `first` on."""
    for number, line in enumerate(lines, first):
        name = _match(_TOKEN, line)
        if (problem := _header_problem(line, len(name))) is not None:
            shown = f" ({name[:_SHOWN].decode('ascii')})" if name else ""
            return ProtocolError(f"{section} line {number}{shown} {problem}")
    raise AssertionError("every line is well-formed")


def _header_problem(line: bytes, at: int) -> str | None:
    """Return what is wrong with a header line whose name ends `at`, or None when nothing is."""
    rest = line[at:]
    if rest[:1] == b":":
        if not at:
            return "has no name"
        found = _NO_TEXT.search(rest)
        return None if found is None else f"holds {_character(rest, found.start())}"
    if not rest:
        return "has no colon"
    blank = rest[:1] in {b" ", b"\t"}
    if blank and not at:
        return "begins with a blank: folded lines are obsolete"
    if blank and rest.lstrip(b" \t")[:1] == b":":
        return "has a blank before its colon"
    return f"has {_character(rest, 0)} in its name"


def request_line_error(line: bytes) -> ProtocolError:
    """Return what is wrong with a request line: 505 where it is another version of HTTP, else 400."""
    if line.startswith(_TLS):
        return ProtocolError(
            "the request line is a TLS handshake, and this port is for plain HTTP: ask for http://, or listen on https://"
        )
    other = _OTHER_VERSION.fullmatch(line)
    if other is not None:
        return ProtocolError(f"the version is {other[1].decode('ascii')}, not HTTP/1.1 or HTTP/1.0", 505)
    return ProtocolError(f"{_request_line_problem(line)}: a request line is `METHOD target HTTP/1.1`")


def _request_line_problem(line: bytes) -> str:
    position = 0
    for part, pattern in (("method", _TOKEN), ("target", _VISIBLE)):
        size = len(_match(pattern, line, position))
        after = position + size
        if after == len(line):
            return f"the request line ends in its {part}" if size else f"the request line has no {part}"
        if not size:
            return f"the request line has {_character(line, after)} where its {part} should begin"
        if line[after] != 0x20:
            return f"the request line has {_character(line, after)} in its {part}"
        position = after + 1
    return f"the request line ends in {line[position : position + _SHOWN]!r}"


def status_line_error(line: bytes) -> ProtocolError:
    """Return what is wrong with a status line."""
    if line[:8] not in {b"HTTP/1.1", b"HTTP/1.0"}:
        return ProtocolError(f"the destination does not answer in HTTP/1.1: its answer begins {line[:8]!r}")
    if _STATUS.match(line, 8) is None:
        return ProtocolError(
            f"the destination's status line has {line[8:13]!r} where a space and a status from 100 to 999 should be"
        )
    found = _NO_TEXT.search(line, 12)
    assert found is not None
    return ProtocolError(f"the destination's reason phrase holds {_character(line, found.start())}")


def _match(pattern: re.Pattern[bytes], line: bytes, start: int = 0) -> bytes:
    """Return what `pattern`, which matches anywhere, matches at `start`."""
    found = pattern.match(line, start)
    assert found is not None
    return found[0]


def _character(line: bytes, at: int) -> str:
    byte = line[at]
    return _NAMES.get(byte) or (repr(chr(byte)) if 0x20 < byte < 0x7F else f"the byte {byte:02X}")
