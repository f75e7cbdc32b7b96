"""A worker: a process that serves from a queue, on sockets that its supervisor bound, or both.

`main` runs there, with the `Service` that says what. A worker reports once to its supervisor: that it is ready, or why
it cannot start; and afterwards whenever it is idle, where the service has an idle timeout. It stops gracefully when the
supervisor wants it to, when the supervisor is gone, and on SIGTERM. What a terminal sends to every process in it is the
supervisor's.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from hostler.explaining import explain
from hostler.output import log_to_stderr
from hostler.processes.idle import Activity, report_idleness
from hostler.processes.loop import run_loop
from hostler.processes.pipe import Command, Notice, SupervisorPipe
from hostler.processes.serving import serving_here
from hostler.processes.signals import stop_signals
from hostler.processes.terminal import leave_to_supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
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
            activity = None if service.idle_timeout is None else Activity()
            async with serving_here(service, sockets, first=activity):
                supervisor.report(None)
                async with _reporting(activity, service.idle_timeout, supervisor):
                    await stop.wait()
    return stop.status


@asynccontextmanager
async def _reporting(
    activity: Activity | None, timeout: float | None, supervisor: SupervisorPipe
) -> AsyncIterator[None]:
    """Tell the supervisor whenever this worker is idle."""
    if activity is None or timeout is None:
        yield
        return
    report = partial(supervisor.notify, Notice.IDLE)
    watching = asyncio.create_task(report_idleness(activity, timeout, report))
    try:
        yield
    finally:
        watching.cancel()
