"""Running a service in the foreground, until a signal: in this process, or in workers under a supervisor."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hostler.output import write_out
from hostler.processes.loop import run_loop
from hostler.processes.serving import serving_here
from hostler.processes.signals import on_signals, stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hostler.processes.policy import WorkerPolicy
    from hostler.processes.serving import Serving
    from hostler.processes.signals import Stop
    from hostler.processes.supervisor import Supervisor
    from hostler.server.prefix import UrlPrefix
    from hostler.service import Service

__all__ = ["announce", "reload_on_hangup", "run_service", "run_until_stopped"]


def run_service(service: Service, workers: WorkerPolicy | int | None = None) -> int:
    """Run a service until SIGINT or SIGTERM; returns the exit status.

    `workers` is how many processes serve, started by this one; None means that this process serves. Raises
    ListenError, PrefixError, QueueError, UnsupportedError, WorkerError; ConfigError for a handler that workers cannot
    import; and what loading the handler raises, in this process.
    """
    if workers is not None:
        from hostler.processes.policy import WorkerPolicy  # noqa: PLC0415 - for workers only

        if isinstance(workers, int) and workers < 1:
            raise ValueError(f"{workers} is not a number of workers; use 1 or more, or None for this process")
        policy = WorkerPolicy.fixed(workers) if isinstance(workers, int) else workers
        portable = service.for_workers()
        return run_loop(lambda: _supervise(portable, policy))
    service.loader.load()  # before there is an event loop: modules may run one of their own while they are imported
    return run_loop(lambda: run_until_stopped(service))


async def run_until_stopped(service: Service) -> int:
    """Serve in this process until SIGINT or SIGTERM; returns the exit status."""
    served: Serving | None = None

    def reload() -> bool:
        has_certificates = served is not None and served.server.reload_certificates()
        return service.loader.reload() or has_certificates

    with stop_signals() as stop, reload_on_hangup(stop, reload):
        async with serving_here(service) as served:
            announce(served.prefixes)
            if service.queue is not None:
                write_out(f"serving queue {service.queue} in this process\n")
            await stop.wait()
    return stop.status


async def _supervise(service: Service, policy: WorkerPolicy) -> int:
    """Run workers until SIGINT or SIGTERM, restart them on SIGHUP; returns the exit status."""
    from hostler.processes.supervising import supervising  # noqa: PLC0415 - multiprocessing is for workers only

    running: Supervisor | None = None

    def restart() -> bool:
        if running is not None:
            running.request_restart()
        return True

    with stop_signals() as stop, reload_on_hangup(stop, restart):
        async with supervising(service, policy) as running:
            announce(running.prefixes)
            what = service.loader.name if service.queue is None else f"queue {service.queue}"
            write_out(f"serving {what} with {policy}\n")
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
