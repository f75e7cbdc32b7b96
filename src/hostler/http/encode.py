"""HTTP/1.1 heads, written (RFC 9112): values in, bytes out.

What comes from an application, a stage or another protocol is checked here, so that nothing smuggles a line in; header
lines that `hostler.http.h1` has read are known to be well-formed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.errors import ProtocolError
from hostler.http.fields import TOKEN
from hostler.http.message import CHUNKED, Request, reason_phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.http.headers import RawHeaders

__all__ = [
    "STATUS_LINES",
    "check_lines",
    "check_name",
    "encode_header_lines",
    "encode_lines",
    "encode_rejection",
    "encode_request",
    "encode_response",
    "rejection_body",
]

_VISIBLE: Final = bytes(range(0x21, 0x7F))
_KNOWN: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_PLAIN_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")

_names: Final[set[bytes]] = set()
"""Header names that have been seen to be tokens: looking one up is cheaper than looking at its letters."""

_MAX_NAMES: Final = 4096


def check_name(name: bytes) -> None:
    """Refuse a header name that is not a token (RFC 9110 5.1): raises ProtocolError; remember one that is."""
    if name in _names:
        return
    if not name or name.translate(None, TOKEN):
        raise ProtocolError(f"{name!r} is not a header name")
    if len(_names) < _MAX_NAMES:
        _names.add(name)


def check_lines(block: bytes, ends: int) -> None:
    """Refuse header lines in which more than their `ends` line ends are: raises ProtocolError.

    One count proves that nothing smuggles a line in.
    """
    if block.count(b"\n") != ends or block.count(b"\r") != ends or b"\0" in block:
        raise ProtocolError("a header holds CR, LF or NUL")


def encode_header_lines(raw: RawHeaders) -> bytes:
    """Write headers alone, each line ended by CRLF; raises ProtocolError for one that is none."""
    for name, _ in raw:
        check_name(name)
    block = b"".join([b"%s: %s\r\n" % pair for pair in raw])
    check_lines(block, len(raw))
    return block


def encode_lines(first: bytes, raw: RawHeaders, lines: Iterable[bytes] = ()) -> bytes:
    """Write a first line, `lines` that are known to be well-formed, and headers, and the empty line.

    Raises ProtocolError when a header would break the message.
    """
    if not raw:
        return b"\r\n".join([first, *lines, b"\r\n"])
    for name, _ in raw:
        if name not in _names:
            check_name(name)
    added = b"\r\n".join([b"", *map(b": ".join, raw)])
    check_lines(added, len(raw))
    return b"\r\n".join([first, *lines]) + added + b"\r\n\r\n"


def encode_request(request: Request) -> bytes:
    """Write a request's head.

    Transfer-Encoding and Upgrade (with Connection) are written from `framing` and `upgrade` where the headers do not
    have them. Raises ProtocolError when the method, the target or a header would break the message.
    """
    method, target, headers = request.method, request.target, request.headers
    if method not in _KNOWN and (
        not method or not method.isascii() or method.encode("ascii").translate(None, TOKEN)
    ):
        raise ProtocolError(f"{method!r} is not a method")
    if not target or target.translate(None, _VISIBLE):
        raise ProtocolError(f"{target!r} is not a request target")
    first = b"%s %s HTTP/1.%d" % (method.encode("ascii"), target, request.version - 10)
    lines = headers.lines
    raw = [] if lines is not None else headers.pairs()
    if request.framing == CHUNKED and b"transfer-encoding" not in headers:
        raw = [*raw, (b"Transfer-Encoding", b"chunked")]
    if request.upgrade is not None and b"upgrade" not in headers:
        raw = [*raw, (b"Connection", b"Upgrade"), (b"Upgrade", request.upgrade)]
    if lines is None:
        return encode_lines(first, raw)
    if raw:
        return encode_lines(first, raw, lines.values())
    return b"\r\n".join([first, *lines.values(), b"\r\n"])


STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s" % (status, reason_phrase(status)) for status in range(100, 600)
}
"""The first lines of responses, without CRLF."""


def encode_response(
    status: int, raw: RawHeaders, reason: bytes | None = None, lines: Iterable[bytes] = ()
) -> bytes:
    """Write a response head, with `lines` that are known to be well-formed in front of the headers.

    Raises ProtocolError when the status, the reason or a header would break it.
    """
    first = STATUS_LINES.get(status)
    if first is None or (reason is not None and first[13:] != reason):
        if not 100 <= status <= 999:
            raise ProtocolError(f"{status} is not a status")
        reason = reason or b""
        if b"\r" in reason or b"\n" in reason or b"\0" in reason:
            raise ProtocolError("the reason phrase holds CR, LF or NUL")
        first = b"HTTP/1.1 %d %s" % (status, reason)
    return encode_lines(first, raw, lines)


def encode_rejection(status: int, text: str = "") -> bytes:
    """Write the whole answer to what is no request, after which the connection ends; `text` says more than the status."""
    body = rejection_body(status, text)
    length = (b"content-length", b"%d" % len(body))
    return encode_response(status, [_PLAIN_TEXT, length, (b"connection", b"close")]) + body


def rejection_body(status: int, text: str = "") -> bytes:
    """Return the body of the answer to what is no request."""
    return b"%d %s\n" % (status, reason_phrase(status)) + (b"%s\n" % text.encode("ascii") if text else b"")
