"""What calls return, and whether a packet follows: each case made by hand, on a queue and a port of its own.

Everything that hostler does with a completion port rests on this table, and so does the model of its tests.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from hostler.doctor.proof.errors import expect
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.marshal.memory import uninitialised
from hostler.server.httpsys.marshal.request import request_id
from hostler.server.httpsys.queue import create_queue
from hostler.server.httpsys.session import ServerSession
from hostler.server.options import ServerOptions
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import CompletionMode, ErrorCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hostler.doctor.proof.clients import Client
    from hostler.doctor.proof.rig import Rig
    from hostler.windows.libraries import CData, Handle

__all__ = ["completions"]

_QUIET: Final = 0.3
"""Seconds without a packet after which none comes."""

_LONG: Final = 5.0
_ENOUGH: Final = 16384
_SMALL: Final = 1024
"""Bytes: more than HTTP_REQUEST has, less than a head with a large header."""

_LARGE_HEADER: Final = f"X-Large: {'x' * 4000}"
_NOBODY: Final = 0x1234_5678_9ABC_DEF0
_SKIP: Final = CompletionMode.COMPLETION_PORT_ON_SUCCESS | CompletionMode.SET_EVENT_ON_HANDLE


class _Call:
    """One overlapped call, and what it was given."""

    def __init__(self, size: int = _ENOUGH) -> None:
        self.overlapped = ffi.new("OVERLAPPED *")
        self.length = ffi.new("uint32_t *")
        self.buffer = uninitialised("char[]", size)
        self.size = size
        self.returned = -1

    @property
    def request(self) -> CData:
        """The buffer as a HTTP_REQUEST."""
        return ffi.cast("HTTP_REQUEST *", self.buffer)


class _RawQueue:
    """A queue with a port, called by hand."""

    def __init__(self, rig: Rig, handle: Handle, port: int) -> None:
        self._rig = rig
        self._windows = rig.windows
        self.handle = handle
        self.port = port
        kernel = self._windows.kernel
        self._completions = kernel.CreateIoCompletionPort(ffi.cast("HANDLE", -1), ffi.NULL, 0, 0)
        kernel.CreateIoCompletionPort(handle, self._completions, 0, 0)
        kernel.SetFileCompletionNotificationModes(handle, _SKIP)
        self._calls: list[_Call] = []

    def close(self) -> None:
        """Close the port."""
        self._windows.kernel.CloseHandle(self._completions)

    async def client(self) -> Client:
        """Connect a client."""
        return await self._rig.client(self.port)

    # -- packets

    async def packet(self, call: _Call, patience: float = _LONG) -> int | None:
        """Wait for the packet of a call; returns its code, or None when there is none."""
        entries, taken = ffi.new("OVERLAPPED_ENTRY[]", 1), ffi.new("uint32_t *")
        kernel, milliseconds = self._windows.kernel, int(patience * 1000)
        done = await asyncio.to_thread(
            kernel.GetQueuedCompletionStatusEx, self._completions, entries, 1, taken, milliseconds, 0
        )
        if not done:
            return None
        expect(entries[0].lpOverlapped == call.overlapped, "the packet of this call", "another")
        status = call.overlapped.Internal & 0xFFFF_FFFF
        return self._windows.nt.RtlNtStatusToDosError(status) if status else 0

    async def ended(self, call: _Call) -> int | None:
        """Wait for the end of a call that may be over already; returns its code, or None when it never ends."""
        return await self.packet(call) if call.returned == ErrorCode.ERROR_IO_PENDING else call.returned

    # -- calls

    def _start(self, call: _Call, function: Callable[[CData], int]) -> _Call:
        self._calls.append(call)  # until the end: its memory may be Windows'
        call.returned = function(call.overlapped)
        return call

    def receive(self, request: int = 0, size: int = _ENOUGH) -> _Call:
        """Receive a request."""
        call, http = _Call(size), self._windows.http
        return self._start(
            call,
            lambda overlapped: http.HttpReceiveHttpRequest(
                self.handle, request, 0, call.request, call.size, call.length, overlapped
            ),
        )

    def read(self, request: int) -> _Call:
        """Read of a body."""
        call, http = _Call(), self._windows.http
        return self._start(
            call,
            lambda overlapped: http.HttpReceiveRequestEntityBody(
                self.handle, request, 0, call.buffer, call.size, call.length, overlapped
            ),
        )

    async def answer(self, request: int, client: Client) -> int | None:
        """Answer 204, and have the client read it; returns how the call ended."""
        response = ffi.new("HTTP_RESPONSE *")
        reason = ffi.new("char[]", b"No Content")
        response.StatusCode, response.pReason, response.ReasonLength = 204, reason, len(reason) - 1
        call, http, null = _Call(), self._windows.http, ffi.NULL
        self._start(
            call,
            lambda overlapped: http.HttpSendHttpResponse(
                self.handle, request, 0, response, null, call.length, null, 0, overlapped, null
            ),
        )
        code = await self.ended(call)
        await client.head()
        return code


@asynccontextmanager
async def _raw_queue(rig: Rig) -> AsyncIterator[_RawQueue]:
    queue = create_queue(rig.windows)
    try:
        session = ServerSession(rig.windows)
        try:
            anywhere = UrlPrefix.parse("http://localhost:0/")
            (prefix,) = session.group_for(queue, ServerOptions()).add_all([anywhere], queue)
            raw = _RawQueue(rig, queue.handle, prefix.port)
            try:
                yield raw
                last = raw.receive()
                queue.close()
                code = await raw.packet(last)
                expect(
                    code == ErrorCode.ERROR_OPERATION_ABORTED,
                    "995 for a receive of a queue that closes",
                    code,
                )
            finally:
                queue.close()
                raw.close()
        finally:
            session.close()
    finally:
        queue.close()


async def completions(rig: Rig) -> None:
    """What calls return, and which of them a packet follows."""
    async with _raw_queue(rig) as queue:
        await _waits(rig, queue)
        await _is_there_already(rig, queue)
        await _too_small(rig, queue)
        await _nobody(rig, queue)
        await _cancelled(rig, queue)


async def _waits(rig: Rig, queue: _RawQueue) -> None:
    """A receive that finds nothing pends; its packet comes with the request. A body that is not there is at its end."""
    await rig.settle()
    call = queue.receive()
    expect(call.returned == ErrorCode.ERROR_IO_PENDING, "997 of a receive that finds nothing", call.returned)
    client = await queue.client()
    await client.ask("/waits")
    code = await queue.packet(call)
    expect(code == 0, "a packet with 0 for a request that arrives", code)
    request = request_id(call.request)
    read = queue.read(request)
    code = await queue.ended(read)
    expect(code == ErrorCode.ERROR_HANDLE_EOF, "38 of a read at the end of a body", code)
    if read.returned == code:
        packet = await queue.packet(read, _QUIET)
        expect(packet is None, "no packet for a read that failed", packet)
    code = await queue.answer(request, client)
    expect(code == 0, "0 of a response", code)
    await client.close()


async def _is_there_already(rig: Rig, queue: _RawQueue) -> None:
    """A receive that finds a request is over at once, and no packet follows; so with a body that is there."""
    client = await queue.client()
    await client.ask("/there", "Content-Length: 10", method="POST")
    await client.send(b"0123456789")
    await rig.settle()
    call = queue.receive()
    expect(call.returned == 0, "0 of a receive that finds a request", call.returned)
    packet = await queue.packet(call, _QUIET)
    expect(packet is None, "no packet after 0", packet)
    request = request_id(call.request)
    await rig.settle()
    code = await queue.ended(queue.read(request))
    expect(code == 0, "0 of a read of a body that is there", code)
    await queue.answer(request, client)
    await client.close()


async def _too_small(rig: Rig, queue: _RawQueue) -> None:
    """Too small a buffer: 234, with the id; at once when the request is there already, and then no packet follows."""
    client = await queue.client()
    await rig.settle()
    pending = queue.receive(size=_SMALL)
    await client.ask("/pending", _LARGE_HEADER)
    code = await queue.packet(pending)
    expect(code == ErrorCode.ERROR_MORE_DATA, "a packet with 234 for too small a buffer", code)
    await _again(queue, pending, client)
    await client.ask("/there", _LARGE_HEADER)
    await rig.settle()
    call = queue.receive(size=_SMALL)
    expect(call.returned == ErrorCode.ERROR_MORE_DATA, "234 at once for too small a buffer", call.returned)
    packet = await queue.packet(call, _QUIET)
    expect(packet is None, "no packet after 234", packet)
    await _again(queue, call, client)
    await client.close()


async def _again(queue: _RawQueue, call: _Call, client: Client) -> None:
    request = request_id(call.request)
    again = queue.receive(request)
    expect(again.returned == 0, "0 of a receive by id", again.returned)
    packet = await queue.packet(again, _QUIET)
    expect(packet is None, "no packet after a receive by id that was over at once", packet)
    await queue.answer(request, client)


async def _nobody(rig: Rig, queue: _RawQueue) -> None:
    """A request that is not there: 1229, and no packet."""
    await rig.settle()
    calls = (("receive", queue.receive(_NOBODY)), ("read", queue.read(_NOBODY)))
    for what, call in calls:
        expected = ErrorCode.ERROR_CONNECTION_INVALID
        expect(call.returned == expected, f"1229 of a {what} by an id that nobody has", call.returned)
        packet = await queue.packet(call, _QUIET)
        expect(packet is None, "no packet after 1229", packet)


async def _cancelled(rig: Rig, queue: _RawQueue) -> None:
    """A receive that is cancelled ends with 995; there is nothing to cancel twice."""
    await rig.settle()
    call = queue.receive()
    kernel = rig.windows.kernel
    expect(kernel.CancelIoEx(queue.handle, call.overlapped), "CancelIoEx to succeed", kernel.GetLastError())
    code = await queue.packet(call)
    expect(code == ErrorCode.ERROR_OPERATION_ABORTED, "a packet with 995 for what is cancelled", code)
    expect(
        not kernel.CancelIoEx(queue.handle, call.overlapped), "CancelIoEx to fail the second time", "success"
    )
