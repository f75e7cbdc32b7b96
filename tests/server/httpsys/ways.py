"""The ways in which a server meets the kernel: with either completion port, at every pace, in order and out of it."""

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from itertools import product

import pytest
from attrs import frozen

from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import served


@frozen
class Way:
    """With which completion port; when calls are over; whether packets come in any order."""

    completion: str = "thread"
    pace: Pace = Pace.AT_ONCE
    shuffled: bool = False

    def __str__(self):
        return f"{self.completion}-{self.pace.name.lower()}{'-shuffled' if self.shuffled else ''}"


WAYS = [Way(*values) for values in product(("thread", "proactor"), Pace, (False, True))]
every_way = pytest.mark.parametrize("way", [way for way in WAYS if not way.shuffled], ids=str)
every_way_in_any_order = pytest.mark.parametrize("way", WAYS, ids=str)


@asynccontextmanager
async def serving(machine, handler, way=None, *, windows=None, **options):
    """Serve a handler in a way; what is held (Pace.HELD) is let go one by one, soon."""
    way = way or Way()
    machine.pace = way.pace
    machine.shuffle = random.Random(7) if way.shuffled else None
    letting_go = asyncio.create_task(_let_go(machine)) if way.pace is Pace.HELD else None
    try:
        async with served(
            windows or machine.process(), handler, completion=way.completion, **options
        ) as server:
            yield server
    finally:
        if letting_go is not None:
            letting_go.cancel()
            with suppress(asyncio.CancelledError):
                await letting_go


async def _let_go(machine):
    while True:
        await machine.until(lambda: len(machine.held), timeout=60)
        await asyncio.sleep(0)
        machine.complete_sends(1)


async def turns(count=20):
    """Let the event loop turn, for what must not happen meanwhile."""
    for _ in range(count):
        await asyncio.sleep(0)


class RecordingPump:
    """A Pump that keeps what it is told."""

    def __init__(self):
        self.pieces = []
        self.failure = None
        self.ends = self.losses = self.pauses = self.resumes = self.goings = 0
        self.changed = asyncio.Event()

    @property
    def data(self):
        return b"".join(self.pieces)

    def feed(self, data):
        assert not self.losses, "nothing follows a loss"
        self.pieces.append(data)
        self.changed.set()

    def feed_end(self, trailers):
        assert not self.losses, "nothing follows a loss"
        self.ends += 1
        self.changed.set()

    def lost(self, failure):
        self.failure = failure
        self.losses += 1
        self.changed.set()

    def pause(self):
        self.pauses += 1
        self.changed.set()

    def resume(self):
        self.resumes += 1
        self.changed.set()

    def going_away(self):
        self.goings += 1
        self.changed.set()

    async def until(self, predicate):
        """Wait until `predicate(self)` is true."""
        async with asyncio.timeout(5):
            while not predicate(self):
                self.changed.clear()
                await self.changed.wait()
