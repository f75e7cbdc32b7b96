"""What is called of kernel32, ntdll and advapi32."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from attrs import define

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.calls.accounts import AccountCalls
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.port import FileObject, Packet, Port

if TYPE_CHECKING:
    from tests.server.httpsys.model.process import Process

_INFINITE = 0xFFFFFFFF
_INVALID_HANDLE_VALUE = 0xFFFFFFFFFFFFFFFF
_SKIP_PORT, _SKIP_EVENT = 1, 2
_SYSTEM = 4
_ACE = re.compile(r"\(A;[^;]*;[^;]*;[^;]*;[^;]*;([^;)]*)\)")
SDDL = re.compile(r"(?:[OG]:[^:()]+?(?=[OGDS]:|$))*(?:[DS]:[A-Z]*(?:\([^()]*\))*)*")
EVERYBODY = {"WD", "AU", "BU", "IU"}


@define(eq=False)
class OpenFile(FileObject):
    """A file on the disk."""

    kind = "file"
    descriptor: int = -1

    def close(self) -> None:
        super().close()
        os.close(self.descriptor)


@define(eq=False)
class OpenedProcess:
    """A process that was opened to ask about it."""

    kind = "process"
    program: str

    def close(self) -> None:
        """Nothing is left of it."""


class Kernel32Calls:
    """kernel32.dll."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def CreateIoCompletionPort(self, file: Any, port: Any, key: int, threads: int) -> Any:
        # source: CreateIoCompletionPort: INVALID_HANDLE_VALUE makes a port, and goes without an existing one
        process = self._process
        existing = process.file(port, "port") if port != ffi.NULL else None
        if memory.number(file) == _INVALID_HANDLE_VALUE:
            if existing is not None:
                raise Win32(c.INVALID_PARAMETER)
            return process.open(Port(process.machine))
        opened = self._io(file)
        # source: CreateIoCompletionPort: a handle is associated with one port, once
        if opened.port is not None:
            raise Win32(c.INVALID_PARAMETER)
        handle = port
        if existing is None:
            existing = Port(process.machine)
            handle = process.open(existing)
        opened.port, opened.key = existing, key
        return handle

    def _io(self, handle: Any) -> FileObject:
        opened = self._process.handles.get(memory.number(handle))
        if isinstance(opened, FileObject):
            return opened
        queue: FileObject = self._process.file(handle, "queue handle")
        return queue

    def GetQueuedCompletionStatusEx(
        self, port: Any, entries: Any, count: int, removed: Any, milliseconds: int, alertable: int
    ) -> int:
        # source: GetQueuedCompletionStatusEx: up to ulCount packets, WAIT_TIMEOUT when none came in time
        opened = self._process.file(port, "port")
        if not count:
            raise Win32(c.INVALID_PARAMETER)
        packets = opened.take(count, None if milliseconds == _INFINITE else milliseconds / 1000)
        for entry, packet in zip(entries[0 : len(packets)], packets, strict=True):
            entry.lpCompletionKey = packet.key
            entry.lpOverlapped = ffi.cast("OVERLAPPED *", packet.overlapped)
            entry.Internal = packet.status
            entry.dwNumberOfBytesTransferred = packet.size
        removed[0] = len(packets)
        return 1

    def PostQueuedCompletionStatus(self, port: Any, size: int, key: int, overlapped: Any) -> int:
        # source: PostQueuedCompletionStatus: the packet comes out as it was put in
        self._process.file(port, "port").post(Packet(key, memory.number(overlapped), size, 0))
        return 1

    def SetFileCompletionNotificationModes(self, file: Any, flags: int) -> int:
        # source: SetFileCompletionNotificationModes: what was set stays set
        if flags & ~(_SKIP_PORT | _SKIP_EVENT):
            raise Win32(c.INVALID_PARAMETER)
        opened = self._io(file)
        opened.skips = opened.skips or bool(flags & _SKIP_PORT)
        return 1

    def CancelIoEx(self, file: Any, overlapped: Any) -> int:
        # source: CancelIoEx: ERROR_NOT_FOUND when there is nothing to cancel
        if not self._process.cancel(self._io(file), memory.number(overlapped)):
            raise Win32(c.NOT_FOUND)
        return 1

    def CloseHandle(self, handle: Any) -> int:
        # source: CloseHandle: of whatever kind
        self._process.close(handle)
        return 1

    def GetLastError(self) -> int:
        # source: GetLastError: of the calling thread
        return self._process.last_error()

    def CreateFileW(
        self, name: Any, access: int, share: int, security: Any, how: int, flags: int, template: Any
    ) -> Any:
        # source: CreateFileW: ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED
        try:
            descriptor = os.open(memory.text(name) or "", os.O_RDONLY)
        except FileNotFoundError:
            raise Win32(c.FILE_NOT_FOUND) from None
        except PermissionError:
            raise Win32(c.ACCESS_DENIED) from None
        return self._process.open(OpenFile(self._process, descriptor=descriptor))

    def GetFileSizeEx(self, file: Any, size: Any) -> int:
        # source: GetFileSizeEx: the size in bytes
        size[0] = os.fstat(self._process.file(file, "file").descriptor).st_size
        return 1

    def OpenProcess(self, access: int, inherit: int, process: int) -> Any:
        # source: OpenProcess: ERROR_INVALID_PARAMETER for an id that is no process's; System cannot be opened by users
        programs = {pid: program for _, _, pid, program in self._process.machine.sockets}
        if process not in programs:
            raise Win32(c.ACCESS_DENIED if process == _SYSTEM else c.INVALID_PARAMETER)
        return self._process.open(OpenedProcess(programs[process]))

    def QueryFullProcessImageNameW(self, process: Any, flags: int, name: Any, size: Any) -> int:
        # source: QueryFullProcessImageNameW: characters in, characters written out
        program = self._process.file(process, "process").program
        if size[0] <= len(program):
            raise Win32(c.INSUFFICIENT_BUFFER)
        memory.write(memory.number(name), program.encode("utf-16-le") + b"\0\0")
        size[0] = len(program)
        return 1

    def LocalFree(self, pointer: Any) -> Any:
        # source: LocalFree: NULL when it did
        if pointer != ffi.NULL and self._process.allocated.pop(memory.number(pointer), None) is None:
            self._process.machine.defect("LocalFree of what is not allocated")
        return ffi.NULL


