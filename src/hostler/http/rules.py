"""What hostler checks itself: Host, framing, hop-by-hop headers, limits.

llhttp (under httptools) is strict about the grammar, and rejects a request's Content-Length beside Transfer-Encoding,
repeated Content-Length and Transfer-Encoding that does not end in `chunked`. It has no opinion about Host, about
HTTP/1.0 with Transfer-Encoding, about codings other than `chunked`, or about sizes. Those rules are here; and those on
which framing hangs are here a second time, so that they hold whatever read the head.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.errors import ProtocolError
from hostler.http.message import CHUNKED, UNTIL_CLOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hostler.http.message import Request, Response

__all__ = [
    "HOP_BY_HOP",
    "Limits",
    "check_response_framing",
    "connection_options",
    "frame_request",
    "frame_response",
    "has_token",
]

HOP_BY_HOP: Final = frozenset({
    b"connection", b"transfer-encoding", b"keep-alive", b"upgrade", b"proxy-connection", b"proxy-authenticate",
    b"proxy-authentication-info", b"proxy-authorization", b"proxy-features", b"proxy-instruction",
    b"security-scheme", b"alpn", b"close", b"http2-settings", b"upgrade-insecure-requests", b"te", b"alt-svc",
})  # fmt: skip
"""Headers that are never forwarded, in either direction, in lower case (YARP; RFC 9110 7.6.1)."""


_NONE: Final[frozenset[bytes]] = frozenset()


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


@lru_cache(maxsize=256)
def connection_options(value: bytes) -> frozenset[bytes]:
    """Return the options in a Connection header, in lower case (RFC 9110 7.6.1)."""
    return frozenset(option for part in value.lower().split(b",") if (option := part.strip()))


def frame_request(request: Request) -> None:
    """Apply the rules of RFC 9112 3.2, 6 and 9.3 to a parsed head: fill in Host, framing, keep-alive, upgrade.

    Raises ProtocolError with the status that the client gets.
    """
    headers, version = request.headers, request.version
    named: Collection[bytes]
    get: Callable[[bytes], bytes | None]
    if headers.lines is not None:
        get, named, repeated = headers.get_raw, headers.lines, _NONE
    else:
        values, repeated = headers.index()
        get, named = values.get, values
    host = request.host = get(b"host")
    if host is None:
        if version >= 11:
            raise ProtocolError("no Host header")
    elif b"host" in repeated:
        raise ProtocolError("several Host headers")
    if b"content-length" in named or b"transfer-encoding" in named:
        request.framing = _request_framing(
            get(b"content-length"), get(b"transfer-encoding"), version, repeated
        )
    if b"connection" in named:
        options = connection_options(get(b"connection") or b"")
        request.keep_alive = _keep_alive(version, options)
        if version >= 11 and b"upgrade" in options:
            request.upgrade = get(b"upgrade")
    else:
        request.keep_alive = version >= 11
    if b"expect" in named:
        request.expect_continue = version >= 11 and (get(b"expect") or b"").lower() == b"100-continue"


def _request_framing(
    length: bytes | None, coding: bytes | None, version: int, repeated: frozenset[bytes]
) -> int:
    if b"content-length" in repeated:
        raise ProtocolError("Content-Length is repeated")
    if coding is None:
        return _content_length(length or b"")
    if length is not None:
        raise ProtocolError("Content-Length beside Transfer-Encoding")
    if version < 11:
        raise ProtocolError("Transfer-Encoding in HTTP/1.0")
    if coding.lower() != b"chunked":
        raise _coding_error(coding)
    return CHUNKED


def frame_response(response: Response, request_method: str) -> None:
    """Apply RFC 9112 6.3 to a parsed response head: fill in framing and keep-alive.

    A Content-Length beside Transfer-Encoding is taken out of the head (RFC 9112 6.3, rule 3; YARP), and the connection
    is not trusted with another request.

    Raises ProtocolError when the destination's framing cannot be trusted.
    """
    headers, version, status = response.headers, response.version, response.status
    get: Callable[[bytes], bytes | None]
    repeated = _NONE
    if headers.lines is not None:
        get = headers.get_raw
    else:
        values, repeated = headers.index()
        get = values.get
    named: Collection[bytes] = headers.lines if headers.lines is not None else values
    coding = get(b"transfer-encoding") if b"transfer-encoding" in named else None
    size = _response_size(get(b"content-length"), repeated) if b"content-length" in named else None
    connection = get(b"connection") if b"connection" in named else None
    if connection is None:
        response.keep_alive = version >= 11
    else:
        response.keep_alive = _keep_alive(version, connection_options(connection))
    if coding is not None:
        if coding.lower() != b"chunked":
            raise ProtocolError("the response's Transfer-Encoding is not chunked")
        if size is not None:
            response.headers.remove(b"content-length")
            response.keep_alive = False
    if request_method == "HEAD" or status < 200 or status in {204, 304}:
        response.framing = 0
    elif coding is not None:
        if version < 11:
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 response")
        response.framing = CHUNKED
    elif size is not None:
        response.framing = size
    else:
        response.framing = UNTIL_CLOSE
        response.keep_alive = False


def check_response_framing(response: Response, request_method: str) -> None:
    """Refuse a response to a client whose headers say something else about its body than `framing` does.

    Raises ProtocolError (500).
    """
    if b"transfer-encoding" in response.headers:
        raise ProtocolError("Transfer-Encoding is the server's to set: give the length, or none", 500)
    lengths = response.headers.get_all_raw(b"content-length")
    if not lengths:
        return
    bare = request_method == "HEAD" or response.status in {101, 204, 304}
    if len(lengths) != 1 or not lengths[0].isdigit() or not (bare or int(lengths[0]) == response.framing):
        known = f"{response.framing} bytes long" if response.framing >= 0 else "of no known length"
        raise ProtocolError(f"Content-Length is {b', '.join(lengths)!r}, and the body is {known}", 500)


def _response_size(length: bytes | None, repeated: frozenset[bytes]) -> int | None:
    if b"content-length" in repeated:
        raise ProtocolError("the response's Content-Length is repeated")
    return None if length is None else _content_length(length)


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


def _keep_alive(version: int, options: frozenset[bytes]) -> bool:
    if b"close" in options:
        return False
    return version >= 11 or b"keep-alive" in options
