"""Waiting on the kernel from a test, and holding back what would be over: no test needs to sleep."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.port import Operation

T = TypeVar("T")


class Pace(enum.Enum):
    """When sends and reads of a body that could be over at once are over."""

    AT_ONCE = "during the call"
    SOON = "pending, and the packet is there before the call returns"
    HELD = "pending until Machine.complete_sends()"


class Held:
    """Operations that pend and could be over, in the order in which they could."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._entries: list[tuple[Operation, Callable[[], None]]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, operation: Operation, finish: Callable[[], None]) -> None:
        """Hold an operation back, or finish it when nothing is to be held."""
        self._entries.append((operation, finish))
        if self._machine.pace is not Pace.HELD:
            self.release(None)

    def forget(self, operation: Operation) -> None:
        """Take out an operation that was cancelled or dropped."""
        self._entries = [entry for entry in self._entries if entry[0] is not operation]

    def of(self, request: Request) -> list[Operation]:
        """Give the operations that are held for a request."""
        return [operation for operation, _ in self._entries if operation.subject is request]

    def release(self, count: int | None) -> int:
        """Finish operations, all or some, in another order when the machine shuffles; returns how many."""
        released = 0
        while self._entries and (count is None or released < count):
            shuffle = self._machine.shuffle
            at = shuffle.randrange(len(self._entries)) if shuffle is not None else 0
            self._entries.pop(at)[1]()
            released += 1
        return released


class Acknowledgements:
    """What is over once a client has acknowledged what it got: at once, or when a test lets it, a round trip a call."""

    def __init__(self) -> None:
        self.held = False
        """Nothing is acknowledged before `arrive`."""
        self._waiting: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, finish: Callable[[], None]) -> None:
        """Finish a send when its acknowledgement arrives."""
        self._waiting.append(finish)
        if not self.held:
            self.arrive()

    def arrive(self) -> None:
        """Have everything acknowledged that is on its way."""
        waiting, self._waiting = self._waiting, []
        for finish in waiting:
            finish()


class Watchers:
    """Coroutines that wait for the kernel to come into some state, whichever thread brings it there."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiting: set[Callable[[], object]] = set()

    def notify(self) -> None:
        """Have everybody look again."""
        for look in list(self._waiting):
            look()

    async def until(self, predicate: Callable[[], T], timeout: float) -> T:
        """Wait until `predicate`, called with the kernel standing still, is true, and return what it gave."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def look() -> None:
            loop.call_soon_threadsafe(changed.set)

        with self._machine.lock:
            self._waiting.add(look)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    with self._machine.lock:
                        if value := predicate():
                            return value
                    await changed.wait()
                    changed.clear()
        finally:
            with self._machine.lock:
                self._waiting.discard(look)
