"""The DLLs of Windows as typed protocols, one method for each function that is bound; `load` opens them.

Names are Microsoft's; numbers are plain ints, and everything else is cffi data (`hostler.windows._bindings`): structures
by value where C takes them so, a `str` or NULL where it takes UTF-16 text. What is said to be a code is a Win32 code, 0
for success.
"""
# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

import os
import sys
from typing import Any, Protocol, cast

from attrs import frozen

from hostler.errors import UnsupportedError
from hostler.windows._bindings import ffi
from hostler.windows.constants import LoadLibraryFlag

__all__ = [
    "Advapi32",
    "CData",
    "Handle",
    "IpHlpApi",
    "Kernel32",
    "NtDll",
    "Win32",
    "exports",
    "load",
    "open_dll",
]

CData = Any
"""Data that cffi holds: a structure, an array, a pointer, or ffi.NULL."""

Handle = Any
"""A HANDLE: cffi data of type `void *`."""


class Kernel32(Protocol):
    """kernel32.dll. A BOOL is 0 for failure, and the reason is GetLastError's to tell, asked at once.

    cffi keeps the last error of each thread across its calls. `ffi.getwinerror` exists on Windows only, so that the
    code goes through GetLastError here, which a stand-in can have as well.
    """

    # -- completion ports

    def CreateIoCompletionPort(self, file: Handle, port: Handle, key: int, threads: int, /) -> Handle:
        """Make a port (file INVALID_HANDLE_VALUE), or associate a file with one; returns it, or NULL."""
        ...

    def GetQueuedCompletionStatusEx(
        self, port: Handle, entries: CData, count: int, count_out: CData, milliseconds: int, alertable: int, /
    ) -> int:
        """Wait for packets, and take up to `count`; returns a BOOL. Blocks."""
        ...

    def PostQueuedCompletionStatus(self, port: Handle, size: int, key: int, overlapped: CData, /) -> int:
        """Post a packet of one's own; returns a BOOL."""
        ...

    def SetFileCompletionNotificationModes(self, file: Handle, flags: int, /) -> int:
        """Say what a call that is over at once posts (`constants.CompletionMode`); returns a BOOL."""
        ...

    def CancelIoEx(self, file: Handle, overlapped: CData, /) -> int:
        """Ask for the end of a pending call, or of all (NULL); its packet still comes. Returns a BOOL."""
        ...

    # -- handles, errors, memory, files

    def CloseHandle(self, handle: Handle, /) -> int:
        """Close a handle; returns a BOOL."""
        ...

    def GetLastError(self) -> int:
        """Return why this thread's last call failed, as a code."""
        ...

    def CreateFileW(
        self, name: CData, access: int, share: int, security: CData, disposition: int, flags: int, template: Handle, /
    ) -> Handle:  # fmt: skip
        """Open a file; returns a handle, or INVALID_HANDLE_VALUE."""
        ...

    def GetFileSizeEx(self, file: Handle, size_out: CData, /) -> int:
        """Read a file's size; returns a BOOL."""
        ...

    def LocalFree(self, memory: CData, /) -> CData:
        """Free what Windows allocated with LocalAlloc; returns NULL when it did."""
        ...

    # -- processes

    def OpenProcess(self, access: int, inherit: int, process: int, /) -> Handle:
        """Open a process by its id; returns a handle, or NULL."""
        ...

    def QueryFullProcessImageNameW(
        self, process: Handle, flags: int, name_out: CData, size_inout: CData, /
    ) -> int:
        """Read the path of a process's program; returns a BOOL."""
        ...

    # -- the console

    def SetConsoleCtrlHandler(self, handler: CData, add: int, /) -> int:
        """Have a function called, in a thread of its own, when Ctrl-C is pressed or the console goes; returns a BOOL."""
        ...

    def GenerateConsoleCtrlEvent(self, event: int, group: int, /) -> int:
        """Send Ctrl-C or Ctrl-Break to a process group of this console; returns a BOOL."""
        ...


class NtDll(Protocol):
    """ntdll.dll."""

    def RtlNtStatusToDosError(self, status: int, /) -> int:
        """Return the code that an NTSTATUS stands for: the low 32 bits of OVERLAPPED.Internal."""
        ...


class Advapi32(Protocol):
    """advapi32.dll."""

    def ConvertStringSecurityDescriptorToSecurityDescriptorW(
        self, sddl: CData, revision: int, descriptor_out: CData, size_out: CData, /
    ) -> int:
        """Make a security descriptor of SDDL text, to be freed with LocalFree; returns a BOOL."""
        ...

    def ConvertSidToStringSidW(self, sid: CData, text_out: CData, /) -> int:
        """Write a security identifier as text, to be freed with LocalFree; returns a BOOL."""
        ...

    def ConvertStringSidToSidW(self, text: CData, sid_out: CData, /) -> int:
        """Make a security identifier of its text or its name in SDDL, to be freed with LocalFree; returns a BOOL."""
        ...

    def LookupAccountNameW(
        self, system: CData, account: CData, sid_out: CData, sid_size: CData, domain_out: CData, domain_size: CData,
        use_out: CData, /,
    ) -> int:  # fmt: skip
        """Look up the security identifier of a user or a group; returns a BOOL."""
        ...

    def LookupAccountSidW(
        self, system: CData, sid: CData, name_out: CData, name_size: CData, domain_out: CData, domain_size: CData,
        use_out: CData, /,
    ) -> int:  # fmt: skip
        """Look up the name of a user or a group; returns a BOOL."""
        ...


class IpHlpApi(Protocol):
    """iphlpapi.dll."""

    def GetExtendedTcpTable(
        self, table_out: CData, size_inout: CData, order: int, family: int, kind: int, reserved: int, /
    ) -> int:
        """List TCP endpoints with the processes that have them (`constants.TcpTableClass`); returns a code."""
        ...


@frozen
class Win32:
    """What is called in every Windows; tests have one of their own."""

    kernel: Kernel32
    nt: NtDll
    security: Advapi32
    network: IpHlpApi


def load() -> Win32:
    """Open the DLLs, and call nothing; raises UnsupportedError with why they cannot be called, as half a sentence."""
    if os.name != "nt":
        raise UnsupportedError(f"this is {sys.platform}")
    if ffi.sizeof("void *") != 8:
        raise UnsupportedError(
            "this Python is a 32-bit one, where the structures are those of 64-bit Windows: install 64-bit Python"
        )
    return Win32(
        kernel=cast("Kernel32", open_dll(ffi, "kernel32.dll")),
        nt=cast("NtDll", open_dll(ffi, "ntdll.dll")),
        security=cast("Advapi32", open_dll(ffi, "advapi32.dll")),
        network=cast("IpHlpApi", open_dll(ffi, "iphlpapi.dll")),
    )


def open_dll(declarations: Any, name: str) -> CData:
    """Open a DLL of Windows' own with cffi's declarations of its functions; raises UnsupportedError, as `load` does.

    Only System32 is searched: a file of that name beside python.exe or in the current directory is nothing to us.
    """
    try:
        return declarations.dlopen(name, LoadLibraryFlag.SEARCH_SYSTEM32)
    except OSError as error:
        raise UnsupportedError(f"this Windows has no usable {name} ({error})") from error


def exports(dll: object, name: str) -> bool:
    """Return whether a DLL has a function; older Windows lack the newer ones."""
    try:
        return getattr(dll, name, None) is not None
    except ffi.error:  # what cffi raises for a missing export
        return False
