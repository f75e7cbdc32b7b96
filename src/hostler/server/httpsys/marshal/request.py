"""Requests as they arrive: HTTP_REQUEST to `hostler.http.message.Request`, and what HTTP.sys knows besides.

The buffer is given back to HTTP.sys as soon as this returns, so that everything is copied out. HTTP.sys has parsed the
head; our own rules are applied to it nevertheless, and no header may break a head that is made of it.
"""

from __future__ import annotations

import struct
from itertools import compress
from typing import TYPE_CHECKING, Final

from attrs import define

from hostler.errors import ProtocolError
from hostler.http.encode import check_lines, check_name
from hostler.http.framing import frame_request
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import REQUEST_HEADERS, VERBS, RequestFlag, RequestInfoType
from hostler.server.httpsys.marshal.address import address_at
from hostler.server.httpsys.marshal.memory import MEMORY
from hostler.server.httpsys.marshal.security import read_authenticated, read_tls

if TYPE_CHECKING:
    from hostler.contract import Address
    from hostler.http.security import Authenticated, Tls
    from hostler.windows.libraries import CData

__all__ = ["Arrival", "read_request", "request_id"]

_KNOWN: Final = range(len(REQUEST_HEADERS))
_NAMES: Final = REQUEST_HEADERS
_LOWER: Final = tuple(name.lower() for name in REQUEST_HEADERS)
_STARTS: Final = tuple(name + b": " for name in REQUEST_HEADERS)
_METHODS: Final = tuple(verb.decode("ascii") for verb in VERBS)

_REQUEST: Final = struct.Struct(
    "<I4x" "QQQ" "HH" "i" "HH4x" "QQ" "40x" "QQ" "H6xQ" "16x" + "H6xQ" * len(_KNOWN) + "32x" "Q" "H6xQ"
)  # fmt: skip
"""HTTP_REQUEST_V2: Flags; ConnectionId, RequestId, UrlContext; Version; Verb; UnknownVerbLength, RawUrlLength;
pUnknownVerb, pRawUrl; Address; UnknownHeaderCount, pUnknownHeaders; KnownHeaders, two numbers each; pSslInfo;
RequestInfoCount, pRequestInfo. Passed over: CookedUrl, trailers, BytesReceived, chunks, RawConnectionId.
"""

_LENGTHS: Final = slice(15, 15 + 2 * len(_KNOWN), 2)
_VALUES: Final = slice(16, 16 + 2 * len(_KNOWN), 2)
_UNKNOWN: Final = struct.Struct("<HH4xQQ")
"""HTTP_UNKNOWN_HEADER: NameLength, RawValueLength, pName, pRawValue."""

_INFO: Final = struct.Struct("<iIQ")
"""HTTP_REQUEST_INFO: InfoType, InfoLength, pInfo."""

_BODY: Final = int(RequestFlag.MORE_ENTITY_BODY_EXISTS)
_HTTP2: Final = int(RequestFlag.HTTP2 | RequestFlag.HTTP3)
_HTTP3: Final = int(RequestFlag.HTTP3)
_TRANSFER_ENCODING: Final = _LOWER.index(b"transfer-encoding")


@define(eq=False)
class Arrival:
    """A request as HTTP.sys delivered it."""

    id: int
    """What the API knows the request by (HTTP_REQUEST_ID)."""

    connection: int
    """What the API knows the client's connection by; each request of HTTP/2 and 3 has its own (HTTP_CONNECTION_ID)."""

    context: int
    """What its URL prefix was registered with (HTTP_URL_CONTEXT)."""

    request: Request
    client: Address
    server: Address
    http2: bool
    """It came by HTTP/2 or 3, which frame bodies themselves; `request.version` is 11, as HTTP.sys has it."""

    has_body: bool
    """There may be something for HttpReceiveRequestEntityBody to read."""

    http3: bool = False
    """It came by HTTP/3."""

    secure: bool = False
    """It came by https."""

    tls: Tls | None = None
    """How it was encrypted."""

    certificate_asked: bool = False
    """The client was asked for its certificate while the request was under way, and `tls` has the answer."""

    authenticated: Authenticated | None = None
    """What HTTP.sys made of the client's credentials, where it was asked to look at them."""

    refusal: ProtocolError | None = None
    """Why it is no request for us, with the status that the client gets; `request` is a stand-in then."""


def request_id(buffer: CData) -> int:
    """Return the id of the request in a buffer, also one that was too small for the rest (ERROR_MORE_DATA)."""
    return int(ffi.cast("HTTP_REQUEST *", buffer).RequestId)


