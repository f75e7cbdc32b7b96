"""The heads that a proxy writes: what is passed on, what is dropped, what is added (spec: YARP's header rules)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.http.fields import HOP_BY_HOP, connection_options, has_token
from hostler.http.h1 import encode_request
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED
from hostler.http.target import join

if TYPE_CHECKING:
    from hostler.client.upstream import Upstream
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response

__all__ = ["offered_upgrade", "request_head", "response_headers"]

_REPLACED: Final = HOP_BY_HOP | {
    b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix",
}  # fmt: skip
_HARMLESS_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})
"""Options of Connection that name no header which would otherwise be passed on."""

_NEVER_NOMINATED: Final = frozenset({b"host", b"content-length"})
"""What Connection may not take away: the message would be another one."""


def offered_upgrade(exchange: Exchange) -> bytes | None:
    """Return the upgrade to offer the destination: the client's, unless it is HTTP/2, which ends at the proxy."""
    offered = exchange.request.upgrade
    if offered is None or exchange.request.framing or has_token(offered, b"h2c"):
        return None
    return offered


def request_head(exchange: Exchange, upstream: Upstream) -> bytes:
    """Write the head of the request to the destination.

    Headers as YARP's defaults have it: hop-by-hop ones dropped, Host the destination's, `X-Forwarded-For`, `-Host`,
    `-Proto` and `-Prefix` set, `Forwarded` removed. Raises ProtocolError when no head can be made of it.
    """
    request = exchange.request
    kept = passed_on(request.headers, _REPLACED)
    target = exchange.target
    path = target.forward_after(exchange.path_base) if exchange.path_base else target.forward_path
    url = join(upstream.base_path, path, target.query)
    # what is added is ours, or stood in a well-formed head: only headers that were changed need a look
    lines = [upstream.host_line]
    changed: RawHeaders = []
    if kept.lines is not None:
        lines += kept.lines.values()
    else:
        changed = kept.pairs()
    host = request.host
    lines.append(
        b"X-Forwarded-For: %s%s%s%s" % (
            exchange.client[0].encode("ascii"),
            b"\r\nX-Forwarded-Host: " + host if host else b"",
            b"\r\nX-Forwarded-Proto: https" if exchange.scheme == "https" else b"\r\nX-Forwarded-Proto: http",
            b"\r\nTransfer-Encoding: chunked" if request.framing == CHUNKED else b"",
        )
    )  # fmt: skip
    if exchange.path_base:
        changed.append((b"X-Forwarded-Prefix", exchange.path_base.encode("utf-8", "surrogateescape")))
    if request.upgrade is not None and (upgrade := offered_upgrade(exchange)) is not None:
        changed += ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    return encode_request(request.method, url, changed, lines)


def response_headers(response: Response) -> Headers:
    """Return the headers of a destination's response that go to the client."""
    headers = passed_on(response.headers, HOP_BY_HOP)
    if response.framing < 0 or response.status < 200 or response.status in {204, 205}:
        # Transfer-Encoding overrides it, or there is no body that it could describe
        headers.remove(b"content-length")
    return headers


def passed_on(headers: Headers, dropped: frozenset[bytes]) -> Headers:
    """Return the headers without those in `dropped`, and without those that Connection names (RFC 9110 7.6.1)."""
    lines = headers.lines
    if b"connection" in (headers if lines is None else lines):
        options = connection_options(b",".join(headers.get_all_raw(b"connection")))
        if not options <= _HARMLESS_OPTIONS:
            dropped |= options - _NEVER_NOMINATED
    if lines is not None:
        return Headers(None, {key: line for key, line in lines.items() if key not in dropped})
    return Headers([pair for pair in headers.pairs() if pair[0].lower() not in dropped])
