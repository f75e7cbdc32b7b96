"""How messages are framed: where a body ends, whether the connection lasts, and what Host says (RFC 9112 3.2, 6, 9.3).

Whatever read a head has seen to it that each line is well-formed; what the lines say together is judged here, and only
here: Host, Content-Length, Transfer-Encoding, and both of them side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.errors import ProtocolError
from hostler.http.fields import connection_options
from hostler.http.message import BODILESS, CHUNKED, UNTIL_CLOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hostler.http.message import Request, Response

__all__ = ["check_response_framing", "frame_request", "frame_response", "outgoing_framing"]

_NONE: Final[frozenset[bytes]] = frozenset()


def outgoing_framing(response: Response, request_method: str, version: int) -> int:
    """Return how a response's body goes to the client: its length, CHUNKED, UNTIL_CLOSE or BODILESS.

    `version` is the request's: 10, 11, 20 or 30. Chunks exist in HTTP/1.1 only; in HTTP/2 and 3 it is the stream that
    a body of unknown length ends with.
    """
    if request_method == "HEAD" or response.status in {204, 304}:
        return BODILESS
    if response.framing >= 0:
        return response.framing
    return CHUNKED if version == 11 else UNTIL_CLOSE


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
    if headers.lines is not None:
        get, repeated = headers.get_raw, _NONE
    else:
        values, repeated = headers.index()
        get = values.get
    connection = get(b"connection")
    if connection is None:
        response.keep_alive = version >= 11
    else:
        response.keep_alive = _keep_alive(version, connection_options(connection))
    size, length = UNTIL_CLOSE, get(b"content-length")
    if length is not None:
        if b"content-length" in repeated:
            raise ProtocolError("the response's Content-Length is repeated")
        size = _content_length(length)
    coding = get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked":
            raise ProtocolError("the response's Transfer-Encoding is not chunked")
        if length is not None:
            headers.remove(b"content-length")
            response.keep_alive = False
    if request_method == "HEAD" or status < 200 or status in {204, 304}:
        response.framing = 0
    elif coding is not None:
        if version < 11:
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 response")
        response.framing = CHUNKED
    else:
        response.framing = size
        if length is None:
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