def read_request(native: CData) -> Arrival:
    """Copy a request out of the HTTP_REQUEST that `native` points to, and apply the rules of RFC 9112 to it.

    What breaks them is an `Arrival` all the same: it has to be answered, and may come with a handle to be closed.
    """
    fields = _REQUEST.unpack(ffi.buffer(native))
    (
        flags, connection, number, context, major, minor, verb, verb_length, url_length, verb_at, url_at,
        client_at, server_at, unknown_count, unknown_at,
    ) = fields[:15]  # fmt: skip
    tls_at, info_count, info_at = fields[-3:]
    http2 = flags & _HTTP2 != 0
    refusal = None
    try:
        method = _method(verb, verb_length, verb_at)
        values = fields[_VALUES]
        if http2 and values[_TRANSFER_ENCODING]:
            # HTTP/2 and 3 have none: HTTP.sys adds it to a body whose length is not announced
            flags |= _BODY
            values = (*values[:_TRANSFER_ENCODING], 0, *values[_TRANSFER_ENCODING + 1 :])
        headers = _headers(fields[_LENGTHS], values, unknown_count, unknown_at)
        request = Request(method, MEMORY[url_at : url_at + url_length], headers, _version(major, minor))
        frame_request(request)
    except ProtocolError as error:
        request, refusal = Request("GET", b"/", Headers()), error
    else:
        if flags & _BODY and not request.framing and b"content-length" not in headers:
            request.framing = CHUNKED  # HTTP/2 and 3: where it ends is not announced
        if http2:
            request.keep_alive, request.upgrade = True, None
    client, server = address_at(client_at), address_at(server_at)
    has_body = request.framing != 0
    arrival = Arrival(number, connection, context, request, client, server, http2, has_body, refusal=refusal)
    if http2:
        arrival.http3 = flags & _HTTP3 != 0
    if tls_at or info_count:
        _read_more(arrival, tls_at, info_count, info_at)
    return arrival


def _version(major: int, minor: int) -> int:
    """Return the version, which is 1.1 for HTTP/2 and 3: Flags tell those."""
    if not major:
        raise ProtocolError("the version is older than HTTP/1.0", 505)
    return 10 if (major, minor) == (1, 0) else 11


def _method(verb: int, length: int, place: int) -> str:
    """Return the method; UnknownVerbLength means something only when the verb is unknown."""
    if 0 <= verb < len(_METHODS) and (method := _METHODS[verb]):
        return method
    name = MEMORY[place : place + length] if place else b""
    try:
        check_name(name)  # a method is a token too
    except ProtocolError:
        raise ProtocolError(f"{name!r} is not a method") from None
    return str(name, "ascii")


def _headers(
    lengths: tuple[int, ...], values: tuple[int, ...], unknown_count: int, unknown_at: int
) -> Headers:
    """Make headers of the known ones, in the order of their ids, and the unknown ones, in that of the wire.

    A known header that is absent has a NULL value; one without a value has a pointer to nothing.
    """
    pairs: list[tuple[bytes, bytes]] = []
    lines: dict[bytes, bytes] = {}
    for at in compress(_KNOWN, values):
        place = values[at]
        value = MEMORY[place : place + lengths[at]]
        pairs.append((_NAMES[at], value))
        lines[_LOWER[at]] = _STARTS[at] + value
    if unknown_count:
        table = MEMORY[unknown_at : unknown_at + unknown_count * _UNKNOWN.size]
        for name_length, length, name_at, place in _UNKNOWN.iter_unpack(table):
            name = MEMORY[name_at : name_at + name_length]
            check_name(name)
            value = MEMORY[place : place + length]
            pairs.append((name, value))
            lines[name.lower()] = b"%b: %b" % (name, value)
    if pairs:
        check_lines(b"\r\n".join([value for _, value in pairs]), len(pairs) - 1)
    return Headers.received(pairs, lines if len(lines) == len(pairs) else None)


def _read_more(arrival: Arrival, tls_at: int, count: int, place: int) -> None:
    """Read what is not in HTTP_REQUEST itself: TLS, authentication."""
    protocol_at = 0
    for kind, _, at in _INFO.iter_unpack(MEMORY[place : place + count * _INFO.size]):
        if kind == RequestInfoType.SSL_PROTOCOL:
            protocol_at = at
        elif kind == RequestInfoType.AUTH and at:
            arrival.authenticated = read_authenticated(at)
    if tls_at:
        arrival.secure, arrival.tls = True, read_tls(tls_at, protocol_at)
