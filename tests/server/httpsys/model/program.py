"""A program that calls Windows as a C program would, for the tests of the fake itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c

if TYPE_CHECKING:
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import FakeWindows

NULL = ffi.NULL
VERSION = ffi.new("HTTPAPI_VERSION *", (2, 0))
URL = "http://localhost:8080/"
INVALID_HANDLE_VALUE = ffi.cast("HANDLE", -1)
BINDING, DELEGATION = 7, 16


def address_of(pointer: Any) -> int:
    """Give a pointer as a number."""
    return int(ffi.cast("uintptr_t", pointer))


@define(eq=False)
class Io:
    """One call: its memory, what it returned, what it moved."""

    overlapped: Any = field(factory=lambda: ffi.new("OVERLAPPED *"))
    buffer: Any = NULL
    moved: Any = field(factory=lambda: ffi.new("uint32_t *"))
    code: int = -1
    keep: Any = None

    @property
    def size(self) -> int:
        return int(self.moved[0])

    @property
    def address(self) -> int:
        return address_of(self.overlapped)

    @property
    def request(self) -> Any:
        return ffi.cast("HTTP_REQUEST *", self.buffer)

    @property
    def data(self) -> bytes:
        return bytes(ffi.buffer(self.buffer, self.size))


def native_response(
    status: int = 200,
    headers: dict[str, str] | None = None,
    chunks: list[Any] | None = None,
    several: dict[str, list[str]] | None = None,
) -> tuple[Any, list[Any]]:
    """Build a HTTP_RESPONSE; returns it, and what has to stay alive with it."""
    keep: list[Any] = []

    def text(value: str) -> Any:
        keep.append(ffi.new("char[]", value.encode("latin-1")))
        return keep[-1]

    response = ffi.new("HTTP_RESPONSE *")
    response.StatusCode, response.pReason, response.ReasonLength = status, text("Fine"), 4
    unknown = []
    known = [name.lower() for name in c.RESPONSE_HEADERS]
    for name, value in (headers or {}).items():
        if name.lower() in known:
            header = response.Headers.KnownHeaders[known.index(name.lower())]
            header.pRawValue, header.RawValueLength = text(value), len(value)
        else:
            unknown.append((len(name), len(value), text(name), text(value)))
    array = ffi.new("HTTP_UNKNOWN_HEADER[]", unknown)
    response.Headers.UnknownHeaderCount, response.Headers.pUnknownHeaders = len(unknown), array
    infos = []
    for name, values in (several or {}).items():
        values_array = ffi.new("HTTP_KNOWN_HEADER[]", [(len(value), text(value)) for value in values])
        info = ffi.new("HTTP_MULTIPLE_KNOWN_HEADERS *")
        info.HeaderId = known.index(name.lower())
        info.KnownHeaderCount, info.KnownHeaders = len(values), values_array
        infos.append((0, ffi.sizeof(info[0]), info))
        keep += [values_array, info]
    infos_array = ffi.new("HTTP_RESPONSE_INFO[]", infos)
    response.ResponseInfoCount, response.pResponseInfo = len(infos), infos_array
    chunk_array = native_chunks(chunks or [])
    response.EntityChunkCount, response.pEntityChunks = len(chunks or []), chunk_array
    return response, [*keep, array, infos_array, chunk_array, chunks]


def native_chunks(chunks: list[Any]) -> Any:
    """Lay HTTP_DATA_CHUNKs out one behind the other."""
    array = ffi.new("HTTP_DATA_CHUNK[]", max(len(chunks), 1))
    for at, chunk in enumerate(chunks):
        ffi.memmove(array + at, chunk, ffi.sizeof("HTTP_DATA_CHUNK"))
    return array


_living: list[Any] = []


def memory_chunk(data: bytes) -> Any:
    """Make a chunk of memory."""
    chunk = ffi.new("HTTP_DATA_CHUNK *")
    buffer = ffi.new("char[]", max(len(data), 1))
    ffi.memmove(buffer, data, len(data))
    chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength = buffer, len(data)
    _living.append(buffer)
    del _living[:-64]
    return chunk


def trailers_chunk(trailers: dict[str, str]) -> Any:
    """Make a chunk of trailers."""
    chunk = ffi.new("HTTP_DATA_CHUNK *", {"DataChunkType": c.TRAILERS})
    texts = [ffi.new("char[]", part.encode()) for pair in trailers.items() for part in pair]
    array = ffi.new(
        "HTTP_UNKNOWN_HEADER[]",
        [(len(n), len(v), texts[2 * at], texts[2 * at + 1]) for at, (n, v) in enumerate(trailers.items())],
    )
    chunk.Trailers.TrailerCount, chunk.Trailers.pTrailers = len(trailers), array
    _living.append((texts, array))
    return chunk


class Program:
    """A process with a session, a URL group and a queue, and a port for it."""

    def __init__(
        self,
        machine: Machine,
        name: str = "program",
        *,
        queue: str | None = None,
        flags: int = 0,
        urls: tuple[str, ...] = (URL,),
        skips: bool = True,
        port: bool = True,
        windows: FakeWindows | None = None,
    ) -> None:
        self.machine = machine
        machine.kept.append(self)
        self._living: list[Io] = []
        """The memory of every call, which some test looks at later."""
        self.windows = windows or machine.process(name)
        self.http, self.kernel = self.windows.http, self.windows.kernel
        assert self.http.HttpInitialize(VERSION[0], 3, NULL) == 0
        session, group = ffi.new("HTTP_SERVER_SESSION_ID *"), ffi.new("HTTP_URL_GROUP_ID *")
        assert self.http.HttpCreateServerSession(VERSION[0], session, 0) == 0
        assert self.http.HttpCreateUrlGroup(session[0], group, 0) == 0
        self.session, self.group = session[0], group[0]
        code, self.queue = self.open(queue, flags)
        assert code == 0, code
        if not flags & c.OPEN_EXISTING:
            assert self.bind(self.queue) == 0
        for at, url in enumerate(urls if not flags & c.OPEN_EXISTING else ()):
            assert self.add(url, at + 1) == 0
        if port:
            self.port = self.kernel.CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0)
            self.associate(self.queue, skips=skips)

    def associate(self, queue: Any, *, skips: bool = True) -> None:
        """Have calls on a queue complete at the port."""
        assert self.kernel.CreateIoCompletionPort(queue, self.port, 7, 0) == self.port
        if skips:
            assert self.kernel.SetFileCompletionNotificationModes(queue, 3)

    def open(self, name: str | None, flags: int = 0, security: Any = NULL) -> tuple[int, Any]:
        """Call HttpCreateRequestQueue."""
        handle = ffi.new("HANDLE *")
        code = self.http.HttpCreateRequestQueue(VERSION[0], name or NULL, security, flags, handle)
        return code, handle[0]

    def add(self, url: str, context: int = 0) -> int:
        """Register a URL."""
        return self.http.HttpAddUrlToUrlGroup(self.group, url, context, 0)

    def bind(self, queue: Any, number: int = BINDING, *, present: int = 1) -> int:
        """Set the group's binding, or its delegation."""
        info = ffi.new("HTTP_BINDING_INFO *", (present, queue))
        return self.http.HttpSetUrlGroupProperty(self.group, number, info, ffi.sizeof(info[0]))

    # -- I/O

    def _io(self, buffer: Any = NULL) -> Io:
        self._living.append(Io(buffer=buffer))
        return self._living[-1]

    def receive(self, size: int = 4096, request_id: int = 0, flags: int = 0, io: Io | None = None) -> Io:
        """Call HttpReceiveHttpRequest."""
        io = io or self._io(ffi.new("char[]", size))
        buffer = ffi.cast("HTTP_REQUEST *", io.buffer)
        io.code = self.http.HttpReceiveHttpRequest(
            self.queue, request_id, flags, buffer, size, io.moved, io.overlapped
        )
        return io

    def take(self) -> Any:
        """Receive a request that waits; returns the call that has it."""
        io = self.receive()
        assert io.code == 0, io.code
        return io

    def read(self, request_id: int, size: int = 4096, flags: int = 0) -> Io:
        """Call HttpReceiveRequestEntityBody."""
        io = self._io(ffi.new("char[]", size))
        io.code = self.http.HttpReceiveRequestEntityBody(
            self.queue, request_id, flags, io.buffer, size, io.moved, io.overlapped
        )
        return io

    def respond(
        self,
        request_id: int,
        body: bytes | list[Any] = b"",
        flags: int = 0,
        *,
        buffered: bool = True,
        **head: Any,
    ) -> Io:
        """Call HttpSendHttpResponse."""
        flags |= c.BUFFER_DATA if buffered else 0
        io = self._io()
        chunks = body if isinstance(body, list) else [memory_chunk(body)] if body else []
        response, keep = native_response(chunks=chunks, **head)
        io.keep = (response, keep)
        io.code = self.http.HttpSendHttpResponse(
            self.queue, request_id, flags, response, NULL, io.moved, NULL, 0, io.overlapped, NULL
        )
        return io

    def send(
        self, request_id: int, body: bytes | list[Any] = b"", flags: int = 0, *, buffered: bool = True
    ) -> Io:
        """Call HttpSendResponseEntityBody."""
        flags |= c.BUFFER_DATA if buffered else 0
        io = self._io()
        chunks = body if isinstance(body, list) else [memory_chunk(body)] if body else []
        io.keep = (native_chunks(chunks), chunks)
        io.code = self.http.HttpSendResponseEntityBody(
            self.queue, request_id, flags, len(chunks), io.keep[0] if chunks else NULL, io.moved, NULL, 0,
            io.overlapped, NULL,
        )  # fmt: skip
        return io

    def call(self, function: str, *arguments: Any) -> Io:
        """Call a function of httpapi.dll on the queue, with an OVERLAPPED at the end."""
        io = self._io()
        io.code = getattr(self.http, function)(self.queue, *arguments, io.overlapped)
        return io

    def cancel(self, io: Io) -> int:
        """Call CancelIoEx; returns 0, or the last error."""
        return 0 if self.kernel.CancelIoEx(self.queue, io.overlapped) else self.kernel.GetLastError()

    def packets(self, timeout: int = 0, most: int = 16) -> list[tuple[int, int, int]]:
        """Take packets: the OVERLAPPED's address, the code, and the size of each."""
        entries, count = ffi.new("OVERLAPPED_ENTRY[]", most), ffi.new("uint32_t *")
        if not self.kernel.GetQueuedCompletionStatusEx(self.port, entries, most, count, timeout, 0):
            assert self.kernel.GetLastError() == c.WAIT_TIMEOUT
            return []
        return [
            (
                address_of(entry.lpOverlapped),
                self.windows.nt.RtlNtStatusToDosError(entry.Internal & 0xFFFFFFFF),
                entry.dwNumberOfBytesTransferred,
            )
            for entry in entries[0 : count[0]]
        ]

    def result(self, io: Io) -> tuple[int, int]:
        """Take the packet of one call: the code and the size."""
        [(address, code, size)] = self.packets()
        assert address == io.address
        return code, size

    def close(self) -> None:
        """Give everything back."""
        assert self.http.HttpCloseRequestQueue(self.queue) == 0
        assert self.http.HttpCloseServerSession(self.session) == 0
        self.packets()
        assert self.kernel.CloseHandle(self.port)
        assert self.http.HttpTerminate(3, NULL) == 0
