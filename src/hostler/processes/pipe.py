"""The pipe between a supervisor and a worker process; the same on every platform.

    supervisor   <---  one report: that the worker is ready, or why it cannot start
                  --->  commands: to stop, and then to stop at once
                 <---  notices: that the worker is idle
                  --->  the end of the pipe: the supervisor is gone

Threads read it, at both ends: the event loop of Windows (the Proactor) waits for no such pipe, and for no process.
The supervisor's end is in `hostler.processes.worker_process`.
"""

from __future__ import annotations

import asyncio
import enum
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

__all__ = ["Command", "Notice", "SupervisorPipe"]


class Command(enum.Enum):
    """What a supervisor tells a worker to do."""

    STOP = "stop"
    """Take nothing new, finish what there is, and end."""

    STOP_AT_ONCE = "stop at once"


class Notice(enum.Enum):
    """What a worker tells its supervisor after its report."""

    IDLE = "idle"
    """It has had no request for its idle timeout."""


class SupervisorPipe:
    """A worker's end of the pipe to its supervisor."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.reported = False
        """The supervisor was told how it went."""

    def report(self, failure: str | None) -> None:
        """Say that this worker is ready (None), or why it cannot start; once."""
        self.reported = True
        with suppress(OSError):  # nobody reads it any more
            self._pipe.send(failure)

    def notify(self, notice: Notice) -> None:
        """Tell the supervisor something; after the report."""
        with suppress(OSError):  # nobody reads it any more
            self._pipe.send(notice)

    @contextmanager
    def commands(self, callback: Callable[[Command | None], object]) -> Iterator[None]:
        """Call back from the event loop with every command, and with None once the supervisor is gone."""
        loop = asyncio.get_running_loop()
        Thread(target=self._read, args=(loop, callback), name="hostler-commands", daemon=True).start()
        yield

    def _read(self, loop: asyncio.AbstractEventLoop, callback: Callable[[Command | None], object]) -> None:
        command: Command | None = Command.STOP
        while command is not None:
            try:
                command = self._pipe.recv()
            except (EOFError, OSError):
                command = None
            try:
                loop.call_soon_threadsafe(callback, command)
            except RuntimeError:
                return  # the loop is closed: the process ends
