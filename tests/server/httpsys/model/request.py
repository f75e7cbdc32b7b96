"""Writing a HTTP_REQUEST_V2 into a caller's buffer: the structure in front, everything it points to behind it.

The buffer is filled with rubbish first, and only what the documentation says is set is set: nobody may take for granted
that memory is zero, or that `UnknownVerbLength` means something for a verb that is known.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Any

from attrs import define, field

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.logins import Token, log_in

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request

_HEAD = ffi.sizeof("HTTP_REQUEST_V2")
_AUTH, _SSL_PROTOCOL = 0, 2  # HttpRequestInfoTypeAuth, HttpRequestInfoTypeSslProtocol
_AF_INET, _AF_INET6 = 2, 23
_RAW_IDS_SINCE = 2022
_KNOWN = {name.lower().encode(): at for at, name in enumerate(c.REQUEST_HEADERS)}


@define(eq=False)
class _Arena:
    """What follows the structure, laid out before it is known whether it fits."""

    base: int
    end: int = _HEAD
    pieces: list[tuple[int, bytes]] = field(factory=list)
    token_at: int = 0
    """Where the handle of an access token belongs."""

    def add(self, data: bytes, align: int = 8) -> int:
        """Lay out a piece; returns its address."""
        offset = -(-self.end // align) * align
        self.pieces.append((offset, data))
        self.end = offset + len(data)
        return self.base + offset

    def text(self, text: str) -> int:
        """Lay out a string of UTF-16 with a NUL."""
        return self.add(text.encode("utf-16-le") + b"\0\0", 2)

    def string(self, data: bytes) -> int:
        """Lay out a string with a NUL."""
        return self.add(data + b"\0", 1)

    def struct(self, cdata: Any) -> int:
        """Lay out a structure."""
        return self.add(bytes(ffi.buffer(cdata)))

    def write(self) -> None:
        for offset, data in self.pieces:
            memory.write(self.base + offset, data)


def write_request(request: Request, address: int, capacity: int, *, body: bool) -> tuple[int, int]:
    """Write a request; returns the code, and the size of what is there or would have been."""
    memory.poison(address, capacity)
    arena = _Arena(address)
    head = ffi.new("HTTP_REQUEST_V2 *")
    memory.poison(memory.number(head), _HEAD)
    _fill(head, request, arena)
    # source: HttpReceiveHttpRequest: ERROR_MORE_DATA, to be asked for again by the id
    # source: measured under Wine (tests/wine/inside): the packet says how large the buffer has to be
    if arena.end > capacity:
        # nothing but the id is promised; the size is that of the head alone
        ffi.cast("HTTP_REQUEST_V2 *", address).RequestId = request.id
        return c.MORE_DATA, arena.end
    _fill_body(head, request, arena, capacity if body else 0)
    head.Flags = c.MORE_ENTITY_BODY_EXISTS if request.more_body else 0
    # source: HTTP_REQUEST_V1: Flags tell HTTP/2 (4) and HTTP/3 (8)
    head.Flags |= {(2, 0): c.HTTP2_REQUEST, (3, 0): c.HTTP3_REQUEST}.get(request.version, 0)
    arena.write()
    memory.write(address, bytes(ffi.buffer(head)))
    _give_token(request, arena)
    request.received = True
    return c.OK, arena.end


def _fill(head: Any, request: Request, arena: _Arena) -> None:
    channel = request.channel
    head.ConnectionId, head.RequestId = channel.connection_id, request.id
    # source: aspnetcore#38059: RawConnectionId is the connection's also where each request has an id of its own
    # source: aspnetcore#40733: Windows Server 2019 and before leave it 0
    head.RawConnectionId = channel.raw_connection_id if request.machine.release >= _RAW_IDS_SINCE else 0
    head.UrlContext = request.context
    # source: aspnetcore#35316, AspNetKatana#375: 1.1 for HTTP/2 and HTTP/3
    head.Version.MajorVersion, head.Version.MinorVersion = min(request.version, (1, 1))
    # source: HTTP_REQUEST_V1: pUnknownVerb where Verb is HttpVerbUnknown
    verb = request.method.decode("latin-1")
    head.pUnknownVerb = ffi.NULL
    if verb in c.VERBS:
        head.Verb = c.VERBS.index(verb)
    else:
        head.Verb, head.UnknownVerbLength = c.UNKNOWN_VERB, len(verb)
        head.pUnknownVerb = ffi.cast("char *", arena.string(request.method))
    head.RawUrlLength = len(request.target)
    head.pRawUrl = ffi.cast("char *", arena.string(request.target))
    _fill_url(head.CookedUrl, request, arena)
    head.Address.pRemoteAddress = ffi.cast("SOCKADDR *", arena.add(sockaddr(channel.remote)))
    head.Address.pLocalAddress = ffi.cast("SOCKADDR *", arena.add(sockaddr(channel.local)))
    _fill_headers(head.Headers, request, arena)
    head.BytesReceived = request.body_size
    head.EntityChunkCount, head.pEntityChunks = 0, ffi.NULL
    head.pSslInfo = ffi.NULL
    infos = [*_tls_infos(head, request, arena), *_login_infos(request, arena)]
    array = ffi.new("HTTP_REQUEST_INFO[]", infos)
    head.RequestInfoCount = len(infos)
    head.pRequestInfo = ffi.cast("HTTP_REQUEST_INFO *", arena.struct(array) if infos else 0)


def _fill_url(cooked: Any, request: Request, arena: _Arena) -> None:
    """The parts point into the whole."""
    url = request.url
    start = arena.text(url.full)
    at = start + len(f"{url.scheme}://".encode("utf-16-le"))
    # source: HTTP_COOKED_URL: lengths in bytes, without NUL; the parts point into the whole
    cooked.FullUrlLength = len(url.full.encode("utf-16-le"))
    cooked.pFullUrl = ffi.cast("char16_t *", start)
    for name, part in (("Host", url.host), ("AbsPath", url.path), ("QueryString", url.query)):
        size = len(part.encode("utf-16-le"))
        setattr(cooked, f"{name}Length", size)
        setattr(cooked, f"p{name}", ffi.cast("char16_t *", at if size else 0))
        at += size


def _fill_headers(headers: Any, request: Request, arena: _Arena) -> None:
    known: dict[int, bytes] = {}
    unknown: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in [*request.headers, *_invented(request)]:
        at = _KNOWN.get(name.lower())
        if at is None:
            # source: ASP.NET's RequestHeaderTests: lines of one name are one, whether the name has an id or not
            first, before = unknown.get(name.lower(), (name, None))
            unknown[name.lower()] = (first, value if before is None else before + b", " + value)
        elif at in known:
            # source: RFC 9110 5.3, RFC 9113 8.2.3: several values are one, Cookie's with a semicolon
            known[at] += (b"; " if name.lower() == b"cookie" else b", ") + value
        else:
            known[at] = value
    for at in range(len(c.REQUEST_HEADERS)):
        header = headers.KnownHeaders[at]
        header.RawValueLength = len(known.get(at, b""))
        header.pRawValue = ffi.cast("char *", arena.string(known[at]) if at in known else 0)
    headers.UnknownHeaderCount = len(unknown)
    headers.pUnknownHeaders = _unknown_headers(list(unknown.values()), arena)
    headers.TrailerCount, headers.pTrailers = 0, ffi.NULL


def _invented(request: Request) -> list[tuple[bytes, bytes]]:
    """Give what HTTP.sys adds to a request of HTTP/2 or 3 with a body whose length it does not say."""
    # source: aspnetcore#24984, aspnetcore#25381: Transfer-Encoding: chunked, though these versions have none
    if request.version < (2, 0) or any(name.lower() == b"content-length" for name, _ in request.headers):
        return []
    return [] if request.bodiless else [(b"Transfer-Encoding", b"chunked")]


def _unknown_headers(pairs: list[tuple[bytes, bytes]], arena: _Arena) -> Any:
    array = ffi.new("HTTP_UNKNOWN_HEADER[]", len(pairs))
    for entry, (name, value) in zip(array, pairs, strict=True):
        entry.NameLength, entry.RawValueLength = len(name), len(value)
        entry.pName = ffi.cast("char *", arena.string(name))
        entry.pRawValue = ffi.cast("char *", arena.string(value))
    return ffi.cast("HTTP_UNKNOWN_HEADER *", arena.struct(array) if pairs else 0)


def _tls_infos(head: Any, request: Request, arena: _Arena) -> list[tuple[int, int, Any]]:
    """What a TLS connection adds: HTTP_SSL_INFO, and HTTP_SSL_PROTOCOL_INFO (TLS 1.3 with AES-256)."""
    if not request.channel.tls:
        return []
    info = ffi.new("HTTP_SSL_INFO *", {"ServerCertKeySize": 2048, "ConnectionKeySize": 256})
    certificate = request.channel.certificate
    # source: HTTP_SSL_INFO: pClientCertInfo and SslClientCertNegotiated where the certificate is present locally
    if certificate is not None and request.machine.negotiates_certificates:
        info.SslClientCertNegotiated = 1
        given = ffi.new("HTTP_SSL_CLIENT_CERT_INFO *", {"CertEncodedSize": len(certificate)})
        given.pCertEncoded = ffi.cast("uint8_t *", arena.add(certificate))
        info.pClientCertInfo = ffi.cast("HTTP_SSL_CLIENT_CERT_INFO *", arena.struct(given))
    head.pSslInfo = ffi.cast("HTTP_SSL_INFO *", arena.struct(info))
    values = {"Protocol": 0x1000, "CipherType": 0x6610, "CipherStrength": 256}
    protocol = ffi.new("HTTP_SSL_PROTOCOL_INFO *", values)
    return [(_SSL_PROTOCOL, ffi.sizeof(protocol[0]), ffi.cast("void *", arena.struct(protocol)))]


def _login_infos(request: Request, arena: _Arena) -> list[tuple[int, int, Any]]:
    """What Windows authentication adds: HTTP_REQUEST_AUTH_INFO. Its token's handle is filled in when all fits."""
    request.login = log_in(request)
    if request.login is None:
        return []
    login = request.login
    info = ffi.new("HTTP_REQUEST_AUTH_INFO *", {"AuthStatus": login.status, "AuthType": login.type})
    info.SecStatus = login.code
    info.PackageNameLength = 2 * len(login.package)
    info.pPackageName = ffi.cast("char16_t *", arena.text(login.package) if login.package else 0)
    address = arena.struct(info)
    arena.token_at = address + ffi.offsetof("HTTP_REQUEST_AUTH_INFO", "AccessToken")
    return [(_AUTH, ffi.sizeof(info[0]), ffi.cast("void *", address))]


