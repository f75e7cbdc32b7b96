"""What a proxy makes of a message on its way through (spec: YARP's header rules): values in, values out.

The policy of a request's head is in two parts, so that it holds for forwarding and for delegating alike.
`request_headers` is what both have in common: which fields are dropped, and what is said of the client. Host, and the
fields that stay although they concern one hop, are its arguments. `outgoing_request` is the rest of forwarding: the
target, the framing and the upgrade. `delegated_head` is the rest of delegating to a process that answers the client
itself. Most heads can travel to it as they came, with what is said of the client at their end; `changed_parts` is for
a server that can hand over nothing but what came.

The fields by which HTTP/1.1 manages a connection (Connection, Upgrade, Transfer-Encoding) are not among a forwarded
request's headers. They stand in its `framing` and `upgrade`, and the codec of the connection that takes it writes them.
Header lines that nobody changed are passed on as they came, without being cut into names and values.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.errors import ProtocolError
from hostler.http.encode import encode_request
from hostler.http.fields import HOP_BY_HOP, IDENTITY, NOT_TRAILERS, connection_options, has_token
from hostler.http.headers import Headers
from hostler.http.message import Request, Response
from hostler.http.target import encode_path, join, parse_host, parse_target

if TYPE_CHECKING:
    from hostler.client.address import DestinationAddress
    from hostler.contract import RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.http.plain_request import PlainRequest

__all__ = [
    "REPLACED",
    "REPLACED_IN_DELEGATING",
    "changed_parts",
    "check_length",
    "delegated_head",
    "nominated",
    "outgoing_request",
    "outgoing_request_trailers",
    "outgoing_response",
    "outgoing_response_trailers",
    "plain_request_head",
    "request_headers",
    "said_of_client",
]

REPLACED: Final = HOP_BY_HOP | IDENTITY | {b"host"}
"""The fields of a client's request that a destination never gets as they came."""

REPLACED_IN_DELEGATING: Final = REPLACED - {b"connection", b"upgrade", b"te", b"transfer-encoding"}
"""The same of a process that answers on the client's own connection, which the fields that are left out manage."""

_STRIPPED: Final = REPLACED_IN_DELEGATING - {b"host"}

_SWITCHING: Final = HOP_BY_HOP - {b"connection", b"upgrade"}
"""What is dropped of a 101, whose Connection and Upgrade are what it is about."""

_HARMLESS_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"})
"""Options of Connection that name no field which would otherwise be passed on."""

_EMPTY_HEAD: Final = len(b"  HTTP/1.1\r\nHost: \r\n\r\n")
_CONNECTION_CLOSE: Final = b"\r\nconnection: close\r\n"
_CONNECTION_KEEP_ALIVE: Final = b"\r\nconnection: keep-alive\r\n"

_NEVER_NOMINATED: Final = frozenset({
    b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"te",
})  # fmt: skip
"""What Connection may not take away: the message would be another one."""


def outgoing_request(source: RequestSource, address: DestinationAddress) -> Request:
    """Return the request that a destination gets when the exchange is forwarded to it."""
    request, target = source.request, source.target
    path = target.forward_after(source.path_base) if source.path_base else target.forward_path
    upgrade = request.upgrade
    if upgrade is not None and (request.framing or has_token(upgrade, b"h2c")):
        upgrade = None  # a tunnel begins where the request ends; HTTP/2 ends at the proxy
    headers = request_headers(source, address.authority, REPLACED, source.path_base)
    if address.proxy_authorization is not None:
        headers.raw.insert(1, (b"Proxy-Authorization", address.proxy_authorization))
    return Request(
        request.method,
        join(address.base_path, path, target.query),
        headers,
        framing=request.framing,
        host=address.authority,
        upgrade=upgrade,
    )


def plain_request_head(source: RequestSource, plain: PlainRequest, address: DestinationAddress) -> bytes:
    """Return the head that a destination gets of a request that is as it came, with a plain head.

    It is what `outgoing_request` has written, to the byte.
    """
    method, target, _, query, host, framing, _, kept, _, _ = plain
    base = source.path_base
    if base or address.base_path:
        target = join(address.base_path, source.target.forward_after(base), query)
    said = _said(source.client[0], host, source.scheme == "https", base).block
    end = b"\r\n" if framing >= 0 else b"Transfer-Encoding: chunked\r\n\r\n"
    return b"".join((method.encode("ascii"), b" ", target, address.line_end, kept, said, end))


