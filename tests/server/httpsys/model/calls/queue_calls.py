"""What the calls on a queue's handle have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c

if TYPE_CHECKING:
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.port import Operation
    from tests.server.httpsys.model.process import Process
    from tests.server.httpsys.model.queue import QueueHandle


class QueueCalls:
    """Calls on a queue's handle."""

    _process: Process
    _machine: Machine

    def _serving(self, handle: Any) -> QueueHandle:
        """Find a handle that may do I/O; raises Win32."""
        queue: QueueHandle = self._process.file(handle, "queue handle")
        queue.serving()
        return queue

    def _moved(self, operation: Operation, code: int, out: Any) -> int:
        """Say how many bytes an operation moved that was over during its call."""
        # source: ASP.NET's RequestStream: told also to who gave an OVERLAPPED and is over at once; the page wants NULL there
        if code in {c.OK, c.MORE_DATA} and out != ffi.NULL:
            out[0] = operation.result[1]
        return code
