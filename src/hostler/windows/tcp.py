"""Which processes listen on a TCP port (GetExtendedTcpTable)."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.windows._bindings import ffi
from hostler.windows.constants import ErrorCode, ProcessAccess, TcpTableClass
from hostler.windows.errors import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.windows.libraries import CData, Handle, Win32

__all__ = ["SYSTEM_PROCESS", "TcpListener", "listeners_on"]

SYSTEM_PROCESS: Final = 4
"""The process of the kernel: what listens as this one is HTTP.sys, or another driver."""

_AF_INET: Final = 2
_AF_INET6: Final = 23
_MAX_PATH: Final = 1 << 15


@frozen
class TcpListener:
    """A socket that listens."""

    address: str
    process: int

    program: str
    """The path of its program, empty where this user may not see it."""


def listeners_on(windows: Win32, port: int) -> tuple[TcpListener, ...]:
    """Return what listens on a TCP port of this machine; raises Win32Error."""
    return tuple(
        TcpListener(address, process, _program(windows, process))
        for family, table in ((_AF_INET, "MIB_TCPTABLE_OWNER_PID"), (_AF_INET6, "MIB_TCP6TABLE_OWNER_PID"))
        for address, listening, process in _rows(windows, family, table)
        if listening == port
    )


def _rows(windows: Win32, family: int, kind: str) -> list[tuple[str, int, int]]:
    """Return the address, the port and the process of each listening socket of a family."""
    memory = _table(windows, family)
    table = ffi.cast(f"{kind} *", memory)
    return [
        (_address(family, row), socket.ntohs(row.dwLocalPort & 0xFFFF), row.dwOwningPid)
        for row in table.table[0 : table.dwNumEntries]
    ]


def _table(windows: Win32, family: int) -> CData:
    size = ffi.new("uint32_t *")
    memory = ffi.NULL
    kind = TcpTableClass.OWNER_PID_LISTENER
    while True:  # the table may grow between two calls
        code = windows.network.GetExtendedTcpTable(memory, size, 0, family, kind, 0)
        if code != ErrorCode.ERROR_INSUFFICIENT_BUFFER:
            break
        memory = ffi.new("char[]", size[0])
    check(code, "GetExtendedTcpTable")
    return memory


def _address(family: int, row: CData) -> str:
    if family == _AF_INET:
        return socket.inet_ntop(socket.AF_INET, row.dwLocalAddr.to_bytes(4, "little"))
    return socket.inet_ntop(socket.AF_INET6, bytes(row.ucLocalAddr))


def _program(windows: Win32, process: int) -> str:
    with _opened(windows, process) as handle:
        if handle == ffi.NULL:
            return ""
        path, size = ffi.new("char16_t[]", _MAX_PATH), ffi.new("uint32_t *", _MAX_PATH)
        found = windows.kernel.QueryFullProcessImageNameW(handle, 0, path, size)
    return str(ffi.string(path)) if found else ""


@contextmanager
def _opened(windows: Win32, process: int) -> Iterator[Handle]:
    """Open a process to ask about it; NULL where that is not allowed, or it has ended."""
    handle = windows.kernel.OpenProcess(ProcessAccess.QUERY_LIMITED_INFORMATION, 0, process)
    try:
        yield handle
    finally:
        if handle != ffi.NULL:
            windows.kernel.CloseHandle(handle)
