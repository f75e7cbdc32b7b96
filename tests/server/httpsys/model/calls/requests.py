"""httpapi.dll: receiving requests, answering them, handing them on (C9 of what Microsoft documents)."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.calls.queue_calls import QueueCalls
from tests.server.httpsys.model.chunks import read_chunks, read_head
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.log import read_log_data
from tests.server.httpsys.model.request import write_request

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.queue import QueueHandle

_LEAST_BUFFER = ffi.sizeof("HTTP_REQUEST_V1")
_SEND_FLAGS = (
    c.DISCONNECT
    | c.MORE
    | c.BUFFER_DATA
    | c.NAGLING
    | c.PROCESS_RANGES
    | c.OPAQUE
    | c.GOAWAY
    | c.AUTOMATIC_CHUNKING
)
_DELEGATE_URL = 1
_MOST_CHUNKS_OF_A_RESPONSE = 100
"""What Microsoft documents for EntityChunkCount of HTTP_RESPONSE."""


class RequestCalls(QueueCalls):
    """The calls that move requests and responses."""

    # -- requests

    def HttpReceiveHttpRequest(
        self, handle: Any, request_id: int, flags: int, buffer: Any, size: int, out: Any, overlapped: Any
    ) -> int:
        # source: HttpReceiveHttpRequest: COPY_BODY or FLUSH_BODY; ERROR_HANDLE_EOF for a request that was received
        # source: wine: http.sys/http.c: 122 for a buffer that is smaller than HTTP_REQUEST_V1
        queue = self._serving(handle)
        address = memory.number(buffer)
        if flags & ~(c.COPY_BODY | c.FLUSH_BODY) or flags == c.COPY_BODY | c.FLUSH_BODY or not address:
            raise Win32(c.INVALID_PARAMETER)
        if size < _LEAST_BUFFER:
            raise Win32(c.INSUFFICIENT_BUFFER)
        # source: HttpReceiveHttpRequest: ERROR_NOACCESS for a buffer that is not aligned; here it is a defect
        if address % 8:
            self._machine.defect("the buffer of HttpReceiveHttpRequest is not aligned")
        operation = self._process.begin(queue, "HttpReceiveHttpRequest", overlapped)

        def deliver(request: Request) -> tuple[int, int]:
            if operation.memory_gone or not memory.mapped(address, size):
                self._machine.defect("the buffer of HttpReceiveHttpRequest is gone")
                return c.NOACCESS, 0
            return write_request(request, address, size, body=bool(flags))

        if not request_id:
            return self._moved(operation, queue.receive(operation, deliver), out)
        request = queue.request(request_id)
        if request.received:
            raise Win32(c.HANDLE_EOF)
        return self._moved(operation, operation.over(*deliver(request)), out)

    def HttpReceiveRequestEntityBody(
        self, handle: Any, request_id: int, flags: int, buffer: Any, size: int, out: Any, overlapped: Any
    ) -> int:
        # source: HttpReceiveRequestEntityBody: FILL_BUFFER is the only flag
        queue = self._serving(handle)
        request = queue.request(request_id)
        if flags & ~c.FILL_BUFFER:
            raise Win32(c.INVALID_PARAMETER)
        operation = self._process.begin(queue, "HttpReceiveRequestEntityBody", overlapped, request)
        code = request.read_body(operation, memory.number(buffer), size, fill=bool(flags & c.FILL_BUFFER))
        return self._moved(operation, code, out)

    def HttpCancelHttpRequest(self, handle: Any, request_id: int, overlapped: Any) -> int:
        # source: HttpCancelHttpRequest: the connection goes with it
        queue = self._serving(handle)
        request = queue.request(request_id)
        operation = self._process.begin(queue, "HttpCancelHttpRequest", overlapped)
        request.cancel()
        return operation.over(c.OK)

    def HttpWaitForDisconnectEx(self, handle: Any, connection_id: int, reserved: int, overlapped: Any) -> int:
        # guess: no page says how it differs; ASP.NET uses either as if they were the same
        return self._wait(handle, connection_id, overlapped)

    def HttpWaitForDisconnect(self, handle: Any, connection_id: int, overlapped: Any) -> int:
        # source: HttpWaitForDisconnect: overlapped, until the connection is gone
        return self._wait(handle, connection_id, overlapped)

    def _wait(self, handle: Any, connection_id: int, overlapped: Any) -> int:
        """Wait for the end of a connection, or of this process' part in the queue."""
        queue = self._serving(handle)
        connection = self._machine.connections.get(connection_id)
        if connection is None:
            raise Win32(c.CONNECTION_INVALID)
        if queue.shut:
            raise Win32(c.INVALID_HANDLE)
        operation = self._process.begin(queue, "HttpWaitForDisconnectEx", overlapped)
        connection.waits.append(operation)
        queue.waits.append(operation)
        operation.finished = lambda: queue.waits.remove(operation)
        return operation.pend(lambda: connection.waits.remove(operation))

    # -- responses

    def HttpSendHttpResponse(
        self, handle: Any, request_id: int, flags: int, response: Any, cache: Any, out: Any,
        reserved1: Any, reserved2: int, overlapped: Any, log: Any,
    ) -> int:  # fmt: skip
        # source: HttpSendHttpResponse: overlapped; what has too many chunks is ERROR_INVALID_PARAMETER
        queue = self._serving(handle)
        request = queue.request(request_id)
        self._send_flags(flags, reserved1, reserved2)
        head = read_head(self._process, response)
        # source: HTTP_RESPONSE_V1: EntityChunkCount cannot exceed 100
        # guess: more of them are ERROR_INVALID_PARAMETER
        if response.EntityChunkCount > _MOST_CHUNKS_OF_A_RESPONSE:
            raise Win32(c.INVALID_PARAMETER)
        chunks = read_chunks(self._process, response.EntityChunkCount, response.pEntityChunks)
        operation = self._process.begin(queue, "HttpSendHttpResponse", overlapped, request)
        policy = (0, 0) if cache == ffi.NULL else (cache.Policy, cache.SecondsToLive)
        code = request.send(operation, flags, head, chunks, read_log_data(log), policy)
        return self._moved(operation, code, out)

    def HttpSendResponseEntityBody(
        self, handle: Any, request_id: int, flags: int, count: int, pointer: Any, out: Any,
        reserved1: Any, reserved2: int, overlapped: Any, log: Any,
    ) -> int:  # fmt: skip
        # source: HttpSendResponseEntityBody: overlapped, after the head
        queue = self._serving(handle)
        request = queue.request(request_id)
        self._send_flags(flags, reserved1, reserved2)
        chunks = read_chunks(self._process, count, pointer)
        operation = self._process.begin(queue, "HttpSendResponseEntityBody", overlapped, request)
        return self._moved(operation, request.send(operation, flags, None, chunks, read_log_data(log)), out)

    def _send_flags(self, flags: int, reserved1: Any, reserved2: int) -> None:
        """Refuse flags that this Windows does not know."""
        # source: HttpSendHttpResponse, HttpSendResponseEntityBody: Reserved1 must be NULL, Reserved2 zero
        if reserved2 or memory.number(reserved1):
            raise Win32(c.INVALID_PARAMETER)
        # source: ASP.NET's Response: GOAWAY is ERROR_INVALID_PARAMETER where it is not known
        # guess: AUTOMATIC_CHUNKING came with it
        known = (
            _SEND_FLAGS if self._machine.release >= 2022 else _SEND_FLAGS & ~(c.GOAWAY | c.AUTOMATIC_CHUNKING)
        )
        if flags & ~known:
            raise Win32(c.INVALID_PARAMETER)

    # -- delegation

    def HttpDelegateRequestEx(
        self, handle: Any, target: Any, request_id: int, group_id: int, count: int, infos: Any
    ) -> int:
        # guess: a Win32 code comes back, as ASP.NET takes it; the function's page says that it is an NTSTATUS
        source = self._serving(handle)
        to: QueueHandle = self._process.file(target, "queue handle")
        request = source.request(request_id)
        url = self._delegate_url(count, infos)
        # source: "YARP HTTP.sys Delegation": not once the body was begun, or the response
        # guess: the code is ERROR_INVALID_PARAMETER
        if not request.received or request.body_begun or request.reply is not None:
            raise Win32(c.INVALID_PARAMETER)
        # guess: without a rule of the request's own URL group it is ERROR_INVALID_PARAMETER
        if request.group is None or request.group.rules.get(to.queue) is not to:
            raise Win32(c.INVALID_PARAMETER)
        # source: YARP's HttpSysDelegator: ERROR_OBJECT_NO_LONGER_EXISTS where the receiver has closed its queue, ERROR_FILE_NOT_FOUND before that
        if to.detached:
            raise Win32(c.OBJECT_NO_LONGER_EXISTS if self._machine.detaches_delegators else c.FILE_NOT_FOUND)
        if to.queue.refusal() is not None:
            raise Win32(c.FILE_NOT_FOUND)
        registration = self._machine.registry.group_of(url, to.queue)
        # source: aspnetcore#40358, yarp#1587: a group id of before is ERROR_INVALID_PARAMETER, 0 has HTTP.sys find the group
        if group_id and (registration is None or registration.group.id != group_id):
            raise Win32(c.INVALID_PARAMETER)
        # guess: a DelegateUrl that nobody registered for the queue is ERROR_FILE_NOT_FOUND (`Machine.lenient_delegate_url` lifts that)
        if registration is None and not self._machine.lenient_delegate_url:
            raise Win32(c.FILE_NOT_FOUND)
        if registration is not None:
            request.group = registration.group
        request.delegate(to.queue, registration.context if registration is not None else 0)
        return c.OK

    def _delegate_url(self, count: int, infos: Any) -> str:
        """Read HTTP_DELEGATE_REQUEST_PROPERTY_INFO, which has to have the URL prefix; raises Win32."""
        if count != 1 or infos == ffi.NULL or infos[0].PropertyId != _DELEGATE_URL:
            raise Win32(c.INVALID_PARAMETER)
        size = infos[0].PropertyInfoLength
        data = memory.read(memory.number(infos[0].PropertyInfo), size)
        if not data or size % 2:
            raise Win32(c.INVALID_PARAMETER)
        text = data.decode("utf-16-le")
        # source: ASP.NET's RequestContext: PropertyInfoLength is that of the text without its NUL
        if text.endswith("\0"):
            self._machine.defect("the DelegateUrl property counts its NUL")
        return text
