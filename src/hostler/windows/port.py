"""Overlapped calls and the completion ports that say when they are over.

How it fits together. An asynchronous call gets a pointer to an OVERLAPPED. It either fails at once, or is over at
once, or returns ERROR_IO_PENDING and is over when a packet with that pointer comes out of the completion port that
the file handle is associated with. Until then Windows owns the OVERLAPPED and every buffer that the call was given:
to free them early is to have the kernel write into somebody else's memory. Hence the rules here:

- An `Operation` owns its OVERLAPPED, and `keep` holds what the call was given. The port knows the operation from
  before the call until its packet has been taken, whatever becomes of the rest: a cancel only asks (`CancelIoEx`), the
  packet comes all the same, with ERROR_OPERATION_ABORTED; closing the handle completes what is pending likewise.
- Handles skip the packet of a call that is over at once (`SetFileCompletionNotificationModes`); where Windows does
  not do that, such a call counts as pending, because its packet comes.
- Packets of unknown addresses are ignored.
- Completions come in batches, and a batch wakes the event loop once. Callbacks run in the loop's thread.

`ThreadPort` waits in a thread of its own and runs on any event loop; `hostler.windows.proactor` uses the port
that asyncio's Proactor loop waits on anyway. A loop that is closed with operations pending abandons them: the port
then closes the handles itself, takes the packets without calling anybody back, and closes what its calls were given
(`given`) once no operation is pending.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field

from hostler.windows._bindings import ffi
from hostler.windows.constants import CompletionMode, ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.windows.libraries import CData, Handle, Win32

__all__ = ["PENDING", "Closable", "CompletionPort", "IoHandle", "Operation", "ThreadPort"]

PENDING: Final = int(ErrorCode.ERROR_IO_PENDING)
"""What a call returns that is not over yet."""

_INVALID_HANDLE: Final = int(ErrorCode.ERROR_INVALID_HANDLE)
_MORE_DATA: Final = int(ErrorCode.ERROR_MORE_DATA)
_BATCH_SIZE: Final = 64
_POLL_INTERVAL_MS: Final = 1000
"""How often the thread looks whether the event loop is still there."""

_QUIT: Final = 1
"""The completion key of the packet that ends the thread; handles have 0."""

_SKIP: Final = CompletionMode.COMPLETION_PORT_ON_SUCCESS | CompletionMode.SET_EVENT_ON_HANDLE
_INVALID: Final = ffi.cast("HANDLE", -1)
_ZEROS: Final = bytes(ffi.sizeof("OVERLAPPED"))


class Closable(Protocol):
    """What calls are given that must be closed when they are over."""

    def close(self) -> None:
        """Close it."""


class Operation:
    """One overlapped call after another on one handle; `done(code, size)` is called when a pending one is over."""

    __slots__ = ("_io", "_keep", "address", "done", "overlapped", "pending", "size")

    def __init__(self, io: IoHandle, done: Callable[[int, int], None]) -> None:
        self._io = io
        self.done = done
        self.size: CData = ffi.new("uint32_t *")
        """Where a call that is over at once writes how many bytes it moved; part of the operation's memory."""
        self._keep: object = None
        """What the call was given, beside the OVERLAPPED and `size`."""
        self.pending = False
        self._renew()

    def _renew(self) -> None:
        self.overlapped: CData = ffi.new("OVERLAPPED *")
        self.address = int(ffi.cast("uintptr_t", self.overlapped))

    def start(self, call: Callable[[CData], int], keep: object = None) -> int:
        """Make a call with the OVERLAPPED; returns ERROR_IO_PENDING when `done` will be called, else how it ended.

        `keep` is what the call reads or writes, or owns that; it lives until the call is over.
        """
        if self.pending:
            raise RuntimeError("the operation is under way: its memory is Windows'")
        io = self._io
        if io.closed:
            return _INVALID_HANDLE
        self._keep = keep
        operations = io.port.operations
        operations[self.address] = self
        self.pending = True
        try:
            code = call(self.overlapped)
        except BaseException:
            del operations[self.address]
            self.pending = False
            raise
        if code == PENDING or (code in {0, _MORE_DATA} and not io.skips):
            return PENDING
        del operations[self.address]
        self.pending, self._keep = False, None
        if code == _MORE_DATA:
            self._renew()  # should a packet come after all, it is nobody's
        else:
            ffi.memmove(self.overlapped, _ZEROS, len(_ZEROS))
        return code

    def cancel(self) -> None:
        """Ask for the end of what is pending; `done` is called when it is over."""
        if self.pending and not self._io.closed:
            self._io.port.windows.kernel.CancelIoEx(self._io.handle, self.overlapped)

    def take(self, windows: Win32) -> tuple[int, int]:
        """Take the result out of the OVERLAPPED, whose packet has come: a Win32 code and a number of bytes."""
        status, size = self.overlapped.Internal, self.overlapped.InternalHigh
        ffi.memmove(self.overlapped, _ZEROS, len(_ZEROS))
        self.pending, self._keep = False, None
        return (windows.nt.RtlNtStatusToDosError(status & 0xFFFFFFFF) if status else 0), size


