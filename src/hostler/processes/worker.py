"""A worker: a process that serves from a queue, on sockets that its supervisor bound, or both.

`main` runs there, with the `Service` that says what. A worker reports once to its supervisor: that it is ready, or why it
cannot start. It stops gracefully when the supervisor wants it to, when the supervisor is gone, and on SIGTERM. What a
terminal sends to every process in it is the supervisor's.
"""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

from hostler.explaining import explain
from hostler.output import log_to_stderr
from hostler.processes.loop import run_loop
from hostler.processes.pipe import Command, SupervisorPipe
from hostler.processes.serving import serving_here
from hostler.processes.signals import stop_signals
from hostler.processes.terminal import leave_to_supervisor

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection

    from hostler.service import Service

__all__ = ["main"]

_log = logging.getLogger("hostler.worker")

_MAX_REPORT_LENGTH: Final = 4000
"""In characters; more might have to wait in the pipe."""


def main(service: Service, sockets: list[socket.socket], pipe: Connection) -> None:
    """Serve in this process, and exit; `pipe` leads to the supervisor (`hostler.processes.pipe`).

    `sockets` are bound for the prefixes of the service; every worker listens on them. HTTP.sys needs none.
    """
    leave_to_supervisor()
    if service.log_level is not None:
        log_to_stderr(service.log_level)
    supervisor = SupervisorPipe(pipe)
    try:
        service.loader.load()  # before there is an event loop, as in a program without workers
        status = run_loop(lambda: _serve(service, sockets, supervisor), shared_sockets=bool(sockets))
    except (Exception, SystemExit) as error:
        if supervisor.reported:
            raise
        _log.info("%s cannot be served", service.loader.name, exc_info=error)
        supervisor.report(explain(error)[-_MAX_REPORT_LENGTH:])
        status = 1
    sys.exit(status)


async def _serve(service: Service, sockets: list[socket.socket], supervisor: SupervisorPipe) -> int:
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
            async with serving_here(service, sockets):
                supervisor.report(None)
                await stop.wait()
    return stop.status