def delegated_head(source: RequestSource, head: bytes) -> bytes:
    """Return the head that a process gets which the request is delegated to; `head` is what came from the client.

    It is what forwarding would send, with these exceptions: Host is the authority that the client asked for; the target
    is the whole of it, since the process knows its path base by the rule's URL prefix, and so has no
    `X-Forwarded-Prefix`; Connection, Upgrade, TE, Transfer-Encoding and Expect stay, since the process speaks with the
    client itself. A head that no stage changed, and that has nothing to be dropped, is not written anew.

    Raises ProtocolError when what a stage made of the request cannot be sent.
    """
    if source.transformed is not None:
        return encode_request(source.transformed)
    plain = source.plain
    if plain is not None and _is_passed_whole(plain):
        said = _said(source.client[0], plain.host, source.scheme == "https", "")
        return b"%s%s\r\n" % (plain.head[:-2], said.block)
    request, headers = source.request, source.request.headers
    target = join(b"/", source.target.forward_path, source.target.query)
    if (
        not headers.changed
        and not source.is_rewritten
        and head.startswith(b"%s %s HTTP/" % (request.method.encode("ascii"), target))
        and _has_nothing_to_drop(headers)
        and headers.get_raw(b"host") == request.host
    ):
        return b"%s%s\r\n" % (head[:-2], said_of_client(source, "").block)
    changed = request_headers(source, request.host, REPLACED_IN_DELEGATING, "")
    return encode_request(
        Request(
            request.method,
            target,
            changed,
            request.version,
            request.framing,
            request.host,
            upgrade=request.upgrade,
        )
    )


def _is_passed_whole(plain: PlainRequest) -> bool:
    """Whether a plain head has nothing that is dropped in delegating; False where only its header lines can tell.

    What it holds beside its request line, Host and the lines that are kept is nothing, or is Connection.
    """
    kept = len(plain.method) + len(plain.raw_target) + len(plain.host) + len(plain.kept) + _EMPTY_HEAD
    rest = plain.size - kept
    if not rest:
        return True
    line = _CONNECTION_KEEP_ALIVE if plain.keep_alive else _CONNECTION_CLOSE
    return rest == len(line) - 2 and line in plain.head.lower()


def changed_parts(source: RequestSource, method: str, target: bytes) -> list[str]:
    """Return the parts of a request that stages changed, by name; it came with `method` and `target`."""
    request, now, came = source.request, source.target, parse_target(method, target)
    parts = {
        "method": request.method != method,
        "target": (now.forward_path, now.query) != (came.forward_path, came.query),
        "host": not request.headers.changed and request.headers.get_raw(b"host") != request.host,
        "headers": request.headers.changed,
    }
    return [name for name, changed in parts.items() if changed]


def _has_nothing_to_drop(headers: Headers) -> bool:
    names = (
        headers.lines.keys() if headers.lines is not None else {name.lower() for name, _ in headers.pairs()}
    )
    return names.isdisjoint(_STRIPPED) and (b"connection" not in names or not nominated(headers))


def request_headers(
    source: RequestSource, authority: bytes | None, replaced: frozenset[bytes], path_base: str
) -> Headers:
    """Return the headers of the client's request as whoever answers it is to see them.

    Host is `authority` and comes first; None is for HTTP/1.0 without one. Fields in `replaced`, and those that
    Connection names, are dropped. `X-Forwarded-For`, `-Host`, `-Proto` and, for the `path_base` that was taken off the
    path, `-Prefix` are set at the end. Raises ProtocolError when what a stage made of them cannot be sent.
    """
    headers, lines = source.request.headers, source.request.headers.lines
    if b"connection" in (headers if lines is None else lines):
        replaced |= nominated(headers)
    if headers.changed:
        check_length(source.request)
    said = said_of_client(source, path_base)
    host = [] if authority is None else [(b"Host", authority)]
    if lines is None:
        kept = [pair for pair in headers.pairs() if pair[0].lower() not in replaced]
        return Headers([*host, *kept, *said.pairs])
    out = lines.copy()
    for name in replaced.intersection(lines):
        del out[name]
    if authority is not None:
        out = {b"host": b"Host: " + authority, **out}
    out |= said.lines
    return Headers(None, out)


