"""The supervisor: the process that owns a queue and listening sockets, and keeps the workers on them alive.

HTTP.sys calls it the controller; IIS has WAS. It serves nothing itself. It holds the queue, so that requests wait
while no worker is there, and it binds the sockets once and hands them to every worker, so that a connection waits
while one worker is replaced by another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, evolve, field

from hostler.errors import WorkerError
from hostler.processes.worker_process import WorkerProcess, ending
from hostler.server.base import QueueMode
from hostler.server.choose import controlling
from hostler.service import GRACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable

    from hostler.server.prefix import UrlPrefix
    from hostler.service import Service

__all__ = ["Backoff", "Supervisor", "Worker", "supervising"]

_log = logging.getLogger("hostler.supervisor")
_reloads: Final = logging.getLogger("hostler.reload")

_EXIT_MARGIN: Final = 5.0
"""Seconds that a worker has beyond its grace, to stop its application and to exit."""

_ABORT_TIMEOUT: Final = 1.0
"""Seconds that workers have when there is no time for grace."""


class Worker(Protocol):
    """A worker as a supervisor sees it; `hostler.processes.worker_process.WorkerProcess`."""

    pid: int

    async def ready(self) -> None:
        """Wait until it serves; raises WorkerError when it cannot."""

    async def ended(self) -> int:
        """Wait until it has ended; returns the exit status, or a signal's number negated."""
        ...

    def terminate(self) -> None:
        """Ask it to stop gracefully; a second time: to stop at once."""

    def kill(self) -> None:
        """End it."""


@define(eq=False)
class Backoff:
    """How long to wait before a worker is started again; all in seconds.

    Nothing the first time, then 0.1, doubling to 30, while it dies within 10 of its start.
    """

    first: float = 0.1
    longest: float = 30.0
    enough: float = 10.0
    """A worker that lived so long starts from nothing again."""

    _next: float = field(default=0.0, init=False)

    def delay(self, lived: float) -> float:
        """Return how long to wait after a worker that lived for `lived`."""
        if lived >= self.enough:
            self._next = 0.0
        delay = self._next
        self._next = min(delay * 2 or self.first, self.longest)
        return delay


@define(eq=False)
class _Running:
    worker: Worker
    began: float


@define(eq=False)
class _Slot:
    """The place of one worker after another."""

    number: int
    running: _Running | None = None


