"""Completion ports, and operations: an overlapped call from its beginning until its packet has been taken.

The rules, measured or documented (the test of this file has the table): an operation that fails during the call posts
no packet. One that is over during the call posts one, unless its handle skips that. One that pends always posts one.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, field

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import Process

_DEAD_STACK = 0x7FFD_DEAD_0000
"""Where the OVERLAPPED was that httpapi.dll makes on its stack for a call without one."""
_BUFFERS = {
    "HttpReceiveHttpRequest": 3, "HttpReceiveRequestEntityBody": 3, "HttpReceiveClientCertificate": 3,
    "HttpQueryRequestProperty": 5,
}  # fmt: skip
"""Which argument is written to when an operation completes."""


def _is_overlapped(value: Any) -> bool:
    return isinstance(value, ffi.CData) and ffi.typeof(value) is ffi.typeof("OVERLAPPED *")


@define(eq=False)
class Packet:
    """What comes out of a port (OVERLAPPED_ENTRY)."""

    key: int
    overlapped: int
    size: int
    status: int
    operation: Operation | None = None


@define(eq=False)
class Port:
    """An I/O completion port."""

    kind = "port"
    machine: Machine
    closed: bool = False
    packets: deque[Packet] = field(factory=deque)
    ready: threading.Condition = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ready = threading.Condition(self.machine.lock)

    def post(self, packet: Packet) -> None:
        """Queue a packet; nobody gets those of a port that is closed."""
        if self.closed:
            if packet.operation is not None:
                packet.operation.forget()
            return
        self.packets.append(packet)
        self.ready.notify()

    def take(self, most: int, timeout: float | None) -> list[Packet]:
        """Wait for packets; raises Win32 when there are none in time, or the port is closed meanwhile."""
        # source: GetQueuedCompletionStatusEx: WAIT_TIMEOUT, and ERROR_ABANDONED_WAIT_0 for a port that is closed meanwhile
        if not self.ready.wait_for(lambda: self.packets or self.closed, timeout):
            raise Win32(c.WAIT_TIMEOUT)
        if self.closed:
            raise Win32(c.ABANDONED_WAIT)
        shuffle = self.machine.shuffle
        if shuffle is not None:
            shuffle.shuffle(self.packets)
            most = shuffle.randint(1, most)
        taken = [self.packets.popleft() for _ in range(min(most, len(self.packets)))]
        for packet in taken:
            if packet.operation is not None:
                packet.operation.forget()
        if self.packets:
            self.ready.notify()
        return taken

    def close(self) -> None:
        """Throw away what nobody took, and wake up who waits."""
        self.closed = True
        for packet in self.packets:
            if packet.operation is not None:
                packet.operation.forget()
        self.packets.clear()
        self.ready.notify_all()


@define(eq=False)
class FileObject:
    """What a handle for I/O refers to."""

    kind = "file"
    process: Process
    closed: bool = field(default=False, init=False)
    port: Port | None = field(default=None, init=False)
    key: int = field(default=0, init=False)
    skips: bool = field(default=False, init=False)
    """FILE_SKIP_COMPLETION_PORT_ON_SUCCESS."""

    def close(self) -> None:
        """Close it; what is pending on it is cancelled."""
        # source: measured under Wine (tests/wine/inside): closing a queue cancels what is pending on it
        self.closed = True
        self.process.cancel(self)


class Operation:
    """One overlapped call. Made when the call begins; then exactly one of `over`, `pend`."""

    def __init__(self, file: FileObject, function: str, overlapped: Any, given: tuple[Any, ...] = ()) -> None:
        self.file = file
        self.process = file.process
        self.machine = file.process.machine
        self.function = function
        self.address = memory.number(overlapped)
        self.subject: Any = None
        """The request that the operation is for."""
        self.pending = False
        self.done = False
        self.result = (c.OK, 0)
        self.finished: Callable[[], None] | None = None
        """Called when an operation that pended is over, however that came."""
        self._cancel: Callable[[], None] | None = None
        self._watched: list[tuple[bool, weakref.ref[Any]]] = []
        """Memory that the kernel owns, and whether it is the OVERLAPPED."""
        # source: wine: http.sys/http.c, measured: a call without an OVERLAPPED posts a packet with a dead address on a queue with a port
        if not self.address:
            if file.port is not None:
                self.machine.defect(
                    f"{function} with no OVERLAPPED on a queue that is associated with a port"
                )
            return
        if self.address in self.process.overlapped:
            self.machine.defect(
                f"{function} uses an OVERLAPPED that {self.process.overlapped[self.address].function} still owns"
            )
        self._watch(given)

    @property
    def asynchronous(self) -> bool:
        return self.address != 0

    def _watch(self, given: tuple[Any, ...]) -> None:
        """Notice when memory is freed that the kernel owns; only cdata that own theirs can tell.

        The kernel keeps the OVERLAPPED, and what it will write to; what it is to read is captured during the call.
        """
        at = _BUFFERS.get(self.function)
        for value in [
            *(value for value in given if _is_overlapped(value)),
            *(given[at : at + 1] if at else ()),
        ]:
            if isinstance(value, ffi.CData) and ("owning" in repr(value) or "buffer len" in repr(value)):
                self._watched.append((_is_overlapped(value), weakref.ref(value, self._freed)))

    def _written(self) -> None:
        """Note that nothing but the OVERLAPPED is the kernel's any more, until its packet was taken."""
        self._watched = [entry for entry in self._watched if entry[0]]

    def _freed(self, _: object) -> None:
        if not self.process.dead and self.process.overlapped.get(self.address) is self:
            state = "is pending" if self.pending else "has its packet on the way"
            self.machine.defects.append(f"memory of {self.function} was freed while it {state}")

    @property
    def memory_gone(self) -> bool:
        """Whether the process freed what the kernel would write to."""
        return any(ref() is None for _, ref in self._watched)

    # -- over during the call -------------------------------------------------------------------------------------

    def over(self, code: int, size: int = 0) -> int:
        """Finish the operation during its call; returns what the call returns."""
        self.done, self.result = True, (code, size)
        # source: measured under Wine (tests/wine/inside): a call that fails posts no packet, ERROR_MORE_DATA is no failure
        # guess: ERROR_MORE_DATA skips the packet as success does, though SetFileCompletionNotificationModes names success only
        if code not in {c.OK, c.MORE_DATA}:
            return code
        self._write()
        self._written()
        if self.file.port is not None and not (self.file.skips and self.asynchronous):
            self._post()
        else:
            self._watched.clear()
        return code

    # -- over later -----------------------------------------------------------------------------------------------

    def pend(self, cancel: Callable[[], None]) -> int:
        """Leave the operation pending; `cancel` takes it from where it waits. Blocks when there is no OVERLAPPED."""
        self.pending, self._cancel = True, cancel
        self.process.pending.append(self)
        if not self.asynchronous:
            self.machine.changed()
            self.machine.condition.wait_for(lambda: self.done or self.machine.closed)
            return self.result[0]
        # source: GetQueuedCompletionStatusEx: what returned ERROR_IO_PENDING posts its packet in any case
        self.process.overlapped[self.address] = self
        ffi.cast("OVERLAPPED *", self.address).Internal = c.STATUS_PENDING
        return c.IO_PENDING

    def complete(self, code: int, size: int = 0) -> None:
        """Finish an operation that pends."""
        assert self.pending, self.function
        assert not self.done, self.function
        self.done, self.result = True, (code, size)
        self.process.pending.remove(self)
        if self.finished is not None:
            self.finished()
        self.machine.condition.notify_all()
        if self.process.dead:
            return
        if self.asynchronous:
            self._write()
        self._written()
        self.pending = False
        if self.file.port is not None:
            self._post()
        else:
            self.forget()

    def cancel(self) -> None:
        """Cancel an operation that pends (CancelIoEx)."""
        # source: CancelIoEx: ERROR_OPERATION_ABORTED, by the packet
        if self._cancel is not None:
            self._cancel()
        if not self.done:
            self.complete(c.OPERATION_ABORTED)

    def _write(self) -> None:
        """Say in the OVERLAPPED how it went."""
        if not self.asynchronous:
            return
        if self.memory_gone or not memory.mapped(self.address, ffi.sizeof("OVERLAPPED")):
            self.machine.defect(f"the OVERLAPPED of {self.function} is gone")
            return
        overlapped = ffi.cast("OVERLAPPED *", self.address)
        overlapped.Internal = c.status_of(self.result[0])
        overlapped.InternalHigh = self.result[1]

    def _post(self) -> None:
        file = self.file
        assert file.port is not None
        code, size = self.result
        if self.asynchronous:
            self.process.overlapped[self.address] = self
        self.machine.post(
            file.port, Packet(file.key, self.address or _DEAD_STACK, size, c.status_of(code), self)
        )

    def forget(self) -> None:
        """The packet was taken: the memory is the process' own again."""
        self._watched.clear()
        if self.process.overlapped.get(self.address) is self:
            del self.process.overlapped[self.address]
