"""What a soak does to its processes, in an order that a seed decides."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from benchmarks.processes import Process
    from benchmarks.soak.field import Field

__all__ = ["ALL", "Disruption", "Disruptions"]

_PAUSE: Final = (0.2, 1.2)
"""Seconds between two disruptions, least and most."""

_EXIT: Final = 20.0


@frozen
class Disruption:
    """One thing that was done; times are of `time.monotonic`."""

    name: str
    began: float
    ended: float
    """When what was disrupted served again."""


@define(eq=False)
class Disruptions:
    """Kills, stops and replaces, one thing after another."""

    field: Field
    random: Random
    names: tuple[str, ...]
    """Which of `ALL` to go through."""
    done: list[Disruption] = field(factory=list)

    async def run(self, until: float) -> None:
        """Go through every disruption in a drawn order, and again, until a time of `time.monotonic`; once each at least."""
        while True:
            names = list(self.names)
            self.random.shuffle(names)
            for name in names:
                await asyncio.sleep(self.random.uniform(*_PAUSE))
                began = time.monotonic()
                if began > until and len(self.done) >= len(self.names):
                    return
                await ALL[name](self)
                self.done.append(Disruption(name, began, time.monotonic()))

    def _signal_worker(self, process: Process, number: signal.Signals) -> None:
        workers = self.field.workers(process)
        if workers:
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(workers), number)

    async def _worker_killed(self) -> None:
        self._signal_worker(self.field.supervisor, signal.SIGKILL)

    async def _worker_stopped(self) -> None:
        self._signal_worker(self.field.supervisor, signal.SIGTERM)

    async def _workers_replaced(self) -> None:
        await _replace_workers(self.field.supervisor)

    async def _supervisor_overlapped(self) -> None:
        before, self.field.supervisor = self.field.supervisor, await self.field.start_supervisor()
        before.popen.terminate()
        await _ended(before)

    async def _supervisor_restarted(self) -> None:
        self.field.supervisor.popen.terminate()
        await _ended(self.field.supervisor)
        self.field.supervisor = await self.field.start_supervisor()

    async def _supervisor_killed(self) -> None:
        self.field.supervisor.popen.kill()
        await _ended(self.field.supervisor)
        self.field.supervisor = await self.field.start_supervisor()

    async def _destination_worker_killed(self) -> None:
        self._signal_worker(self.field.destination, signal.SIGKILL)

    async def _destination_worker_stopped(self) -> None:
        self._signal_worker(self.field.destination, signal.SIGTERM)

    async def _destination_replaced(self) -> None:
        await _replace_workers(self.field.destination)

    async def _destination_killed(self) -> None:
        self.field.destination.signal(signal.SIGKILL)
        await _ended(self.field.destination)
        self.field.destination = await self.field.start_destination()

    async def _reload(self) -> None:
        self.field.proxy.popen.send_signal(signal.SIGHUP)


async def _replace_workers(process: Process) -> None:
    """Have a supervisor replace its workers, and wait until it says that it has."""
    said = "every worker was replaced"
    before = process.log.read_text().count(said)
    process.popen.send_signal(signal.SIGHUP)
    async with asyncio.timeout(_EXIT):
        while process.log.read_text().count(said) == before:  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(0.02)


async def _ended(process: Process) -> None:
    async with asyncio.timeout(_EXIT):
        while process.popen.poll() is None:  # noqa: ASYNC110 - Popen tells nobody
            await asyncio.sleep(0.01)


ALL: Final[dict[str, Callable[[Disruptions], Awaitable[None]]]] = {
    "worker killed": Disruptions._worker_killed,
    "worker stopped": Disruptions._worker_stopped,
    "workers replaced": Disruptions._workers_replaced,
    "supervisor overlapped": Disruptions._supervisor_overlapped,
    "supervisor restarted": Disruptions._supervisor_restarted,
    "supervisor killed": Disruptions._supervisor_killed,
    "destination's worker killed": Disruptions._destination_worker_killed,
    "destination's worker stopped": Disruptions._destination_worker_stopped,
    "destination's workers replaced": Disruptions._destination_replaced,
    "destination killed": Disruptions._destination_killed,
    "proxy reloaded": Disruptions._reload,
}