class Supervisor:
    """Keeps `workers` workers running, which `start(number)` starts; `clock` and `sleep` are for the back-off."""

    def __init__(
        self,
        start: Callable[[int], Worker],
        workers: int,
        *,
        grace: float = GRACE,
        prefixes: tuple[UrlPrefix, ...] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.prefixes = prefixes
        """What the workers listen on."""
        self._start = start
        self._grace = grace
        self._clock = clock
        self._sleep = sleep
        self._slots = [_Slot(number) for number in range(1, workers + 1)]
        self._alive: dict[Worker, int] = {}
        self._restart_wanted = asyncio.Event()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the workers."""
        return tuple(slot.running.worker.pid for slot in self._slots if slot.running is not None)

    # -- starting -------------------------------------------------------------------------------------------------

    def _launch(self, slot: _Slot) -> _Running:
        worker = self._start(slot.number)
        self._alive[worker] = slot.number
        return _Running(worker, self._clock())

    async def start(self) -> None:
        """Start the workers, and wait until all are ready; raises WorkerError when one cannot start."""
        started = [self._launch(slot) for slot in self._slots]
        for running in started:
            await running.worker.ready()
        for slot, running in zip(self._slots, started, strict=True):
            slot.running = running

    async def keep(self) -> None:
        """Start again what ends, and replace workers when `request_restart` says so, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for slot in self._slots:
                group.create_task(self._keep(slot))
            group.create_task(self._restart_on_request())

    async def _keep(self, slot: _Slot) -> None:
        backoff = Backoff()
        while True:
            began = self._clock()
            if slot.running is not None:
                running = slot.running
                how = f"(process {running.worker.pid}) {ending(await self._ended(running.worker))}"
                if slot.running is not running:
                    continue  # it was replaced
                slot.running, began = None, running.began
            else:
                failure = await self._start_again(slot)
                if failure is None:
                    continue
                how = f"cannot start: {failure}"
            delay = backoff.delay(self._clock() - began)
            when = f"in {delay:g} s" if delay else "now"
            _log.warning("worker %d %s; another is started %s", slot.number, how, when)
            if delay:
                await self._sleep(delay)

    async def _start_again(self, slot: _Slot) -> str | None:
        """Start a worker in an empty slot; returns why it cannot start."""
        try:
            slot.running = running = self._launch(slot)
        except OSError as error:
            return str(error)
        try:
            await running.worker.ready()
        except WorkerError as error:
            await self._ended(running.worker)
            if slot.running is running:
                slot.running = None
                return str(error)
        else:
            _log.info("worker %d (process %d) is ready", slot.number, running.worker.pid)
        return None

    async def _ended(self, worker: Worker) -> int:
        status = await worker.ended()
        self._alive.pop(worker, None)
        return status

    # -- restarting -----------------------------------------------------------------------------------------------

    def request_restart(self) -> None:
        """Have `keep` replace the workers one by one; during a restart: once more after it."""
        self._restart_wanted.set()

    async def _restart_on_request(self) -> None:
        while True:
            await self._restart_wanted.wait()
            self._restart_wanted = asyncio.Event()
            await self.restart()

    async def restart(self) -> None:
        """Replace the workers one by one: each ends when its successor is ready, so that no request is lost.

        When a successor cannot start, that is logged, and the workers which are left go on.
        """
        for slot in self._slots:
            try:
                fresh = await self._successor(slot)
            except (OSError, WorkerError) as error:
                _log.error(
                    "the restart ends here, worker %d goes on as it is: its successor cannot start: %s",
                    slot.number, error,
                )  # fmt: skip
                return
            old, slot.running = slot.running, fresh
            _log.info("worker %d is process %d now", slot.number, fresh.worker.pid)
            if old is not None:
                await self._end([old.worker], self._grace + _EXIT_MARGIN)
        _reloads.info("every worker was replaced: %s", ", ".join(f"process {pid}" for pid in self.pids))

    async def _successor(self, slot: _Slot) -> _Running:
        fresh = self._launch(slot)
        try:
            await fresh.worker.ready()
        except WorkerError:
            await self._ended(fresh.worker)
            raise
        return fresh

    # -- stopping -------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Ask the workers to stop gracefully, and end those that take too long."""
        await self._end(list(self._alive), self._grace + _EXIT_MARGIN)

    async def stop_at_once(self) -> None:
        """End whatever runs."""
        await self._end(list(self._alive), _ABORT_TIMEOUT)

    async def _end(self, workers: Iterable[Worker], patience: float) -> None:
        alive = [worker for worker in workers if worker in self._alive]
        for worker in alive:
            worker.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for worker in alive:
                    await self._ended(worker)
        for worker in alive:
            if worker in self._alive:
                _log.warning(
                    "worker %d (process %d) did not stop in %g s, and is killed",
                    self._alive[worker], worker.pid, patience,
                )  # fmt: skip
                worker.kill()
                await self._ended(worker)


@asynccontextmanager
async def supervising(service: Service, workers: int) -> AsyncIterator[Supervisor]:
    """Own the queue and the prefixes of a service, and run workers on them, for as long as the context lasts.

    A queue that the service attaches to is left to whoever created it. All workers are ready on entry. The service
    must be one that can be pickled (`Service.for_workers`). Raises ListenError, PrefixError, QueueError,
    UnsupportedError, WorkerError.
    """
    with controlling(
        service.queue, service.mode, service.prefixes, service.options, service.server
    ) as controlled:
        work = evolve(
            service,
            queue=controlled.queue,
            mode=QueueMode.ATTACH,
            prefixes=controlled.prefixes,
        )
        supervisor = Supervisor(
            partial(WorkerProcess, work, controlled.sockets),
            workers,
            grace=service.grace,
            prefixes=controlled.prefixes,
        )
        try:
            await supervisor.start()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(supervisor.keep())
                yield supervisor
                keeping.cancel()
            controlled.withdraw()  # the workers close their sockets: nobody can connect any more
            await supervisor.stop()
        finally:
            await _to_its_end(supervisor.stop_at_once())


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do what must be done, however often it is cancelled meanwhile; it is cancelled afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
