"""The end of the console on Windows: its window is closed, or Windows shuts down (SetConsoleCtrlHandler).

Ctrl-C and Ctrl-Break reach Python as signals. For the rest, Windows calls a HandlerRoutine in a thread of its own
making, and ends the process when that returns, or after some 5 seconds for a window, 20 for a shutdown. So the routine
asks the program to stop, and then never returns: the process ends when the program does, with its own exit status and
its output written.

The routine is registered once and stays: Windows may hold a lock while it runs, and taking it away would wait for that.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from hostler.windows._bindings import ffi
from hostler.windows.constants import ConsoleEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hostler.windows.libraries import Kernel32

__all__ = ["Console"]

_log: Final = logging.getLogger("hostler.console")


def _for_ever() -> None:
    threading.Event().wait()


class Console:
    """The console of this process; one for the whole process.

    `block` is what keeps Windows waiting until the process has ended.
    """

    def __init__(self, kernel: Kernel32, block: Callable[[], object] = _for_ever) -> None:
        """Have Windows tell when it ends."""
        self._block = block
        self._asks: list[Callable[[], object]] = []
        self._routine = ffi.callback("int32_t(uint32_t)", self._handle)  # Windows keeps no reference
        if not kernel.SetConsoleCtrlHandler(self._routine, 1):
            _log.warning("Windows will end this process without notice: SetConsoleCtrlHandler failed")

    @contextmanager
    def on_end(self, ask: Callable[[], object]) -> Iterator[None]:
        """Call `ask`, from another thread, when the console ends while the context lasts."""
        self._asks.append(ask)
        try:
            yield
        finally:
            self._asks.remove(ask)

    def _handle(self, event: int) -> int:
        """Answer a control event (HandlerRoutine): whether it was dealt with."""
        asks = list(self._asks)
        if not asks or event in {ConsoleEvent.C, ConsoleEvent.BREAK}:
            return 0  # Python's own routine is next, then Windows'
        if event == ConsoleEvent.LOGOFF:
            # only services are told, whoever it is that logs off, and they stay
            return 1
        for ask in asks:
            with suppress(RuntimeError):  # its event loop is closed already
                ask()
        self._block()
        return 1