class NtDllCalls:
    """ntdll.dll."""

    def RtlNtStatusToDosError(self, status: int) -> int:
        # source: RtlNtStatusToDosError: ERROR_MR_MID_NOT_FOUND for what it does not know
        return c.code_of(status)


class Advapi32Calls(AccountCalls):
    """advapi32.dll."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def ConvertStringSecurityDescriptorToSecurityDescriptorW(
        self, text: Any, revision: int, descriptor: Any, size: Any
    ) -> int:
        # source: ConvertStringSecurityDescriptorToSecurityDescriptorW: SDDL_REVISION_1, the result is for LocalFree
        sddl = memory.text(text)
        if revision != 1 or not sddl or not SDDL.fullmatch(sddl):
            raise Win32(c.INVALID_PARAMETER)
        allocated = ffi.new("char[]", sddl.encode())
        address = memory.number(allocated)
        self._process.allocated[address] = allocated
        descriptor[0] = ffi.cast("void *", address)
        if size != ffi.NULL:
            size[0] = len(sddl)
        return 1


def who_may_open(process: Process, attributes: Any) -> frozenset[str] | None:
    """Give the users that SECURITY_ATTRIBUTES let in, None for everybody; raises Win32."""
    if not attributes or not attributes.lpSecurityDescriptor:
        # source: HttpCreateRequestQueue: by default no other may open the queue
        return frozenset()
    if attributes.nLength != ffi.sizeof("SECURITY_ATTRIBUTES"):
        raise Win32(c.INVALID_PARAMETER)
    allocated = process.allocated.get(memory.number(attributes.lpSecurityDescriptor))
    if allocated is None:
        raise Win32(c.INVALID_SECURITY_DESCR)
    trustees = set(_ACE.findall(ffi.string(allocated).decode()))
    if trustees & EVERYBODY:
        return None
    return frozenset(user for user in process.machine.users if process.machine.sid(user) in trustees)
