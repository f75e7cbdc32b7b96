"""So many exchanges at once, and a line of those that wait.

States and transitions. A `Permits` has `taken` permits; whoever holds one releases it. A waiter is a future in the line: it
is let in, in order, with a permit that is taken on its behalf already; or its time is over; or its client leaves; or its
task is cancelled. What comes first counts. A waiter that is cancelled in the moment in which it was let in gives its permit
back, so that the count is exact whatever is cancelled when.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING

from hostler.deadline import call_later
from hostler.errors import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.limits import ConcurrencyDefinition
    from hostler.contract import Stream
    from hostler.deadline import Timer

__all__ = ["Entry", "Permits"]


class Entry(enum.Enum):
    """How asking for a permit ends."""

    ADMITTED = "admitted"
    FULL = "full"
    TIMED_OUT = "timed out"


class Permits:
    """The permits of one route, or of one destination."""

    def __init__(self, call_later: Callable[..., Timer] = call_later) -> None:
        self.taken = 0
        self._limit = 0
        self._waiting: dict[asyncio.Future[Entry | Failure], None] = {}
        self._call_later = call_later

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def acquire(self, definition: ConcurrencyDefinition, stream: Stream) -> Entry | Failure:
        """Take a permit, or wait for one in the line; whoever is admitted calls `release`.

        A failure says why nobody waits any more: the client has left, or a try has taken too long.

        `definition` has the limits that hold now: they may be others than before.
        """
        self._limit = definition.permit_limit
        self._admit()
        if self.taken < self._limit:
            self.taken += 1
            return Entry.ADMITTED
        if len(self._waiting) >= definition.queue_limit:
            return Entry.FULL
        if stream.closed:
            return Failure(Reason.REQUEST_CANCELED)
        return await self._wait(definition.queue_timeout, stream)

    async def _wait(self, seconds: float, stream: Stream) -> Entry | Failure:
        waiter: asyncio.Future[Entry | Failure] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        timer = self._call_later(seconds, self._resolve, waiter, Entry.TIMED_OUT)
        stream.when_departed(lambda failure: self._resolve(waiter, failure))
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result() is Entry.ADMITTED:
                self.release()
            raise
        finally:
            self._waiting.pop(waiter, None)
            timer.cancel()
            stream.when_departed(None)

    def _resolve(self, waiter: asyncio.Future[Entry | Failure], entry: Entry | Failure) -> None:
        """Take a waiter out of the line."""
        self._waiting.pop(waiter, None)
        if not waiter.done():
            waiter.set_result(entry)

    def _admit(self) -> None:
        while self._waiting and self.taken < self._limit:
            waiter = next(iter(self._waiting))
            if not waiter.done():  # nor cancelled
                self.taken += 1
            self._resolve(waiter, Entry.ADMITTED)

    def release(self) -> None:
        """Give a permit back; who has waited the longest gets it."""
        self.taken -= 1
        self._admit()