def _give_token(request: Request, arena: _Arena) -> None:
    """Open the client's token in the process that receives the request."""
    login = request.login
    if login is not None and login.user is not None:
        assert request.owner is not None
        # source: HTTP_REQUEST_AUTH_INFO: AccessToken is the receiver's to close
        handle = request.owner.process.open(Token(login.user))
        memory.write(arena.token_at, memory.number(handle).to_bytes(8, "little"))


def _fill_body(head: Any, request: Request, arena: _Arena, capacity: int) -> None:
    """Give as much of the body as has arrived and fits, when it was asked for."""
    room = capacity - (arena.end + 8 + ffi.sizeof("HTTP_DATA_CHUNK") + 8)
    if room <= 0 or not (piece := request.copy_body(room)):
        return
    chunk = ffi.new("HTTP_DATA_CHUNK *", {"DataChunkType": c.FROM_MEMORY})
    chunk.FromMemory.pBuffer = ffi.cast("void *", arena.add(piece))
    chunk.FromMemory.BufferLength = len(piece)
    head.EntityChunkCount = 1
    head.pEntityChunks = ffi.cast("HTTP_DATA_CHUNK *", arena.struct(chunk))


def sockaddr(address: tuple[str, int]) -> bytes:
    """Give SOCKADDR_IN or SOCKADDR_IN6."""
    host, _, scope = address[0].partition("%")
    ip = ipaddress.ip_address(host)
    port = struct.pack(">H", address[1])
    if ip.version == 4:
        return struct.pack("<H", _AF_INET) + port + ip.packed + bytes(8)
    return struct.pack("<H", _AF_INET6) + port + bytes(4) + ip.packed + struct.pack("<I", int(scope or 0))
