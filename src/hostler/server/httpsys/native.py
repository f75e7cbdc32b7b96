"""What HTTP.sys knows of a request and its connection, asked when somebody wants to know it; `hostler.native`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve

from hostler.errors import UnsupportedError
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.calling import call
from hostler.server.httpsys.constants import RequestProperty
from hostler.server.httpsys.marshal.facts import read_quic, read_server_name, read_tcp
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from hostler.connection import QuicStatistics, ServerName, TcpStatistics
    from hostler.native import Caching
    from hostler.server.httpsys.context import ServerContext
    from hostler.server.httpsys.marshal.request import Arrival
    from hostler.server.httpsys.stream import HttpSysStream
    from hostler.windows.libraries import CData

__all__ = ["HttpSysRequest"]

_UNKNOWN: Final = frozenset({
    ErrorCode.ERROR_INVALID_FUNCTION, ErrorCode.ERROR_FILE_NOT_FOUND, ErrorCode.ERROR_NOT_SUPPORTED,
    ErrorCode.ERROR_INVALID_PARAMETER, ErrorCode.ERROR_CALL_NOT_IMPLEMENTED, ErrorCode.ERROR_NOT_FOUND,
})  # fmt: skip
"""There is no such property: of this Windows, or of this connection."""

_TOO_SMALL: Final = frozenset({ErrorCode.ERROR_MORE_DATA, ErrorCode.ERROR_INSUFFICIENT_BUFFER})
_TCP: Final = (
    (RequestProperty.TCP_INFO_V1, "TCP_INFO_v1"),
    (RequestProperty.TCP_INFO_V0, "TCP_INFO_v0"),
)
"""Newer Windows first; what is asked of the second stands in the first as well."""

_OVER: Final = frozenset({
    ErrorCode.ERROR_CONNECTION_INVALID, ErrorCode.ERROR_OPERATION_ABORTED, ErrorCode.ERROR_INVALID_HANDLE,
})  # fmt: skip
"""The client is gone, the exchange was broken off, or the server has let go of its queue."""

_CERTIFICATE: Final = 4096
"""Bytes that most certificates fit in."""

_LARGEST: Final = 1 << 20
"""Bytes that a property or a certificate can have; what says that it needs more is not believed."""


class HttpSysRequest:
    """A request and its connection, as HTTP.sys knows them."""

    __slots__ = ("_arrival", "_context", "_stream")

    def __init__(self, context: ServerContext, arrival: Arrival, stream: HttpSysStream) -> None:
        self._context = context
        self._arrival = arrival
        self._stream = stream

    # -- the response ---------------------------------------------------------------------------------------------

    @property
    def can_cache(self) -> bool:
        """Whether the response can be kept: that to a GET."""
        return self._arrival.request.method == "GET" and not self._stream.started

    def cache(self, caching: Caching) -> None:
        """Have the response offered to HTTP.sys' cache."""
        self._stream.caching = caching

    def set_reset_code(self, code: int) -> None:
        """Have an abort reset the stream with this code (HttpRequestPropertyStreamError)."""
        self._stream.reset_code = code

    # -- the connection -------------------------------------------------------------------------------------------

    async def server_name(self) -> ServerName | None:
        """Return the host that the client named when the connection was encrypted (HttpRequestPropertySni)."""
        if not self._arrival.secure:
            return None
        data = await self._property(RequestProperty.SNI, ffi.sizeof("HTTP_REQUEST_PROPERTY_SNI"))
        return None if data is None else read_server_name(data)

    async def client_hello(self) -> bytes | None:
        """Return the TLS ClientHello (HttpRequestPropertyTlsClientHello).

        Windows keeps it where the certificate's binding has HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_CACHE_CLIENT_HELLO.
        """
        return await self._property(RequestProperty.TLS_CLIENT_HELLO, 2048) if self._arrival.secure else None

    async def tcp(self) -> TcpStatistics | None:
        """Return what TCP has counted (HttpRequestPropertyTcpInfoV1, or V0)."""
        fresh = ffi.new("HTTP_QUERY_REQUEST_QUALIFIER_TCP *")
        for number, structure in _TCP:
            data = await self._property(number, ffi.sizeof(structure), fresh)
            if data is not None:
                return read_tcp(data)
        return None

    async def quic(self) -> QuicStatistics | None:
        """Return what QUIC has counted (HttpRequestPropertyQuicStatsV2)."""
        fresh = ffi.new("HTTP_QUERY_REQUEST_QUALIFIER_QUIC *")
        data = await self._property(RequestProperty.QUIC_STATS_V2, 512, fresh)
        return None if data is None else read_quic(data)

    async def _property(self, number: int, size: int, qualifier: CData = ffi.NULL) -> bytes | None:
        """Ask for a property of the request; None when there is no such (HttpQueryRequestProperty)."""
        http, io, request = self._context.windows.http, self._context.io, self._arrival.id
        if not exports(http, "HttpQueryRequestProperty"):
            return None
        qualifier_size = ffi.sizeof(qualifier[0]) if qualifier else 0
        for _ in range(2):
            buffer = ffi.new("char[]", size)
            code, length = await call(
                io,
                lambda moved, overlapped, buffer=buffer: http.HttpQueryRequestProperty(  # type: ignore[misc]
                    io.handle,
                    request,
                    number,
                    qualifier,
                    qualifier_size,
                    buffer,
                    len(buffer),
                    moved,
                    overlapped,
                ),
                (buffer, qualifier),
            )
            if code not in _TOO_SMALL or not size < length <= _LARGEST:
                break
            size = length
        if code in _UNKNOWN:
            return None
        self._check(code, "HttpQueryRequestProperty", RequestProperty(number).name)
        return bytes(ffi.buffer(buffer, min(length or size, size)))

    # -- the client's certificate ---------------------------------------------------------------------------------

    async def client_certificate(self) -> bytes | None:
        """Return the client's certificate, in DER; asks the client where that has not been done yet."""
        tls = self._arrival.tls
        if tls is None:
            return None
        if tls.client_certificate is not None or self._arrival.certificate_asked:
            return tls.client_certificate
        if not tls.client_certificate_negotiated:
            self._check_free()
        found = await self._receive_certificate()
        self._arrival.tls, self._arrival.certificate_asked = evolve(tls, client_certificate=found), True
        return found

    def _check_free(self) -> None:
        """Raise unless the client can be asked now."""
        if self._arrival.http2:
            raise UnsupportedError(
                "a client can be asked for its certificate on HTTP/1.1 only, or when it connects: bind the server's "
                "certificate with clientcertnegotiation=enable (netsh http update sslcert)"
            )
        if not self._stream.body_read:
            raise RuntimeError(
                "the request has a body that nobody has read to its end, and it may stand in the way of the client's "
                "certificate; read it first (await exchange.read()), or ask where there is none"
            )

    async def _receive_certificate(self) -> bytes | None:
        """Ask for it (HttpReceiveClientCertificate)."""
        http, io, connection = self._context.windows.http, self._context.io, self._arrival.connection
        if not exports(http, "HttpReceiveClientCertificate"):
            raise UnsupportedError("this httpapi.dll has no HttpReceiveClientCertificate")
        least = ffi.sizeof("HTTP_SSL_CLIENT_CERT_INFO")
        size = least + _CERTIFICATE
        for _ in range(2):
            buffer = ffi.new("char[]", size)
            info = ffi.cast("HTTP_SSL_CLIENT_CERT_INFO *", buffer)
            code, _length = await call(
                io,
                lambda moved, overlapped, info=info, size=size: http.HttpReceiveClientCertificate(  # type: ignore[misc]
                    io.handle, connection, 0, info, size, moved, overlapped
                ),
                buffer,
            )
            # the size that comes with it is that of the structure alone, since Windows 2003
            if code != ErrorCode.ERROR_MORE_DATA or not size - least < info.CertEncodedSize <= _LARGEST:
                break
            size = least + info.CertEncodedSize
        if code == ErrorCode.ERROR_NOT_FOUND:
            return None
        self._check(code, "HttpReceiveClientCertificate")
        if not info.pCertEncoded:
            return None
        return bytes(ffi.buffer(info.pCertEncoded, info.CertEncodedSize))

    def _check(self, code: int, function: str, subject: str = "") -> None:
        """Raise ConnectionResetError when the client is gone, Win32Error for other codes than 0."""
        if code == ErrorCode.ERROR_CONNECTION_INVALID:
            self._stream.client_gone(code)
        if code in _OVER:
            raise ConnectionResetError(f"{function}: the client has disconnected, or the exchange is over")
        if code:
            raise Win32Error(code, function, subject)
