"""What hostler checks itself: Host, framing, hop-by-hop headers, limits.

llhttp (under httptools) is strict about the grammar, and rejects a request's Content-Length beside Transfer-Encoding,
repeated Content-Length and Transfer-Encoding that does not end in `chunked`. It has no opinion about Host, about
HTTP/1.0 with Transfer-Encoding, about codings other than `chunked`, or about sizes. Those rules are here; and those on
which framing hangs are here a second time, so that they hold whatever read the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.errors import ProtocolError
from hostler.http.message import CHUNKED, UNTIL_CLOSE

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = ["HOP_BY_HOP", "Limits", "connection_options", "frame_request", "frame_response", "has_token"]

HOP_BY_HOP: Final = frozenset({
    b"connection", b"transfer-encoding", b"keep-alive", b"upgrade", b"proxy-connection", b"proxy-authenticate",
    b"proxy-authentication-info", b"proxy-authorization", b"proxy-features", b"proxy-instruction",
    b"security-scheme", b"alpn", b"close", b"http2-settings", b"upgrade-insecure-requests", b"te", b"alt-svc",
})  # fmt: skip
"""Headers that are never forwarded, in either direction, in lower case (YARP; RFC 9110 7.6.1)."""


@frozen
class Limits:
    """How large a request's head may be."""

    request_line: int = 8192
    """Bytes of method, target and version; more is 414."""

    head: int = 32768
    """Bytes of the whole head; more is 431."""

    headers: int = 100
    """Header lines; more is 431."""

    trailers: int = 8192
    """Bytes of a chunked body's trailer section; more ends the exchange."""


def has_token(value: bytes, token: bytes) -> bool:
    """Whether a comma-separated header value contains `token` (given in lower case)."""
    lowered = value.lower()
    if lowered == token:
        return True
    return token in lowered and any(part.strip() == token for part in lowered.split(b","))


def connection_options(raw: RawHeaders) -> frozenset[bytes]:
    """Return the options of every Connection header, in lower case (RFC 9110 7.6.1)."""
    values = [value.lower() for name, value in raw if len(name) == 10 and name.lower() == b"connection"]
    return frozenset(option for value in values for part in value.split(b",") if (option := part.strip()))


_FRAMED: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}
)
_FRAMED_SIZES: Final = frozenset(map(len, _FRAMED))


def frame_request(request: Request) -> None:
    """Apply the rules of RFC 9112 3.2, 6 and 9.3 to a parsed head: fill in Host, framing, keep-alive, upgrade.

    Raises ProtocolError with the status that the client gets.
    """
    raw = request.headers.raw
    hosts = 0
    options: frozenset[bytes] | None = None
    offered: bytes | None = None
    coding: bytes | None = None
    sized = False
    for name, value in raw:
        if len(name) not in _FRAMED_SIZES or (key := name.lower()) not in _FRAMED:
            continue
        if key == b"host":
            hosts += 1
            request.host = value
        elif key == b"content-length":
            if sized:
                raise ProtocolError("Content-Length is repeated")
            request.framing, sized = _content_length(value), True
        elif key == b"transfer-encoding":
            coding = value if coding is None else coding + b"," + value
        elif key == b"connection":
            options = options or connection_options(raw)
        elif key == b"expect":
            request.expect_continue = request.version >= 11 and value.lower() == b"100-continue"
        else:
            offered = value if offered is None else offered + b", " + value
    if hosts != 1 and (hosts > 1 or request.version >= 11):
        raise ProtocolError("no Host header" if not hosts else "several Host headers")
    if coding is not None:
        if sized:
            raise ProtocolError("Content-Length beside Transfer-Encoding")
        if request.version < 11:
            raise ProtocolError("Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            raise _coding_error(coding)
        request.framing = CHUNKED
    request.keep_alive = _keep_alive(request.version, options)
    if offered is not None and options and b"upgrade" in options and request.version >= 11:
        request.upgrade = offered


def frame_response(response: Response, request_method: str) -> None:
    """Apply RFC 9112 6.3 to a parsed response head: fill in framing and keep-alive.

    A Content-Length beside Transfer-Encoding is taken out of the head (RFC 9112 6.3, rule 3; YARP), and the connection
    is not trusted with another request.

    Raises ProtocolError when the destination's framing cannot be trusted.
    """
    length: int | None = None
    chunked = False
    options: frozenset[bytes] | None = None
    for name, value in response.headers.raw:
        if len(name) not in _FRAMED_SIZES:
            continue
        key = name.lower()
        if key == b"content-length":
            if length is not None:
                raise ProtocolError("the response's Content-Length is repeated")
            length = _content_length(value)
        elif key == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise ProtocolError("the response's Transfer-Encoding is not chunked")
            chunked = True
        elif key == b"connection":
            options = options or connection_options(response.headers.raw)
    response.keep_alive = _keep_alive(response.version, options)
    if chunked and length is not None:
        response.headers.remove(b"content-length")
        response.keep_alive = False
    status = response.status
    if request_method == "HEAD" or status < 200 or status in {204, 304}:
        response.framing = 0
    elif chunked:
        if response.version < 11:
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 response")
        response.framing = CHUNKED
    elif length is not None:
        response.framing = length
    else:
        response.framing = UNTIL_CLOSE
        response.keep_alive = False


def _content_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise ProtocolError("Content-Length is not a number, or larger than any body")
    return int(value)


def _coding_error(coding: bytes) -> ProtocolError:
    """Return why a request's Transfer-Encoding is refused: 501 for one that could be decoded (RFC 9112 6.1).

    Without a final `chunked`, or with two of them, nobody can tell where the body ends: that is 400 (6.3, rule 4).
    """
    codings = [name.strip() for name in coding.lower().split(b",")]
    if codings[-1] == b"chunked" and codings.count(b"chunked") == 1 and all(codings):
        return ProtocolError("Transfer-Encoding is more than chunked", 501)
    return ProtocolError("Transfer-Encoding does not end in one chunked")


def _keep_alive(version: int, options: frozenset[bytes] | None) -> bool:
    if options is None:
        return version >= 11
    if b"close" in options:
        return False
    return version >= 11 or b"keep-alive" in options
