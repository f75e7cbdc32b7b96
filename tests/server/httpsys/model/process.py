"""One process on the machine: its handles, its memory, its last errors, the faults that a test has set for it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.api import Windows
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.calls import HttpCalls
from tests.server.httpsys.model.calls.network import NetworkCalls
from tests.server.httpsys.model.calls.win32 import Advapi32Calls, Kernel32Calls, NtDllCalls
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.dll import Call, Dll, Fault, failure, outcome, plain
from tests.server.httpsys.model.port import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.port import FileObject

_QUIET = {"GetLastError", "RtlNtStatusToDosError"}
_SINCE = {
    # source: HttpIsFeatureSupported, HttpDelegateRequestEx, HttpFindUrlGroupId: from build 20348 on
    # source: "YARP HTTP.sys Delegation": delegation from Windows Server 2019 and Windows 10 1809 on
    # guess: then the functions must have been there, and the flag for opening a target queue not
    "HttpIsFeatureSupported": 2019, "HttpDelegateRequestEx": 2019, "HttpFindUrlGroupId": 2019,
    "HttpSetRequestProperty": 2022, "HttpQueryRequestProperty": 2019,
}  # fmt: skip


@define(eq=False)
class Process:
    """A process."""

    machine: Machine
    name: str
    user: str
    administrator: bool
    missing: frozenset[str]
    handles: dict[int, Any] = field(factory=dict)
    closed: dict[int, str] = field(factory=dict)
    """Handles that were closed; none is given out twice, so that each later use is noticed."""
    pending: list[Operation] = field(factory=list)
    overlapped: dict[int, Operation] = field(factory=dict)
    """Operations whose OVERLAPPED is the kernel's, pending or with their packet on the way, by its address."""
    allocated: dict[int, Any] = field(factory=dict)
    """What LocalFree frees."""
    initialized: list[int] = field(factory=list)
    """The flags of every HttpInitialize that no HttpTerminate has matched."""
    faults: list[Fault] = field(factory=list)
    calls: list[Call] = field(factory=list)
    dead: bool = False
    _errors: threading.local = field(factory=threading.local)

    def has_export(self, name: str) -> bool:
        """Whether this Windows has a function."""
        return name not in self.missing and self.machine.release >= _SINCE.get(name, 0)

    # -- calls ----------------------------------------------------------------------------------------------------

    def run(
        self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...], given: tuple[Any, ...]
    ) -> Any:
        """Run a call, or have it fail; `given` is what the caller passed before C converted it."""
        with self.machine.step():
            self._given = given
            try:
                result = self._run(name, function, arguments)
            finally:
                self._given = ()
            if name not in _QUIET:
                self.calls.append(Call(name, plain(result), tuple(map(plain, arguments))))
            return result

    def _run(self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self.dead and name not in _QUIET:
            return failure(name, c.INVALID_HANDLE, self)  # a thread of the test's own lives on
        fault = next((fault for fault in self.faults if fault.strikes(name, arguments)), None)
        if fault is None:
            return outcome(name, function, arguments, self)
        if fault.later:
            return self._fail_later(name, arguments, fault.code)
        return failure(name, fault.code, self)

    _given: tuple[Any, ...] = ()

    def _fail_later(self, name: str, arguments: tuple[Any, ...], code: int) -> int:
        """Return ERROR_IO_PENDING, and post a packet with the code."""
        types = (ffi.typeof("OVERLAPPED *"),)
        overlapped = next(
            value for value in arguments if isinstance(value, ffi.CData) and ffi.typeof(value) in types
        )
        operation = self.begin(self.file(arguments[0], "queue handle"), name, overlapped)
        result = operation.pend(lambda: None)
        operation.complete(code)
        return result

    def begin(self, file: FileObject, function: str, overlapped: Any, subject: Any = None) -> Operation:
        """Begin an operation of the call that is running."""
        operation = Operation(file, function, overlapped, self._given)
        operation.subject = subject
        return operation

    def set_last_error(self, code: int) -> None:
        """Set what GetLastError returns in this thread."""
        self._errors.code = code

    def last_error(self) -> int:
        """Give what GetLastError returns in this thread."""
        return getattr(self._errors, "code", 0)

    # -- handles --------------------------------------------------------------------------------------------------

    def open(self, thing: Any) -> Any:
        """Give a new handle."""
        value = self.machine.new_handle()
        self.handles[value] = thing
        return memory.handle(value)

    def file(self, handle: Any, kind: str) -> Any:
        """Find what a handle is for; raises Win32."""
        value = memory.number(handle)
        thing = self.handles.get(value)
        if thing is None and value in self.closed:
            self.machine.defect(f"{self.name} uses {self.closed[value]} {value:#x}, which is closed")
        # guess: what is no handle is ERROR_INVALID_HANDLE, though some pages say ERROR_INVALID_PARAMETER; whoever uses one has a defect
        if thing is None or thing.kind != kind:
            raise Win32(c.INVALID_HANDLE)
        return thing

    def close(self, handle: Any) -> None:
        """Close a handle; raises Win32."""
        value = memory.number(handle)
        thing = self.handles.pop(value, None)
        if thing is None:
            again = (
                f"{self.closed[value]} {value:#x} again" if value in self.closed else f"{value:#x}, no handle"
            )
            self.machine.defect(f"{self.name} closes {again}")
            raise Win32(c.INVALID_HANDLE)
        # guess: no value is given out twice, which Windows does, so that each use of a closed handle is seen
        self.closed[value] = thing.kind
        thing.close()

    def cancel(self, file: FileObject, address: int = 0) -> bool:
        """Cancel what is pending on a file, one operation or all; returns whether there was any."""
        found = [entry for entry in self.pending if entry.file is file and address in {0, entry.address}]
        for operation in found:
            if not operation.done:
                operation.cancel()
        return bool(found)

    # -- the end --------------------------------------------------------------------------------------------------

    def die(self) -> None:
        """Close everything, as the end of a process does: no packets, and its memory is gone."""
        self.dead = True
        self.overlapped.clear()
        # source: HttpCreateServerSession: sessions are a process' own, and end with it
        for session in [entry for entry in self.machine.sessions.values() if entry.process is self]:
            self.machine.close_session(session)
        for value in list(self.handles):
            self.closed[value] = self.handles[value].kind
            self.handles.pop(value).close()
        self.allocated.clear()
        self.initialized.clear()

    def alive(self) -> Counter[str]:
        """Count what the process has open and under way."""
        counts = Counter(thing.kind for thing in self.handles.values())
        counts["operation"] = len(self.pending)
        counts["packet"] = sum(not operation.pending for operation in self.overlapped.values())
        counts["local memory"] = len(self.allocated)
        counts["HttpInitialize"] = len(self.initialized)
        sessions = [entry for entry in self.machine.sessions.values() if entry.process is self]
        groups = {id(group) for session in sessions for group in session.groups}
        counts["session"], counts["url group"] = len(sessions), len(groups)
        registrations = self.machine.registry.registrations.values()
        counts["url"] = sum(id(entry.group) in groups for entry in registrations)
        counts["request"] = sum(
            len(thing.requests) for thing in self.handles.values() if thing.kind == "queue handle"
        )
        return +counts


@frozen
class FakeWindows(Windows):
    """What a process calls Windows with; and what a test asks about it."""

    of: Process

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def calls(self) -> list[Call]:
        """The calls that were made, without GetLastError."""
        return self.of.calls

    def fail(
        self,
        function: str,
        code: int,
        *,
        times: int = 1,
        after: int = 0,
        when: Callable[..., bool] = lambda *arguments: True,
        later: bool = False,
    ) -> Fault:
        """Have calls of a function ("*": of any) fail with a code: `times` calls, after the first `after`.

        `when` is called with the arguments. `later` makes an overlapped call pend, and its packet bring the code.
        """
        fault = Fault(function, code, times, after, when, later)
        with self.of.machine.lock:
            self.of.faults.append(fault)
        return fault

    def alive(self) -> dict[str, int]:
        """Count what the process has open and under way; empty when nothing is left."""
        with self.of.machine.lock:
            return dict(self.of.alive())


def make_windows(process: Process) -> FakeWindows:
    """Make the DLLs of a process."""
    return FakeWindows(
        http=Dll(process, HttpCalls(process)),
        kernel=Dll(process, Kernel32Calls(process)),
        nt=Dll(process, NtDllCalls()),
        security=Dll(process, Advapi32Calls(process)),
        network=Dll(process, NetworkCalls(process)),
        of=process,
    )
