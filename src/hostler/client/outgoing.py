"""What a proxy makes of a message on its way through (spec: YARP's header rules): values in, values out.

The policy of a request's head is in two parts, so that it holds for forwarding and for delegating alike.
`request_headers` is what both have in common: which fields are dropped, and what is said of the client. Host, and the
fields that stay although they concern one hop, are its arguments. `outgoing_request` is the rest of forwarding: the
target, the framing and the upgrade.

The fields by which HTTP/1.1 manages a connection (Connection, Upgrade, Transfer-Encoding) are not among an outgoing
request's headers. They stand in its `framing` and `upgrade`, and the codec of the connection that takes it writes them.
Header lines that nobody changed are passed on as they came, without being cut into names and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.http.fields import HOP_BY_HOP, NOT_TRAILERS, connection_options, has_token
from hostler.http.headers import Headers
from hostler.http.message import Request, Response
from hostler.http.target import encode_path, join

if TYPE_CHECKING:
    from hostler.client.address import DestinationAddress
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders

__all__ = [
    "REPLACED",
    "outgoing_request",
    "outgoing_request_trailers",
    "outgoing_response",
    "outgoing_response_trailers",
    "request_headers",
]

_IDENTITY: Final = frozenset({
    b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix",
})  # fmt: skip
"""What says who the client is: a proxy's word, never the client's own."""

REPLACED: Final = HOP_BY_HOP | _IDENTITY | {b"host"}
"""The fields of a client's request that a destination never gets as they came."""

_SWITCHING: Final = HOP_BY_HOP - {b"connection", b"upgrade"}
"""What is dropped of a 101, whose Connection and Upgrade are what it is about."""

_HARMLESS_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})
"""Options of Connection that name no field which would otherwise be passed on."""

_NEVER_NOMINATED: Final = frozenset({
    b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"te",
})  # fmt: skip
"""What Connection may not take away: the message would be another one."""


def outgoing_request(exchange: Exchange, address: DestinationAddress) -> Request:
    """Return the request that a destination gets when the exchange is forwarded to it."""
    request, target = exchange.request, exchange.target
    path = target.forward_after(exchange.path_base) if exchange.path_base else target.forward_path
    upgrade = request.upgrade
    if upgrade is not None and (request.framing or has_token(upgrade, b"h2c")):
        upgrade = None  # a tunnel begins where the request ends; HTTP/2 ends at the proxy
    return Request(
        request.method,
        join(address.base_path, path, target.query),
        request_headers(exchange, address.authority, REPLACED),
        framing=request.framing,
        host=address.authority,
        upgrade=upgrade,
    )


def request_headers(exchange: Exchange, authority: bytes, replaced: frozenset[bytes]) -> Headers:
    """Return the headers of the client's request as whoever answers it is to see them.

    Host is `authority` and comes first. Fields in `replaced`, and those that Connection names, are dropped.
    `X-Forwarded-For`, `-Host`, `-Proto` and, where a URL prefix took a part of the path, `-Prefix` are set at the end.
    """
    request = exchange.request
    headers, lines = request.headers, request.headers.lines
    if b"connection" in (headers if lines is None else lines):
        replaced |= _nominated(headers)
    added = [(b"X-Forwarded-For", exchange.client[0].encode("ascii"))]
    if request.host:
        added.append((b"X-Forwarded-Host", request.host))
    added.append((b"X-Forwarded-Proto", b"https" if exchange.scheme == "https" else b"http"))
    if exchange.path_base:
        added.append((b"X-Forwarded-Prefix", encode_path(exchange.path_base)))
    if lines is None:
        kept = [pair for pair in headers.pairs() if pair[0].lower() not in replaced]
        return Headers([(b"Host", authority), *kept, *added])
    out = {b"host": b"Host: " + authority}
    out |= {name: line for name, line in lines.items() if name not in replaced}
    for name, value in added:  # ours, or out of a well-formed head: lines need no check
        out[name.lower()] = b"%s: %s" % (name, value)
    return Headers(None, out)


def outgoing_response(response: Response) -> Response:
    """Return what the client gets of a destination's response head, interim ones and 101 among them."""
    dropped = HOP_BY_HOP if response.status != 101 else _SWITCHING
    headers, lines = response.headers, response.headers.lines
    if b"connection" in (headers if lines is None else lines):
        dropped |= _nominated(headers)
    if response.framing < 0 or response.status < 200 or response.status in {204, 205}:
        # Transfer-Encoding overrides it, or there is no body that it could describe
        dropped |= {b"content-length"}
    if lines is not None:
        kept = Headers(None, {name: line for name, line in lines.items() if name not in dropped})
    else:
        kept = Headers([pair for pair in headers.pairs() if pair[0].lower() not in dropped])
    return Response(response.status, kept, response.framing, response.reason)


def outgoing_request_trailers(request: Request, trailers: RawHeaders) -> RawHeaders:
    """Return what a destination gets of a request's trailers: nothing that its head would not let through.

    Nor what is forbidden there, whichever server read it.
    """
    dropped = REPLACED | NOT_TRAILERS | _nominated(request.headers)
    return [pair for pair in trailers if pair[0].lower() not in dropped]


def outgoing_response_trailers(response: Response, trailers: RawHeaders) -> RawHeaders:
    """Return what the client gets of a response's trailers: nothing that its head would not let through."""
    dropped = NOT_TRAILERS | _nominated(response.headers)
    return [pair for pair in trailers if pair[0].lower() not in dropped]


def _nominated(headers: Headers) -> frozenset[bytes]:
    """Return the fields that Connection says are for one hop only, in lower case (RFC 9110 7.6.1)."""
    options = connection_options(b",".join(headers.get_all_raw(b"connection")))
    return frozenset() if options <= _HARMLESS_OPTIONS else options - _NEVER_NOMINATED
