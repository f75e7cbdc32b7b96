"""A request queue through hostler's typed calls and nothing else, with a completion port that is looked at by hand."""

from __future__ import annotations

import contextlib
import socket

from hostler.server.httpsys._bindings import ffi
from tests.wine.pulse import Pulse

SUCCESS, PENDING, MORE_DATA = 0, 997, 234
VERSION = ffi.new("HTTPAPI_VERSION *", (2, 0))
SERVER = 1
"""HTTP_INITIALIZE_SERVER."""
BINDING = 7
"""HttpServerBindingProperty."""
SKIP_ON_SUCCESS = 1 | 2
"""FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE."""
SMALLEST = 848
"""Bytes of HTTP_REQUEST_V1: less is refused, and no request fits."""
ROOMY = 8192
PATIENCE = 10_000
"""Milliseconds that a packet may take."""


class Call:
    """One overlapped call: what it returned, and what it may still write to."""

    def __init__(self, room=0):
        self.overlapped = ffi.new("OVERLAPPED *")
        self.size = ffi.new("uint32_t *")
        self.buffer = ffi.new("char[]", max(room, 1))
        self.code = None

    @property
    def address(self):
        return int(ffi.cast("uintptr_t", self.overlapped))

    @property
    def request(self):
        return ffi.cast("HTTP_REQUEST *", self.buffer)

    @property
    def request_id(self):
        return ffi.cast("HTTP_REQUEST_V1 *", self.buffer).RequestId


