"""A worker process as its supervisor has it: started, watched, asked to stop, ended.

A thread for each waits for the report and for the end, so that it works with every event loop, and on Windows.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from contextlib import suppress
from multiprocessing.connection import wait
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from hostler.errors import WorkerError
from hostler.processes.pipe import Command, Notice
from hostler.processes.terminal import starting_worker
from hostler.processes.worker import main

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hostler.service import Service

__all__ = ["WorkerProcess", "ending"]

_SPAWN: Final = multiprocessing.get_context("spawn")
_POLL_INTERVAL: Final = 0.005
_NTSTATUS_ERRORS: Final = 0x80000000
"""From here on an exit status is an NTSTATUS of Windows, which is known by its hexadecimal digits."""


class WorkerProcess:
    """A worker; belongs to the running event loop."""

    def __init__(self, service: Service, sockets: list[socket.socket], number: int) -> None:
        """Start the process, with sockets that are bound for the service; raises OSError when the system cannot."""
        self._loop = asyncio.get_running_loop()
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=main, args=(service, sockets, theirs), name=f"hostler-worker-{number}"
        )
        try:
            with starting_worker():
                self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid or 0
        self._asked = False
        self._on_idle: Callable[[], object] | None = None
        self._reported = asyncio.Event()
        self._failure: str | None = None
        """Why it cannot start; "" when it did not say."""
        self._gone = asyncio.Event()
        self._status: int | None = None
        Thread(target=self._watch, name=f"hostler-watch-{number}", daemon=True).start()

    # -- in the thread --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Wait for the report, for notices, and then for the end."""
        self._tell(self._on_report, self._receive(""))
        while self._receive(None) is Notice.IDLE:
            self._tell(self._on_notice, None)
        self._process.join()
        while (status := self._process.exitcode) is None:
            time.sleep(_POLL_INTERVAL)  # another thread is about to note it
        self._tell(self._on_end, status)

    def _receive(self, default: Any) -> Any:
        """Wait for what the worker says next, or for its end, which is `default`."""
        wait([self._pipe, self._process.sentinel])
        with suppress(EOFError, OSError):
            if self._pipe.poll():
                return self._pipe.recv()
        return default

    def _tell(self, callback: Callable[[Any], object], what: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(callback, what)

    # -- in the event loop ----------------------------------------------------------------------------------------

    def _on_report(self, failure: str | None) -> None:
        self._failure = failure
        self._reported.set()

    def _on_notice(self, _: object) -> None:
        if self._on_idle is not None:
            self._on_idle()

    def when_idle(self, callback: Callable[[], object]) -> None:
        """Have `callback` called whenever the worker says that it has been idle for the service's timeout."""
        self._on_idle = callback

    def _on_end(self, status: int) -> None:
        self._status = status
        self._process.close()
        self._pipe.close()
        self._gone.set()

    async def ready(self) -> None:
        """Wait until it serves; raises WorkerError when it cannot."""
        await self._reported.wait()
        if self._failure == "":
            status = await self.ended()
            raise WorkerError(f"process {self.pid} {ending(status)} before it was ready")
        if self._failure is not None:
            raise WorkerError(self._failure)

    async def ended(self) -> int:
        """Wait until it has ended; returns the exit status, or a signal's number negated."""
        await self._gone.wait()
        assert self._status is not None
        return self._status

    def terminate(self) -> None:
        """Ask it to stop gracefully; a second time: to stop at once.

        One that is not ready has nothing to finish, and may not listen yet: the system ends it, on Unix with SIGTERM.
        """
        if self._status is not None:
            return
        if not self._reported.is_set():
            self._process.terminate()
            return
        command = Command.STOP_AT_ONCE if self._asked else Command.STOP
        self._asked = True
        with suppress(OSError):  # it ends already
            self._pipe.send(command)

    def kill(self) -> None:
        """End it."""
        if self._status is None:
            self._process.kill()


def ending(status: int) -> str:
    """Say how a process ended."""
    if status >= _NTSTATUS_ERRORS:
        return f"ended with exit status {status:#010x}"
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
