"""A worker: a process that serves an application from a queue, on sockets that its supervisor bound, or both.

`Work` says what, and travels to the new process; `main` runs there; `WorkerProcess` is what the supervisor holds of it.
A worker reports once over a pipe: that it is ready, or why it cannot start. It stops gracefully on SIGTERM, and when
its supervisor is gone. SIGINT and SIGHUP, which a terminal sends to every process in it, are the supervisor's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Final

import anyio
from attrs import field, frozen

from hostler.asgi import Application, LifespanError, load
from hostler.errors import HostlerError, WorkerError
from hostler.server.base import QueueMode
from hostler.serving import GRACE, on_signals, run_loop, serving, stop_signals, write_out

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix
    from hostler.serving import Stop

__all__ = ["Work", "WorkerProcess", "ending", "log_to_stderr", "main", "why"]

_log = logging.getLogger("hostler.worker")

_AT_ONCE: Final[signal.Signals] = getattr(signal, "SIGQUIT", signal.SIGTERM)
"""What ends a worker that is stopping already."""
_SPAWN: Final = multiprocessing.get_context("spawn")
_LOOK_AGAIN: Final = 0.005
_LONGEST: Final = 4000
"""Characters of a report; more might have to wait in the pipe."""


@frozen(kw_only=True, eq=False)
class Work:
    """What a worker serves."""

    app: str
    """The ASGI application, as "module:attribute"."""

    queue: str | None = None
    """The queue to attach to."""

    prefixes: tuple[UrlPrefix, ...] = ()
    sockets: list[socket.socket] = field(factory=list)
    """Bound for `prefixes`; every worker listens on them."""

    options: ServerOptions | None = None
    grace: float = GRACE
    quiet: bool = False
    log_level: int | None = None
    """For `log_to_stderr`; None leaves logging to the application."""


# -- in the worker ----------------------------------------------------------------------------------------------------


def main(work: Work, report: Connection) -> None:
    """Do the work in this process, and exit; `report` gets None when it is ready, or why it cannot start."""
    _leave_signals_to_the_supervisor()
    if work.log_level is not None:
        log_to_stderr(work.log_level)
    try:
        app = Application(load(work.app))
        status = run_loop(lambda: _serve(app, work, report))
    except (Exception, SystemExit) as error:
        if report.closed:
            raise
        _log.info("%s cannot be served", work.app, exc_info=error)
        _tell(report, why(error)[-_LONGEST:])
        status = 1
    sys.exit(status)


def _leave_signals_to_the_supervisor() -> None:
    if sys.platform != "win32":
        theirs = (signal.SIGINT, signal.SIGHUP)
        for number in theirs:
            signal.signal(
                number, lambda *_: None
            )  # not SIG_IGN, which programs that the application starts inherit
        signal.pthread_sigmask(signal.SIG_UNBLOCK, theirs)


async def _serve(app: Application, work: Work, report: Connection) -> int:
    write = None if work.quiet else write_out
    attach, sockets = QueueMode.ATTACH, (work.prefixes, work.sockets)
    # a signal to the whole process group comes once from there and once from the supervisor: that is one wish to stop
    with stop_signals(_AT_ONCE) as stop, _on_parents_end(stop.request), _once(signal.SIGTERM, stop):
        async with serving(
            app, (), queue=work.queue, mode=attach, options=work.options, grace=work.grace, write_line=write,
            sockets=sockets,
        ):  # fmt: skip
            _tell(report, None)
            await stop.wait()
    return stop.status


@contextmanager
def _once(number: signal.Signals, stop: Stop) -> Iterator[None]:
    """Have a signal ask to stop; again it says nothing new."""

    def ask(number: int) -> None:
        if not stop.asked:
            stop.request(number)

    with on_signals([number], ask):
        yield


@contextmanager
def _on_parents_end(callback: object) -> Iterator[None]:
    """Call back once when the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop = asyncio.get_running_loop()
    assert callable(callback)

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        _log.warning("the supervisor is gone: this worker finishes what it has, and ends")
        callback()

    loop.add_reader(parent.sentinel, gone)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)


def _tell(report: Connection, message: str | None) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        report.send(message)
    report.close()


def why(error: BaseException) -> str:
    """Say in one line (a configuration's problems: one each) why something could not be done."""
    if isinstance(error, LifespanError):
        return f"the application did not start: {_last_line(str(error))}"
    if isinstance(error, HostlerError):
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, SystemExit):
        return f"{_place(error)}the module ended the process (exit status {error.code})"
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {name}: {error.msg}"
    return f"{_place(error)}{name}: {said}" if said else f"{_place(error)}{name}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _place(error: BaseException) -> str:
    """Return where in the user's code an error was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename not in {__file__, load.__code__.co_filename}
        and "importlib" not in frame.filename
    ]  # fmt: skip
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""


def log_to_stderr(level: int) -> logging.Handler:
    """Write what hostler logs from `level` on to standard error; returns the handler that does."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("hostler")
    logger.setLevel(level)
    logger.addHandler(handler)
    return handler


# -- in the supervisor ------------------------------------------------------------------------------------------------


class WorkerProcess:
    """A worker as its supervisor has it; belongs to the running event loop."""

    def __init__(self, work: Work, number: int) -> None:
        """Start the process; raises OSError when the system cannot."""
        self._loop = asyncio.get_running_loop()
        self._pipe, report = _SPAWN.Pipe(duplex=False)
        self._asked = False
        self._process = _SPAWN.Process(target=main, args=(work, report), name=f"hostler-worker-{number}")
        try:
            with _terminal_signals_blocked():
                self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            report.close()
        self.pid = self._process.pid or 0
        self._reported = asyncio.Event()
        self._failure: str | None = None
        """Why it cannot start; "" when it did not say."""
        self._gone = asyncio.Event()
        self._status: int | None = None
        self._loop.add_reader(self._pipe.fileno(), self._on_report)
        self._loop.add_reader(self._process.sentinel, self._on_end)

    def _on_report(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._failure = ""
        with contextlib.suppress(EOFError, OSError):
            if self._pipe.poll():
                self._failure = self._pipe.recv()
        self._pipe.close()
        self._reported.set()

    def _on_end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
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
        while self._status is None:
            self._status = self._process.exitcode
            if self._status is None:
                await anyio.sleep(_LOOK_AGAIN)  # its end of the pipe is closed, it is not quite dead
            else:
                self._process.close()
                if not self._pipe.closed:
                    self._on_report()
        return self._status

    def terminate(self) -> None:
        """Ask it to stop gracefully; a second time: to stop at once."""
        if self._status is None:
            if self._asked and sys.platform != "win32":
                os.kill(self.pid, _AT_ONCE)
            else:
                self._asked = True
                self._process.terminate()

    def kill(self) -> None:
        """End it."""
        if self._status is None:
            self._process.kill()


def ending(status: int) -> str:
    """Say how a process ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@contextmanager
def _terminal_signals_blocked() -> Iterator[None]:
    """Start processes that cannot be interrupted until they say so."""
    if sys.platform == "win32":
        yield
    else:
        resource_tracker.ensure_running()  # it unblocks signals when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