class NativeQueue:
    """A session, a URL group with one URL, a queue, and (unless the test has its own) a port; closed at the end."""

    def __init__(self, windows, *, port=True):
        self.windows = windows
        self.http, self.kernel = windows.http, windows.kernel
        self._stack = contextlib.ExitStack()
        self._has_port = port
        self._calls = []
        """Kept for as long as the queue: Windows may write to them."""

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack):
        http = self.http
        assert http.HttpInitialize(VERSION[0], SERVER, ffi.NULL) == SUCCESS
        stack.callback(http.HttpTerminate, SERVER, ffi.NULL)
        session = ffi.new("HTTP_SERVER_SESSION_ID *")
        assert http.HttpCreateServerSession(VERSION[0], session, 0) == SUCCESS
        stack.callback(http.HttpCloseServerSession, session[0])
        group = ffi.new("HTTP_URL_GROUP_ID *")
        assert http.HttpCreateUrlGroup(session[0], group, 0) == SUCCESS
        handle = ffi.new("HANDLE *")
        assert http.HttpCreateRequestQueue(VERSION[0], ffi.NULL, ffi.NULL, 0, handle) == SUCCESS
        self.handle = handle[0]
        stack.callback(self.close)
        self.is_open = True
        binding = ffi.new("HTTP_BINDING_INFO *")
        binding.Flags = 1
        binding.RequestQueueHandle = self.handle
        assert http.HttpSetUrlGroupProperty(group[0], BINDING, binding, ffi.sizeof(binding[0])) == SUCCESS
        self.group = group[0]
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        assert http.HttpAddUrlToUrlGroup(self.group, self.url, 17, 0) == SUCCESS
        stack.enter_context(Pulse(self.port))
        if self._has_port:
            self._associate(stack)

    def _associate(self, stack):
        kernel = self.kernel
        self._port = kernel.CreateIoCompletionPort(ffi.cast("HANDLE", -1), ffi.NULL, 0, 0)
        assert self._port != ffi.NULL
        stack.callback(kernel.CloseHandle, self._port)
        assert kernel.CreateIoCompletionPort(self.handle, self._port, 0, 0) != ffi.NULL

    def __exit__(self, *_):
        self._stack.close()

    def close(self):
        """Close the queue, once; returns what HttpCloseRequestQueue does."""
        if self.is_open:
            self.is_open = False
            return self.http.HttpCloseRequestQueue(self.handle)
        return None

    def skip_on_success(self):
        assert self.kernel.SetFileCompletionNotificationModes(self.handle, SKIP_ON_SUCCESS)

    # -- calls ----------------------------------------------------------------------------------------------------

    def receive(self, request_id=0, room=ROOMY):
        call = self._call(room)
        call.code = self.http.HttpReceiveHttpRequest(
            self.handle, request_id, 0, call.request, room, call.size, call.overlapped
        )
        return call

    def read_body(self, request_id, room=4096):
        call = self._call(room)
        call.code = self.http.HttpReceiveRequestEntityBody(
            self.handle, request_id, 0, call.buffer, room, call.size, call.overlapped
        )
        return call

    def respond(self, request_id, status=200, body=b"", flags=0):
        call = self._call()
        reason, length = b"Fine", b"%d" % len(body)
        keep = [ffi.from_buffer("char[]", data) for data in (reason, length, body)]
        response = ffi.new("HTTP_RESPONSE *")
        response.Version.MajorVersion = response.Version.MinorVersion = 1
        response.StatusCode = status
        response.pReason, response.ReasonLength = keep[0], len(reason)
        known = response.Headers.KnownHeaders[11]  # HttpHeaderContentLength
        known.pRawValue, known.RawValueLength = keep[1], len(length)
        if body:
            chunk = ffi.new("HTTP_DATA_CHUNK *")
            chunk.DataChunkType = 0  # HttpDataChunkFromMemory
            chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength = keep[2], len(body)
            response.EntityChunkCount, response.pEntityChunks = 1, chunk
            keep.append(chunk)
        call.buffer = [response, *keep]
        call.code = self.http.HttpSendHttpResponse(
            self.handle,
            request_id,
            flags,
            response,
            ffi.NULL,
            call.size,
            ffi.NULL,
            0,
            call.overlapped,
            ffi.NULL,
        )
        return call

    def cancel(self, call):
        """Cancel a call; returns what CancelIoEx does and, when that fails, the error."""
        if self.kernel.CancelIoEx(self.handle, call.overlapped):
            return True, 0
        return False, self.kernel.GetLastError()

    def _call(self, room=0):
        call = Call(room)
        self._calls.append(call)
        return call

    # -- packets --------------------------------------------------------------------------------------------------

    def packets(self, count=1):
        """Wait for so many packets; gives (address, Win32 code, bytes) of each."""
        found = []
        while len(found) < count:
            more = self._take(PATIENCE)
            assert more, f"{count - len(found)} packets did not come"
            found += more
        return found

    def no_packet(self):
        """Whether no packet is there."""
        return self._take(50) == []

    def _take(self, milliseconds):
        entries = ffi.new("OVERLAPPED_ENTRY[]", 16)
        count = ffi.new("uint32_t *")
        if not self.kernel.GetQueuedCompletionStatusEx(self._port, entries, 16, count, milliseconds, 0):
            assert self.kernel.GetLastError() == 258  # WAIT_TIMEOUT
            return []
        return [self._packet(entries[at]) for at in range(count[0])]

    def _packet(self, entry):
        overlapped = ffi.cast("OVERLAPPED *", entry.lpOverlapped)
        code = self.windows.nt.RtlNtStatusToDosError(overlapped.Internal & 0xFFFFFFFF)
        return int(ffi.cast("uintptr_t", overlapped)), code, entry.dwNumberOfBytesTransferred

    # -- requests -------------------------------------------------------------------------------------------------

    def client(self):
        """Connect; the connection is closed with the queue."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE / 1000)
        self._stack.callback(sock.close)
        return sock

    def send(self, client, method="GET", target="/", body=b"", **headers):
        lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{self.port}"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def received(self, **request):
        """Receive a request that a client of its own sends; gives its client and its call."""
        call = self.receive()
        assert call.code == PENDING
        client = self.client()
        self.send(client, **request)
        assert self.packets()[0][:2] == (call.address, SUCCESS)
        return client, call

    def receive_at_once(self, room=ROOMY):
        """Receive a request that waits already.

        Two clients send, and one receive waits: when its packet is here the other request mostly is, too.
        """
        for _ in range(100):
            assert self.receive().code == PENDING
            for _ in range(2):
                self.send(self.client())
            self.packets()
            call = self.receive(room=room)
            if call.code != PENDING:
                return call
            self.packets()
        raise AssertionError("no request ever waited")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answer(client):
    """Read an answer with a Content-Length; gives (status line, body)."""
    with client.makefile("rb") as reader:
        status = reader.readline().decode().rstrip()
        length = 0
        while (line := reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, reader.read(length)
