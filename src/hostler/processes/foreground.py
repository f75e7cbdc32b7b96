"""Running a service in the foreground, until a signal: in this process, or in workers under a supervisor."""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from hostler.output import write_out
from hostler.processes.inherited import take_inherited
from hostler.processes.loop import run_loop
from hostler.processes.notifying import Notifier
from hostler.processes.serving import serving_here
from hostler.processes.signals import on_signals, stop_signals
from hostler.server.choose import controlling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from socket import socket

    from hostler.processes.policy import WorkerPolicy
    from hostler.processes.serving import Serving
    from hostler.processes.signals import Stop
    from hostler.processes.supervisor import Supervisor
    from hostler.server.prefix import UrlPrefix
    from hostler.service import Service

__all__ = ["announce", "reload_on_hangup", "run_service", "run_until_stopped"]


def run_service(service: Service, workers: WorkerPolicy | int | None = None) -> int:
    """Run a service until SIGINT or SIGTERM; returns the exit status.

    It listens on the sockets that it was started with, as systemd passes them, where they are for its prefixes.

    `workers` is how many processes serve, started by this one; None means that this process serves. Raises
    ListenError, PrefixError, QueueError, UnsupportedError, WorkerError; ConfigError for a handler that workers cannot
    import; and what loading the handler raises, in this process.
    """
    inherited = take_inherited()
    if workers is not None:
        from hostler.processes.policy import WorkerPolicy  # noqa: PLC0415 - for workers only

        if isinstance(workers, int) and workers < 1:
            raise ValueError(f"{workers} is not a number of workers; use 1 or more, or None for this process")
        policy = WorkerPolicy.fixed(workers) if isinstance(workers, int) else workers
        portable = service.for_workers()
        return run_loop(lambda: _supervise(portable, policy, inherited))
    service.loader.load()  # before there is an event loop: modules may run one of their own while they are imported
    return run_loop(lambda: run_until_stopped(service, inherited))


async def run_until_stopped(service: Service, inherited: Sequence[socket] = ()) -> int:
    """Serve in this process until SIGINT or SIGTERM; returns the exit status."""
    notifier = Notifier.of_environment()
    served: Serving | None = None

    def reload(done: Callable[[], object]) -> bool:
        has_certificates = served is not None and served.server.reload_certificates()
        if service.loader.reload(done):
            return True
        if has_certificates:
            done()
        return has_certificates

    with stop_signals() as stop, reload_on_hangup(stop, notifier.telling(reload)):
        async with _serving_on(service, inherited) as served:
            announce(served.prefixes)
            if service.queue is not None:
                write_out(f"serving queue {service.queue} in this process\n")
            with notifier.running(f"serving {service.loader.name}"):
                await stop.wait()
    return stop.status


@asynccontextmanager
async def _serving_on(service: Service, inherited: Sequence[socket]) -> AsyncIterator[Serving]:
    """Serve in this process, on inherited sockets too."""
    if not inherited:
        async with serving_here(service) as served:
            yield served
        return
    with controlling(
        None, service.mode, service.prefixes, service.options, service.server, inherited
    ) as controlled:
        async with serving_here(evolve(service, prefixes=controlled.prefixes), controlled.sockets) as served:
            yield served


async def _supervise(service: Service, policy: WorkerPolicy, inherited: Sequence[socket] = ()) -> int:
    """Run workers until SIGINT or SIGTERM, restart them on SIGHUP; returns the exit status."""
    from hostler.processes.supervising import supervising  # noqa: PLC0415 - multiprocessing is for workers only

    running: Supervisor | None = None

    def restart(done: Callable[[], object]) -> bool:
        if running is None:
            done()
        else:
            running.request_restart(done)
        return True

    notifier = Notifier.of_environment()
    with stop_signals() as stop, reload_on_hangup(stop, notifier.telling(restart)):
        async with supervising(service, policy, inherited) as running:
            announce(running.prefixes)
            what = service.loader.name if service.queue is None else f"queue {service.queue}"
            write_out(f"serving {what} with {policy}\n")
            with notifier.running(f"serving {what} with {policy}"):
                await stop.wait()
    return stop.status


@contextmanager
def reload_on_hangup(stop: Stop, reload: Callable[[], bool]) -> Iterator[None]:
    """Reload on SIGHUP; stop when it means what it says, that the terminal is gone, or when `reload` returns False.

    A program that was started to ignore the signal (nohup) outlives its terminal.
    """
    if sys.platform == "win32":
        yield
    else:
        had_terminal, ignores = _has_terminal(), signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

        def on_hangup(_: int) -> None:
            nonlocal had_terminal
            lost_terminal = had_terminal and not _has_terminal()
            had_terminal = had_terminal and not lost_terminal
            if (lost_terminal or not reload()) and not ignores:
                stop.request_once()

        with on_signals([signal.SIGHUP], on_hangup):
            yield


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        Path("/dev/tty").open("rb").close()
    except OSError:
        return False
    return True


def announce(prefixes: Iterable[UrlPrefix]) -> None:
    """Print where a server listens."""
    for prefix in prefixes:
        write_out(f"listening on {prefix}\n")
