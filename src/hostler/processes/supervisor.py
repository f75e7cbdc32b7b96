"""The supervisor: the process that owns a queue and listening sockets, and keeps the workers on them alive.

HTTP.sys calls it the controller; IIS has WAS. It serves nothing itself. `hostler.processes.supervising`
gives it a queue and sockets to hand on. Which slots have a worker is decided by `hostler.processes.staffing`; here is
what carries it out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define

from hostler.errors import WorkerError
from hostler.processes.staffing import Staffing
from hostler.processes.worker_process import ending
from hostler.service import GRACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hostler.processes.policy import WorkerPolicy
    from hostler.server.choose import QueueController
    from hostler.server.prefix import UrlPrefix

__all__ = ["Supervisor", "Worker"]

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

    def when_idle(self, callback: Callable[[], object]) -> None:
        """Have `callback` called whenever it is idle."""

    def terminate(self) -> None:
        """Ask it to stop gracefully; a second time: to stop at once."""

    def kill(self) -> None:
        """End it."""


@define(eq=False)
class _Running:
    worker: Worker
    began: float


@define(eq=False)
class _Slot:
    """The place of one worker after another."""

    index: int
    running: _Running | None = None
    keeping: asyncio.Task[None] | None = None
    """What fills it again and again; None while it is vacant."""

    @property
    def number(self) -> int:
        """What people call it: from 1."""
        return self.index + 1


class Supervisor:
    """Keeps workers running, as many as `policy` says, which `start(number)` starts.

    `controller` is whoever knows of requests that no worker is there for, and can have them refused; without one the
    policy must be a fixed one. `clock` and `sleep` are for the back-off.
    """

    def __init__(
        self,
        start: Callable[[int], Worker],
        policy: WorkerPolicy,
        *,
        controller: QueueController | None = None,
        grace: float = GRACE,
        prefixes: tuple[UrlPrefix, ...] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.prefixes = prefixes
        """What the workers listen on."""
        self._start = start
        self._controller = controller
        self._grace = grace
        self._clock = clock
        self._sleep = sleep
        self._staffing = Staffing(policy)
        self._slots = [_Slot(index) for index in range(policy.maximum)]
        self._alive: dict[Worker, int] = {}
        self._asked: set[Worker] = set()
        """The workers that were asked to stop."""
        self._group: asyncio.TaskGroup | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._restart_wanted = asyncio.Event()
        self._restarting = False
        self._when_restarted: list[Callable[[], object]] = []
        """Called when the restart that was requested is over."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the workers."""
        return tuple(slot.running.worker.pid for slot in self._slots if slot.running is not None)

    # -- starting -------------------------------------------------------------------------------------------------

    def _launch(self, slot: _Slot) -> _Running:
        worker = self._start(slot.number)
        self._alive[worker] = slot.number
        running = _Running(worker, self._clock())
        worker.when_idle(partial(self._on_idle, slot, running))
        return running

    async def start(self) -> None:
        """Start the workers that are always there, and wait until all are ready; raises WorkerError when one cannot."""
        started = []
        for index in self._staffing.missing:
            self._staffing.start(index, self._clock())
            started.append((self._slots[index], self._launch(self._slots[index])))
        for _, running in started:
            await running.worker.ready()
        for slot, running in started:
            slot.running = running
            self._staffing.ready(slot.index)

    async def keep(self) -> None:
        """Start what ends, and what requests wait for; replace workers on `request_restart`; until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._fill_missing()
                self._listen()
                await self._restart_on_request()
            finally:
                self._group = None

    def _fill_missing(self) -> None:
        for index in self._staffing.missing:
            if self._slots[index].keeping is None:
                self._fill(self._slots[index])

    def _fill(self, slot: _Slot) -> None:
        assert self._group is not None
        if slot.running is None:
            self._staffing.start(slot.index, self._clock())
        slot.keeping = self._group.create_task(self._keep(slot))

    async def _keep(self, slot: _Slot) -> None:
        while True:
            if slot.running is not None:
                running = slot.running
                how = f"(process {running.worker.pid}) {ending(await self._ended(running.worker))}"
                if slot.running is not running:
                    continue  # it was replaced
                slot.running = None
            else:
                failure = await self._start_again(slot)
                if failure is None:
                    continue
                how = f"cannot start: {failure}"
            delay = self._staffing.fail(slot.index, self._clock())
            if delay is None:
                self._take_out_of_service(slot, how)
                return
            when = f"in {delay:g} s" if delay else "now"
            _log.warning("worker %d %s; another is started %s", slot.number, how, when)
            if delay:
                await self._sleep(delay)

    async def _start_again(self, slot: _Slot) -> str | None:
        """Start a worker in an empty slot; returns why it cannot start."""
        self._staffing.start(slot.index, self._clock())
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
            self._on_ready(slot)
            _log.info("worker %d (process %d) is ready", slot.number, running.worker.pid)
        return None

    def _on_ready(self, slot: _Slot) -> None:
        self._staffing.ready(slot.index)
        self._listen()

    async def _ended(self, worker: Worker) -> int:
        status = await worker.ended()
        self._alive.pop(worker, None)
        self._asked.discard(worker)
        return status

    # -- coming and going with requests ---------------------------------------------------------------------------

    def _listen(self) -> None:
        """Have the controller say when a request waits, if a worker would be started then.

        It has been asked once the task has taken its first step: before what is scheduled after this.
        """
        if self._controller is None or self._group is None or self._hearing is not None:
            return
        if self._staffing.listens:
            self._hearing = self._group.create_task(self._hear(self._controller))

    async def _hear(self, controller: QueueController) -> None:
        try:
            await controller.demanded()
        except OSError as error:
            self._hearing = None
            self._staffing.fix()
            _log.error(
                "nobody says when a request waits, so that %s run from here on, idle or not: %s",
                self._staffing.policy, error,
            )  # fmt: skip
            self._fill_missing()
            return
        self._hearing = None
        index = self._staffing.demand()
        if index is not None:
            _log.info("a request waits: worker %d is started", index + 1)
            self._fill(self._slots[index])

    def _on_idle(self, slot: _Slot, running: _Running) -> None:
        """Let a worker go that says it is idle, if it is one more than there must be."""
        if self._group is None or self._restarting or slot.running is not running:
            return
        if self._staffing.leave(slot.index):
            self._vacate(slot)
            self._listen()  # before the worker is asked to stop: what comes next may be nobody's
            self._group.create_task(self._let_go(slot, running.worker, "idle"))

    def _vacate(self, slot: _Slot) -> None:
        slot.running = None
        if slot.keeping is not None and slot.keeping is not asyncio.current_task():
            slot.keeping.cancel()
        slot.keeping = None

    async def _let_go(self, slot: _Slot, worker: Worker, why: str) -> None:
        _log.info("worker %d (process %d) is %s, and stops", slot.number, worker.pid, why)
        await self._end([worker], self._grace + _EXIT_MARGIN)

    def _take_out_of_service(self, slot: _Slot, how: str) -> None:
        """Have the queue refuse requests, and stop the other workers: too many have failed (IIS: rapid-fail)."""
        policy = self._staffing.policy
        _log.error(
            "worker %d %s; out of service after %d failure%s within %g s: no worker is started, and clients get 503; "
            "correct what these lines say, and start hostler again",
            slot.number, how, policy.max_crashes, "s" * (policy.max_crashes != 1), policy.crash_interval,
        )  # fmt: skip
        self._set_enabled(False)
        if self._hearing is not None:
            self._hearing.cancel()
            self._hearing = None
        left = [(each, each.running.worker) for each in self._slots if each.running is not None]
        for each in self._slots:
            self._vacate(each)
        for each, worker in left:
            assert self._group is not None
            self._group.create_task(self._let_go(each, worker, "out of service"))

    def _set_enabled(self, enabled: bool) -> None:
        if self._controller is not None:
            try:
                self._controller.set_enabled(enabled)
            except OSError as error:
                _log.error("the queue cannot be %s: %s", "enabled" if enabled else "disabled", error)

    # -- restarting -----------------------------------------------------------------------------------------------

    def request_restart(self, done: Callable[[], object] = lambda: None) -> None:
        """Have `keep` replace the workers one by one, and call `done` then; during a restart: once more after it."""
        self._when_restarted.append(done)
        self._restart_wanted.set()

    async def _restart_on_request(self) -> None:
        while True:
            await self._restart_wanted.wait()
            self._restart_wanted = asyncio.Event()
            waiting, self._when_restarted = self._when_restarted, []
            await self.restart()
            for done in waiting:
                done()

    async def restart(self) -> None:
        """Replace the workers one by one: each ends when its successor is ready, so that no request is lost.

        When a successor cannot start, that is logged, and the workers which are left go on. What is out of service is
        in service again.
        """
        if not self._staffing.in_service:
            self._staffing.resume()
            self._set_enabled(True)
            self._fill_missing()
            if self._slots[0].keeping is None:
                self._fill(self._slots[0])  # for what has waited meanwhile, and may be no demand any more
            return
        self._restarting = True
        try:
            for slot in self._slots:
                filled = slot.keeping is not None or slot.running is not None
                if filled and not await self._replace(slot):
                    return
        finally:
            self._restarting = False
        _reloads.info("every worker was replaced: %s", ", ".join(f"process {pid}" for pid in self.pids))

    async def _replace(self, slot: _Slot) -> bool:
        """Replace a slot's worker; returns whether the restart goes on."""
        try:
            fresh = await self._successor(slot)
        except (OSError, WorkerError) as error:
            _log.error(
                "the restart ends here, worker %d goes on as it is: its successor cannot start: %s",
                slot.number, error,
            )  # fmt: skip
            return False
        if not self._staffing.in_service:  # too many others have failed meanwhile
            await self._let_go(slot, fresh.worker, "out of service")
            return False
        old, slot.running = slot.running, fresh
        self._staffing.start(slot.index, fresh.began)
        self._on_ready(slot)
        _log.info("worker %d is process %d now", slot.number, fresh.worker.pid)
        if old is not None:
            await self._end([old.worker], self._grace + _EXIT_MARGIN)
        return self._staffing.in_service

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
        await self._end(list(self._alive), _ABORT_TIMEOUT, again=True)

    async def _end(self, workers: Iterable[Worker], patience: float, *, again: bool = False) -> None:
        """Ask workers to stop, once (or `again`), and kill those that are not gone after `patience` seconds."""
        alive = [worker for worker in workers if worker in self._alive]
        for worker in alive:
            if again or worker not in self._asked:
                self._asked.add(worker)
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
