"""iphlpapi.dll: who listens."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from hostler.windows._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from tests.server.httpsys.model.process import Process

_AF_INET, _AF_INET6 = 2, 23
_OWNER_PID_LISTENER = 3
_LISTENING = 2
_SYSTEM = 4


class NetworkCalls:
    """iphlpapi.dll."""

    def __init__(self, process: Process) -> None:
        self._machine = process.machine

    def GetExtendedTcpTable(
        self, table: Any, size: Any, order: int, family: int, kind: int, reserved: int
    ) -> int:
        # source: GetExtendedTcpTable: ERROR_INSUFFICIENT_BUFFER and the size needed, also when the table is NULL
        if family not in {_AF_INET, _AF_INET6} or kind != _OWNER_PID_LISTENER or reserved:
            raise Win32(c.INVALID_PARAMETER)
        rows = [row for row in self._listening() if (":" in row[0]) == (family == _AF_INET6)]
        row_size = ffi.sizeof("MIB_TCPROW_OWNER_PID" if family == _AF_INET else "MIB_TCP6ROW_OWNER_PID")
        needed = 4 + row_size * len(rows)
        given, size[0] = size[0], needed
        if table == ffi.NULL or given < needed:
            raise Win32(c.INSUFFICIENT_BUFFER)
        name = "MIB_TCPTABLE_OWNER_PID" if family == _AF_INET else "MIB_TCP6TABLE_OWNER_PID"
        filled = ffi.cast(f"{name} *", table)
        filled.dwNumEntries = len(rows)
        for at, (address, port, process) in enumerate(rows):
            row = filled.table + at
            row.dwState, row.dwLocalPort, row.dwOwningPid = _LISTENING, socket.htons(port), process
            if family == _AF_INET:
                row.dwLocalAddr = int.from_bytes(socket.inet_aton(address), "little")
            else:
                memory.write(memory.number(row.ucLocalAddr), socket.inet_pton(socket.AF_INET6, address))
        return c.OK

    def _listening(self) -> list[tuple[str, int, int]]:
        """List what listens: HTTP.sys, as the System process, and what a test says."""
        ports = sorted({prefix.port for prefix in self._machine.registry.registrations})
        kernel = [(address, port, _SYSTEM) for port in ports for address in ("0.0.0.0", "::")]
        return kernel + [(address, port, process) for address, port, process, _ in self._machine.sockets]
