"""A worker: a process that serves an application from a queue, on sockets that its supervisor bound, or both.

`Work` says what, and travels to the new process; `main` runs there. A worker reports once to its supervisor: that it is
ready, or why it cannot start. It stops gracefully when the supervisor wants it to, when the supervisor is gone, and on
SIGTERM. What a terminal sends to every process in it is the supervisor's.
"""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from hostler.asgi import Application, load
from hostler.explaining import explain
from hostler.output import log_to_stderr, write_out
from hostler.processes.pipe import Command, SupervisorPipe
from hostler.processes.signals import leave_to_supervisor, stop_signals
from hostler.server.base import QueueMode
from hostler.serving import GRACE, run_loop, serving

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection

    from hostler.server.base import ServerKind
    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix

__all__ = ["Work", "main"]

_log = logging.getLogger("hostler.worker")

_MAX_REPORT_LENGTH: Final = 4000
"""In characters; more might have to wait in the pipe."""


@frozen(kw_only=True, eq=False)
class Work:
    """What a worker serves."""

    app: str
    """The ASGI application, as "module:attribute"."""

    queue: str | None = None
    """The queue to attach to."""

    prefixes: tuple[UrlPrefix, ...] = ()
    sockets: list[socket.socket] = field(factory=list)
    """Bound for `prefixes`; every worker listens on them. HTTP.sys needs none."""

    server: ServerKind | None = None
    """None is the platform's own."""

    options: ServerOptions | None = None
    grace: float = GRACE
    quiet: bool = False
    log_level: int | None = None
    """For `log_to_stderr`; None leaves logging to the application."""


def main(work: Work, pipe: Connection) -> None:
    """Do the work in this process, and exit; `pipe` leads to the supervisor (`hostler.processes.pipe`)."""
    leave_to_supervisor()
    if work.log_level is not None:
        log_to_stderr(work.log_level)
    supervisor = SupervisorPipe(pipe)
    try:
        app = Application(load(work.app))
        status = run_loop(lambda: _serve(app, work, supervisor), shared_sockets=bool(work.sockets))
    except (Exception, SystemExit) as error:
        if supervisor.reported:
            raise
        _log.info("%s cannot be served", work.app, exc_info=error)
        supervisor.report(explain(error)[-_MAX_REPORT_LENGTH:])
        status = 1
    sys.exit(status)


async def _serve(app: Application, work: Work, supervisor: SupervisorPipe) -> int:
    write = None if work.quiet else write_out
    attach, sockets = QueueMode.ATTACH, (work.prefixes, work.sockets)

    # a signal to the whole process group comes once from there and once from the supervisor: that is one command
    with stop_signals(signal.SIGTERM, once=True) as stop:

        def on_command(command: Command | None) -> None:
            if command is Command.STOP_AT_ONCE:
                stop.request()
                return
            if command is None:
                _log.warning("the supervisor is gone: this worker finishes what it has, and ends")
            stop.request_once()

        with supervisor.commands(on_command):
            async with serving(
                app, (), queue=work.queue, mode=attach, options=work.options, grace=work.grace, write_line=write,
                server=work.server, sockets=sockets,
            ):  # fmt: skip
                supervisor.report(None)
                await stop.wait()
    return stop.status
