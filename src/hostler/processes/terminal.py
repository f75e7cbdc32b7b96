"""What a terminal sends to every process in it: the supervisor's to understand, its workers are started deaf to it."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if sys.platform != "win32":
    from multiprocessing import resource_tracker

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["leave_to_supervisor", "starting_worker"]

if sys.platform == "win32":
    _SIGNALS: Final = (signal.SIGINT, signal.SIGBREAK)
else:
    _SIGNALS: Final = (signal.SIGINT, signal.SIGHUP)


@contextmanager
def starting_worker() -> Iterator[None]:
    """Have a process that is started here not be interrupted by the terminal until `leave_to_supervisor`.

    Windows has no such thing for Ctrl-C alone that would not lose one for this process.
    """
    if sys.platform == "win32":
        yield
    else:
        resource_tracker.ensure_running()  # it unblocks signals when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_supervisor() -> None:
    """Be deaf to what a terminal sends to every process in it."""
    for number in _SIGNALS:
        # not SIG_IGN, which programs that the application starts inherit
        signal.signal(number, lambda *_: None)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
