"""Serving ASGI applications: in this process, or in worker processes under a supervisor."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostler.asgi import Application, load
from hostler.asgi.naming import name_of
from hostler.errors import WorkerError
from hostler.output import write_out
from hostler.processes.signals import on_signals, stop_signals
from hostler.processes.supervisor import supervising
from hostler.processes.worker import Work
from hostler.server.base import QueueMode
from hostler.server.choose import choose
from hostler.serving import DEFAULT_URL, GRACE, announce, run_loop, run_until_stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hostler.processes.signals import Stop
    from hostler.processes.supervisor import Supervisor
    from hostler.server.base import ServerKind
    from hostler.server.options import ServerOptions

__all__ = ["serve", "supervise"]


def serve(
    app: Any,
    queue: str | None = None,
    urls: Iterable[str] = (),
    workers: int | None = None,
    mode: QueueMode | str = QueueMode.CREATE_OR_ATTACH,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
    *,
    server: ServerKind | str | None = None,
) -> None:
    """Serve an ASGI 3 application until SIGINT or SIGTERM: from a queue, on URL prefixes, or both.

    `app` is the application or its name, "module:attribute". Neither a queue nor urls means http://localhost:5000/.
    `mode` says how the queue is opened. `workers` is how many processes serve, kept alive by this one; None means that
    this process serves. Workers import the program anew, so that it must call this under
    `if __name__ == "__main__":`. `server` is "httpsys" on Windows and "usermode" elsewhere, unless it says which. On the
    signal (on Windows Ctrl-C, Ctrl-Break, the end of the console) nothing new is taken, and exchanges in progress have
    `grace` seconds; a second signal ends them at once. SIGHUP replaces the workers one by one.

    Raises ListenError, PrefixError, QueueError, UnsupportedError; ConfigError for what is no application, or one that workers cannot
    import; WorkerError when a worker cannot start; LifespanError when the application refuses to.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise WorkerError(
            "a worker process imports the program, and the program calls hostler.serve again: "
            'put the call under `if __name__ == "__main__":`'
        )
    mode, kind = QueueMode(mode), choose(server)
    wanted = tuple(urls) or (() if queue is not None else (DEFAULT_URL,))
    if workers is None:
        handler = Application(load(app) if isinstance(app, str) else app)
        run_loop(
            lambda: run_until_stopped(
                handler,
                wanted,
                queue=queue,
                mode=mode,
                options=options,
                grace=grace,
                quiet=quiet,
                server=kind,
            )
        )
        return
    if workers < 1:
        raise ValueError(f"{workers} is not a number of workers; use 1 or more, or None for this process")
    name = app if isinstance(app, str) else name_of(app)
    work = Work(app=name, queue=queue, options=options, grace=grace, quiet=quiet, server=kind)
    run_loop(lambda: supervise(work, workers, urls=wanted, mode=mode))


async def supervise(work: Work, workers: int, *, urls: Iterable[str], mode: QueueMode) -> int:
    """Run workers until SIGINT or SIGTERM, restart them on SIGHUP; returns the exit status."""
    with stop_signals() as stop:
        async with supervising(work, workers, urls=urls, mode=mode) as supervisor:
            announce(supervisor.prefixes)
            what = work.app if work.queue is None else f"queue {work.queue}"
            write_out(f"serving {what} with {workers} worker{'s' * (workers != 1)}\n")
            with _restart_on_hangup(supervisor, stop):
                await stop.wait()
    return stop.status


@contextmanager
def _restart_on_hangup(supervisor: Supervisor, stop: Stop) -> Iterator[None]:
    """Restart on SIGHUP; stop when it means what it says, that the terminal is gone."""
    had_terminal = _has_terminal()

    def on_hangup(_: int) -> None:
        if had_terminal and not _has_terminal():
            stop.request()
        else:
            supervisor.request_restart()

    if sys.platform == "win32":
        yield
    else:
        with on_signals([signal.SIGHUP], on_hangup):
            yield


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        Path("/dev/tty").open("rb").close()
    except OSError:
        return False
    return True