@frozen
class _Said:
    """What is said of a client, in the three forms in which it is needed."""

    pairs: RawHeaders
    lines: dict[bytes, bytes]
    block: bytes


def said_of_client(source: RequestSource, path_base: str) -> _Said:
    """Return the fields that say who the client is; raises ProtocolError when a stage set something else."""
    plain = source.plain
    host = source.request.host if plain is None else plain.host
    return _said(source.client[0], host, source.scheme == "https", path_base)


@lru_cache(maxsize=1024)
def _said(client: str, host: bytes | None, https: bool, path_base: str) -> _Said:
    if not client.isascii() or not client.isprintable():
        raise ProtocolError(f"exchange.client: {client!r} is not an IP address")
    # a zone is of use to this machine alone
    pairs = [(b"X-Forwarded-For", client.partition("%")[0].encode("ascii"))] if client else []
    if host:
        parse_host(host)
        pairs.append((b"X-Forwarded-Host", host))
    pairs.append((b"X-Forwarded-Proto", b"https" if https else b"http"))
    if path_base:
        pairs.append((b"X-Forwarded-Prefix", encode_path(path_base)))
    lines = {name.lower(): b"%s: %s" % (name, value) for name, value in pairs}
    return _Said(pairs, lines, b"".join([line + b"\r\n" for line in lines.values()]))


def check_length(request: Request) -> None:
    """Refuse changed headers that say something else of the body's length than came: the body comes all the same."""
    headers, framing = request.headers, request.framing
    lengths = headers.get_all_raw(b"content-length")
    right = len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) == framing
    if (not right and (framing > 0 or lengths)) or (framing >= 0 and b"transfer-encoding" in headers):
        body = f"{framing} bytes long" if framing >= 0 else "in chunks"
        raise ProtocolError(
            f"a stage changed Content-Length or Transfer-Encoding, and the client's body is {body}: leave them as they came"
        )


def outgoing_response(response: Response) -> Response:
    """Return what the client gets of a destination's response head, interim ones and 101 among them."""
    dropped = HOP_BY_HOP if response.status != 101 else _SWITCHING
    headers, lines = response.headers, response.headers.lines
    if b"connection" in (headers if lines is None else lines):
        dropped |= nominated(headers)
    if response.framing < 0 or response.status < 200 or response.status in {204, 205}:
        # Transfer-Encoding overrides it, or there is no body that it could describe
        dropped |= {b"content-length"}
    if lines is not None:
        kept = headers
        if not dropped.isdisjoint(lines):
            kept = Headers(None, {name: line for name, line in lines.items() if name not in dropped})
    else:
        kept = Headers([pair for pair in headers.pairs() if pair[0].lower() not in dropped])
    return Response(response.status, kept, response.framing, response.reason)


def outgoing_request_trailers(request: Request, trailers: RawHeaders) -> RawHeaders:
    """Return what a destination gets of a request's trailers: nothing that its head would not let through.

    Nor what is forbidden there, whichever server read it.
    """
    dropped = REPLACED | NOT_TRAILERS | nominated(request.headers)
    return [pair for pair in trailers if pair[0].lower() not in dropped]


def outgoing_response_trailers(response: Response, trailers: RawHeaders) -> RawHeaders:
    """Return what the client gets of a response's trailers: nothing that its head would not let through."""
    dropped = NOT_TRAILERS | nominated(response.headers)
    return [pair for pair in trailers if pair[0].lower() not in dropped]


def nominated(headers: Headers) -> frozenset[bytes]:
    """Return the fields that Connection says are for one hop only, in lower case (RFC 9110 7.6.1)."""
    options = connection_options(b",".join(headers.get_all_raw(b"connection")))
    return frozenset() if options <= _HARMLESS_OPTIONS else options - _NEVER_NOMINATED
