"""What hostler checks itself: Host, framing, hop-by-hop headers, limits.

llhttp (under httptools) is strict about the grammar, and rejects Content-Length beside Transfer-Encoding, repeated
Content-Length and Transfer-Encoding that does not end in `chunked`. It has no opinion about Host, about HTTP/1.0
with Transfer-Encoding, about codings other than `chunked`, or about sizes. Those rules are here.
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


def frame_request(request: Request) -> None:
    """Apply the rules of RFC 9112 3.2, 6 and 9.3 to a parsed head: fill in Host, framing, keep-alive, upgrade.

    Raises ProtocolError with the status that the client gets.
    """
    raw = request.headers.raw
    hosts = 0
    options: frozenset[bytes] | None = None
    offered: bytes | None = None
    coded = sized = False
    for name, value in raw:
        key = name.lower()
        if key not in _FRAMED:
            continue
        if key == b"host":
            hosts += 1
            request.host = value
        elif key == b"content-length":
            request.framing, sized = _content_length(value), True
        elif key == b"transfer-encoding":
            if coded or request.version < 11:
                raise ProtocolError("Transfer-Encoding in HTTP/1.0, or repeated")
            if value.lower() != b"chunked":
                raise ProtocolError("Transfer-Encoding is not chunked", 501)
            coded = True
        elif key == b"connection":
            options = options or connection_options(raw)
        elif key == b"expect":
            request.expect_continue = request.version >= 11 and value.lower() == b"100-continue"
        else:
            offered = value if offered is None else offered + b", " + value
    if hosts != 1 and (hosts > 1 or request.version >= 11):
        raise ProtocolError("no Host header" if not hosts else "several Host headers")
    if coded:
        if sized:
            raise ProtocolError("Content-Length beside Transfer-Encoding")
        request.framing = CHUNKED
    request.keep_alive = _keep_alive(request.version, options)
    if offered is not None and options and b"upgrade" in options and request.version >= 11:
        request.upgrade = offered


def frame_response(response: Response, request_method: str) -> None:
    """Apply RFC 9112 6.3 to a parsed response head: fill in framing and keep-alive.

    Raises ProtocolError when the destination's framing cannot be trusted.
    """
    length: int | None = None
    chunked = False
    options: frozenset[bytes] | None = None
    for name, value in response.headers.raw:
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            length = _content_length(value)
        elif size == 17 and name.lower() == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise ProtocolError("the response's Transfer-Encoding is not chunked")
            chunked = True
        elif size == 10 and name.lower() == b"connection":
            options = options or connection_options(response.headers.raw)
    response.keep_alive = _keep_alive(response.version, options)
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
    if not value.isdigit() or len(value) > 19:
        raise ProtocolError("Content-Length is not a number")
    return int(value)


def _keep_alive(version: int, options: frozenset[bytes] | None) -> bool:
    if options is None:
        return version >= 11
    if b"close" in options:
        return False
    return version >= 11 or b"keep-alive" in options
