"""From a scope to an exchange."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from hostler.errors import ProtocolError
from hostler.exchange import Exchange
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request
from hostler.http.target import parse_host, parse_target

if TYPE_CHECKING:
    from hostler.asgi.messages import Scope
    from hostler.contract import Stream

__all__ = ["make_exchange"]

_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "TRACE"})
"""What has no body in HTTP/2 and later when no length is given, as for YARP."""

_VERSIONS: Final = {"1.0": 10, "1.1": 11}


def make_exchange(scope: Scope, stream: Stream) -> Exchange:
    """Make the exchange of an HTTP request or a WebSocket handshake.

    `root_path` is the path base. Raises ProtocolError with the status that the client gets, for a target, a host or a
    length that is none.
    """
    method = scope.get("method", "GET")
    if method == "CONNECT":
        raise ProtocolError("CONNECT is for forward proxies", 501)
    raw = _target(scope)
    target = parse_target(method, raw)
    headers = Headers([(bytes(name), bytes(value)) for name, value in scope["headers"]])
    framing = _framing(scope, headers, method)
    _frame_alike(scope, headers, framing)
    cookies = headers.get_all_raw(b"cookie")
    if len(cookies) > 1:  # as HTTP/2 has them, and HTTP/1.1 has not (RFC 9113 8.2.3)
        headers.set(b"cookie", b"; ".join(cookies))
    headers.changed = False  # by no stage
    authority = headers.get_raw(b"host")
    host, port = parse_host(authority) if authority else ("", None)
    version = _VERSIONS.get(scope.get("http_version", "1.1"), 11)
    expect = (headers.get_raw(b"expect") or b"").lower()
    request = Request(
        method, raw, headers, version, framing, authority, expect_continue=expect == b"100-continue"
    )
    scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
    if port is None:
        port = 443 if scheme == "https" else 80
    base = scope.get("root_path", "").rstrip("/")
    placed = _place(base, target.path)
    base, path = placed or ("", target.path)
    exchange = Exchange(
        request,
        stream,
        target,
        _address(scope.get("client")),
        _address(scope.get("server")),
        host,
        port,
        base,
        path,
        scheme,
    )
    if target.is_ambiguous:
        exchange.place_reading = lambda reading: _place(base, reading)
    return exchange


def _target(scope: Scope) -> bytes:
    path = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    path = path.partition(b"?")[0]
    query = scope.get("query_string", b"")
    return b"%s?%s" % (path, query) if query else bytes(path)


def _place(base: str, path: str) -> tuple[str, str] | None:
    """Cut the base from a path; None where it is not its front."""
    if not path.startswith(base):
        return None
    rest = path[len(base) :]
    return (base, rest) if not base or not rest or rest[0] == "/" else None


def _address(pair: tuple[str, int | None] | None) -> tuple[str, int]:
    """Return (host, port); the server outside may know neither, on a Unix socket say.

    A socket of both families has IPv4 addresses as ::ffff:192.0.2.1.
    """
    host, port = pair or ("unknown", 0)
    if ":" in host:
        try:
            host = str(IPv6Address(host).ipv4_mapped or host)
        except ValueError:  # the path of a socket, say
            host = "unknown"
    return host, port or 0


def _framing(scope: Scope, headers: Headers, method: str) -> int:
    if scope["type"] == "websocket":
        return 0
    lengths = headers.get_all_raw(b"content-length")
    if b"transfer-encoding" in headers:
        return CHUNKED
    if lengths:
        if len(set(lengths)) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
            raise ProtocolError("Content-Length is not one number of bytes")
        return int(lengths[0])
    unframed = scope.get("http_version", "1.1") not in _VERSIONS
    return CHUNKED if unframed and method not in _BODILESS else 0


def _frame_alike(scope: Scope, headers: Headers, framing: int) -> None:
    """Leave one field at most to say how long the body is: servers outside pass on several, and a destination picks one.

    A WebSocket's handshake has no body, whatever it says.
    """
    if scope["type"] == "websocket":
        headers.remove(b"transfer-encoding")
        headers.remove(b"content-length")
    elif framing == CHUNKED:
        headers.remove(b"content-length")
    elif len(headers.get_all_raw(b"content-length")) > 1:
        headers.set(b"content-length", b"%d" % framing)
