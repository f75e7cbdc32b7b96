"""httpapi.dll: what is asked and set of a request and its connection, and the response cache."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.calls.queue_calls import QueueCalls
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.http2 import Http2Stream

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.port import Operation
    from tests.server.httpsys.model.queue import QueueHandle

# HTTP_REQUEST_PROPERTY
TCP_INFO_V0, TCP_INFO_V1, TCP_INFO_V2 = 1, 3, 10
SNI, STREAM_ERROR, QUIC_STATS_V2, TLS_CLIENT_HELLO = 4, 5, 8, 11

_TCP = {
    TCP_INFO_V0: ("TCP_INFO_v0", 2016),
    TCP_INFO_V1: ("TCP_INFO_v1", 2019),
    TCP_INFO_V2: ("TCP_INFO_v2", 2025),
}
_SNI_USED, _NO_SNI = 1, 2


class FactCalls(QueueCalls):
    """The calls that ask for something, or set it, while a request is there."""

    def HttpReceiveClientCertificate(
        self, handle: Any, connection_id: int, flags: int, info: Any, size: int, out: Any, overlapped: Any
    ) -> int:
        # source: HttpReceiveClientCertificate: ERROR_NOT_FOUND where the client has none
        queue = self._serving(handle)
        request = next(
            (each for each in queue.requests.values() if each.channel.connection_id == connection_id), None
        )
        if request is None:
            raise Win32(c.CONNECTION_INVALID)
        if flags:
            raise Win32(c.INVALID_PARAMETER)
        # guess: a client without TLS has no certificate, as one that has none
        if not request.channel.tls:
            raise Win32(c.NOT_FOUND)
        least = ffi.sizeof("HTTP_SSL_CLIENT_CERT_INFO")
        if size < least:
            raise Win32(c.INSUFFICIENT_BUFFER)
        if request.channel.certificate is not None and self._machine.negotiates_certificates:
            operation = self._process.begin(queue, "HttpReceiveClientCertificate", overlapped, request)
            return self._moved(
                operation, operation.over(*_certificate(request, memory.number(info), size)), out
            )
        # source: aspnetcore#14839: renegotiation is not supported on HTTP/2
        # guess: ERROR_NOT_SUPPORTED says so; no page has the code
        if isinstance(request.channel, Http2Stream):
            raise Win32(c.NOT_SUPPORTED)
        operation = self._process.begin(queue, "HttpReceiveClientCertificate", overlapped, request)
        # source: AspNetCore.Docs#23226: what is in flight of a body must be read before, or it hangs or fails
        if not request.body_over or request.body:
            self._machine.defect("a client is asked for its certificate while some of its body is unread")
            return operation.pend(lambda: None)
        code = operation.pend(lambda: self._machine.held.forget(operation))

        def renegotiated() -> None:
            operation.complete(*_certificate(request, memory.number(info), size))

        self._machine.held.add(operation, renegotiated)
        return code

    def HttpSetRequestProperty(
        self, handle: Any, request_id: int, number: int, value: Any, size: int, overlapped: Any
    ) -> int:
        """Only the code that a HTTP/2 stream is reset with."""
        # source: HTTP_REQUEST_PROPERTY_STREAM_ERROR: of HTTP/2 and HTTP/3 streams
        # guess: which code HTTP/1 gets is not said; ASP.NET never asks there
        queue = self._serving(handle)
        request = queue.request(request_id)
        if number != STREAM_ERROR or size < ffi.sizeof("HTTP_REQUEST_PROPERTY_STREAM_ERROR"):
            raise Win32(c.INVALID_PARAMETER)
        if not isinstance(request.channel, Http2Stream):
            raise Win32(c.NOT_SUPPORTED)
        operation = self._process.begin(queue, "HttpSetRequestProperty", overlapped, request)
        request.channel.error_code = ffi.cast("HTTP_REQUEST_PROPERTY_STREAM_ERROR *", value).ErrorCode
        return operation.over(c.OK)

    def HttpQueryRequestProperty(
        self, handle: Any, request_id: int, number: int, qualifier: Any, qualifier_size: int,
        buffer: Any, size: int, out: Any, overlapped: Any,
    ) -> int:  # fmt: skip
        # source: HTTP_REQUEST_PROPERTY: which are queried, and as what
        queue = self._serving(handle)
        data = self._property(queue.request(request_id), number, qualifier, qualifier_size)
        operation = self._process.begin(
            queue, "HttpQueryRequestProperty", overlapped, queue.request(request_id)
        )
        return self._given(operation, data, buffer, size, out)

    def _given(self, operation: Operation, data: bytes, buffer: Any, size: int, out: Any) -> int:
        """Write a property, or say how large it is."""
        # source: ASP.NET's RequestContext: a buffer that is too small is ERROR_MORE_DATA, or ERROR_INSUFFICIENT_BUFFER,
        # and BytesReturned has the size; NULL may ask for that
        if buffer == ffi.NULL or size < len(data):
            if out != ffi.NULL:
                out[0] = len(data)
            return self._moved(operation, operation.over(c.MORE_DATA, len(data)), out)
        memory.write(memory.number(buffer), data)
        return self._moved(operation, operation.over(c.OK, len(data)), out)

    def _property(self, request: Request, number: int, qualifier: Any, size: int) -> bytes:
        machine, channel = self._machine, request.channel
        if number in _TCP and _TCP[number][1] <= machine.release and request.version < (3, 0):
            # source: HTTP_REQUEST_PROPERTY: TCP and QUIC statistics use the qualifier
            # guess: without one they are refused
            if qualifier == ffi.NULL or size != ffi.sizeof("HTTP_QUERY_REQUEST_QUALIFIER_TCP"):
                raise Win32(c.INVALID_PARAMETER)
            info = ffi.new(f"{_TCP[number][0]} *", {"Mss": 1460, "RttUs": 25_000, "MinRttUs": 20_000})
            info.BytesIn, info.BytesOut, info.Cwnd, info.ConnectionTimeMs = 300, 5000, 14600, 1500
            return bytes(ffi.buffer(info))
        # source: HTTP_REQUEST_PROPERTY_SNI: NO_SNI where the client gave none
        # guess: a connection without TLS has no such property, which is ERROR_INVALID_PARAMETER
        if number == SNI and channel.tls:
            sni = ffi.new(
                "HTTP_REQUEST_PROPERTY_SNI *", {"Flags": _SNI_USED if machine.server_name else _NO_SNI}
            )
            sni.Hostname = machine.server_name
            return bytes(ffi.buffer(sni))
        # source: HTTP_REQUEST_PROPERTY: it takes HTTP_SERVICE_CONFIG_SSL_FLAG_ENABLE_CACHE_CLIENT_HELLO
        # guess: without that there is nothing to be found
        if number == TLS_CLIENT_HELLO and channel.tls and machine.release >= machine.CLIENT_HELLO_SINCE:
            if machine.client_hello is None:
                raise Win32(c.NOT_FOUND)
            return machine.client_hello
        # guess: over TCP there are no QUIC statistics, nor the reverse, which is ERROR_INVALID_PARAMETER
        if number == QUIC_STATS_V2 and request.version == (3, 0) and machine.quic_statistics is not None:
            return machine.quic_statistics
        raise Win32(c.INVALID_PARAMETER)

    # -- the response cache

    def HttpFlushResponseCache(self, handle: Any, url: Any, flags: int, overlapped: Any) -> int:
        # source: HttpFlushResponseCache: the responses under a URL, of this queue
        queue: QueueHandle = self._serving(handle)
        text = memory.text(url)
        if text is None:
            raise Win32(c.INVALID_PARAMETER)
        operation = self._process.begin(queue, "HttpFlushResponseCache", overlapped)
        self._machine.cache.flush(queue.queue, text, flags)
        return operation.over(c.OK)


def _certificate(request: Request, place: int, size: int) -> tuple[int, int]:
    """Write a client's certificate behind its HTTP_SSL_CLIENT_CERT_INFO; returns the code and the size."""
    certificate = request.channel.certificate
    if certificate is None:
        return c.NOT_FOUND, 0
    info = ffi.cast("HTTP_SSL_CLIENT_CERT_INFO *", place)
    least = ffi.sizeof("HTTP_SSL_CLIENT_CERT_INFO")
    info.CertFlags, info.CertEncodedSize = 0, len(certificate)
    if size < least + len(certificate):
        # source: ASP.NET's ClientCertLoader: the size that comes with ERROR_MORE_DATA is that of the structure alone
        return c.MORE_DATA, least
    memory.write(place + least, certificate)
    info.pCertEncoded, info.Token, info.CertDeniedByMapper = ffi.cast("uint8_t *", place + least), ffi.NULL, 0
    return c.OK, least + len(certificate)