@define(eq=False)
class IoHandle:
    """A handle that is associated with a completion port."""

    port: CompletionPort
    handle: Handle
    skips: bool
    """A call that is over at once posts no packet."""

    _close: Callable[[], object]
    closed: bool = field(default=False, init=False)
    """No call is made on it any more: its number may be another's."""

    def operation(self, done: Callable[[int, int], None]) -> Operation:
        """Make an operation for calls on this handle."""
        return Operation(self, done)

    def close(self) -> None:
        """Close the handle; what is pending completes with ERROR_OPERATION_ABORTED."""
        if not self.closed:
            self.closed = True
            self.port.handles.discard(self)
            self._close()


class CompletionPort(ABC):
    """Knows the operations that are pending, and calls back when they are over."""

    def __init__(self, windows: Win32, loop: asyncio.AbstractEventLoop) -> None:
        self.windows = windows
        self.loop = loop
        self.operations: dict[int, Operation] = {}
        """What Windows may still write to, by the address of its OVERLAPPED."""
        self._packets: deque[int] = deque()
        self._awake = False
        self.handles: set[IoHandle] = set()
        """What is associated with the port and open."""
        self.given: set[Closable] = set()
        """What waits for a call, or is a pending call's; whoever closes it takes it out."""
        self._drained: asyncio.Future[None] | None = None

    def associate(self, handle: Handle, close: Callable[[], object]) -> IoHandle:
        """Have calls on `handle` complete here, from now on closed by the IoHandle's `close`; raises Win32Error."""
        kernel = self.windows.kernel
        if kernel.CreateIoCompletionPort(handle, self._handle(), 0, 0) == ffi.NULL:
            raise Win32Error(kernel.GetLastError(), "CreateIoCompletionPort")
        skips = bool(kernel.SetFileCompletionNotificationModes(handle, _SKIP))
        io = IoHandle(self, handle, skips, close)
        self.handles.add(io)
        return io

    @abstractmethod
    def _handle(self) -> Handle:
        """Return the handle of the port."""

    async def drained(self) -> None:
        """Wait until no operation is pending."""
        if self.operations or self._packets:
            if self._drained is None:
                self._drained = self.loop.create_future()
            await asyncio.shield(self._drained)

    def _deliver(self) -> None:
        """Call back for every packet that has come."""
        self._awake = False
        packets = self._packets
        while packets:
            operation = self.operations.pop(packets.popleft(), None)
            if operation is None:
                continue
            code, size = operation.take(self.windows)
            try:
                operation.done(code, size)
            except Exception as error:  # noqa: BLE001 - as a callback of the event loop's own
                self.loop.call_exception_handler(
                    {"message": "a completion callback failed", "exception": error}
                )
        if self._drained is not None and not self.operations:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _abandon(self) -> None:
        """Close the handles of a loop that is gone, so that what is pending completes."""
        for io in list(self.handles):
            io.close()

    def _discard(self) -> None:
        """Take packets without calling anybody back; after the last, close what calls were given."""
        while self._packets:
            self.operations.pop(self._packets.popleft(), None)
        if not self.operations:
            for thing in list(self.given):
                thing.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the port; no operation may be pending."""


class ThreadPort(CompletionPort):
    """A completion port of our own, with a thread that waits on it; for any event loop."""

    def __init__(self, windows: Win32, loop: asyncio.AbstractEventLoop) -> None:
        """Make the port and start the thread; raises Win32Error."""
        super().__init__(windows, loop)
        kernel = windows.kernel
        self._port: Handle = kernel.CreateIoCompletionPort(_INVALID, ffi.NULL, 0, 0)
        if self._port == ffi.NULL:
            raise Win32Error(kernel.GetLastError(), "CreateIoCompletionPort")
        self._quitting = False
        self._thread = threading.Thread(target=self._run, name="hostler-completions", daemon=True)
        self._thread.start()

    def _handle(self) -> Handle:
        return self._port

    def close(self) -> None:
        """End the thread and close the port."""
        self._quitting = True
        if self._thread.is_alive():
            self.windows.kernel.PostQueuedCompletionStatus(self._port, 0, _QUIT, ffi.NULL)
            self._thread.join()  # should Windows have no memory for the packet, after the next look

    # -- in the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        entries = ffi.new("OVERLAPPED_ENTRY[]", _BATCH_SIZE)
        count = ffi.new("uint32_t *")
        try:
            while self._wait(entries, count):
                if not self._wake():
                    self._abandon()
                    self._discard()
                    while self.operations and self._wait(entries, count):
                        self._discard()
                    break
        finally:
            self.windows.kernel.CloseHandle(self._port)

    def _wait(self, entries: CData, count: CData) -> bool:
        """Put the next batch into `_packets`; returns whether to go on."""
        kernel = self.windows.kernel
        if not kernel.GetQueuedCompletionStatusEx(
            self._port, entries, _BATCH_SIZE, count, _POLL_INTERVAL_MS, 0
        ):
            code = kernel.GetLastError()
            if code != ErrorCode.WAIT_TIMEOUT:
                raise Win32Error(code, "GetQueuedCompletionStatusEx")
            return not self._quitting
        more = True
        for at in range(count[0]):
            entry = entries[at]
            if entry.lpCompletionKey == _QUIT:
                more = False
            else:
                self._packets.append(int(ffi.cast("uintptr_t", entry.lpOverlapped)))
        return more

    def _wake(self) -> bool:
        """Have the loop deliver; returns False when the loop is gone."""
        if self.loop.is_closed():
            return False
        if self._packets and not self._awake:
            self._awake = True
            try:
                self.loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                return False
        return True
