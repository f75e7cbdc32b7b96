"""Keys that somebody else publishes: read when they are first needed, and again from time to time.

A set is empty until it has been read. A first reading is waited for by all who ask; when it fails, they get
`KeysUnavailableError`, and so does everybody in the next `RETRY_EMPTY` seconds. From then on there are always keys:
those that were read last. When they are older than `refresh_period`, whoever asks has them read again, and goes on with what
there is; a reading that fails changes nothing. Who misses a key waits for a reading, unless one began less than
`RETRY` seconds ago, so that unknown names of keys cost one reading in that time, however many there are. There is never
more than one reading under way. A reading ends with its event loop, and another one may begin at once in the next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["RETRY", "RETRY_EMPTY", "KeySet", "KeysUnavailableError"]

RETRY: Final = 30.0
"""Seconds between the beginnings of two readings."""

RETRY_EMPTY: Final = 2.0
"""The same while there are no keys."""

K = TypeVar("K")

_log: Final = logging.getLogger("hostler.authorization")


class KeysUnavailableError(Exception):
    """There are no keys, since they could not be read yet."""


class KeySet(Generic[K]):
    """The keys of one source."""

    def __init__(
        self,
        source: str,
        read: Callable[[], Awaitable[tuple[K, ...]]],
        *,
        refresh_period: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`source` names them in the log; `read` raises OSError or ValueError when it cannot. Periods are seconds."""
        self._source = source
        self._read = read
        self._refresh_period = refresh_period
        self._clock = clock
        self._keys: tuple[K, ...] = ()
        self._age_from = 0.0
        """When the keys were read."""
        self._not_before = float("-inf")
        """When the next reading may begin."""
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    async def current(self) -> tuple[K, ...]:
        """Return the keys; raises KeysUnavailableError."""
        if not self._keys:
            return await self.latest()
        if self._clock() - self._age_from >= self._refresh_period:
            self._begin()
        return self._keys

    async def latest(self) -> tuple[K, ...]:
        """Return the keys, read again if that may be; raises KeysUnavailableError."""
        task = self._begin()
        if task is not None:
            await asyncio.wait([task])  # which goes on when a client that waits here leaves
        if not self._keys:
            raise KeysUnavailableError(self._source)
        return self._keys

    def _begin(self) -> asyncio.Task[None] | None:
        """Begin to read if that may be; return the reading that is under way."""
        now, loop = self._clock(), asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            if self._task.cancelled() or not self._task.done():
                self._not_before = now
            self._task = None
        if (self._task is None or self._task.done()) and now >= self._not_before:
            self._not_before = now + (RETRY if self._keys else RETRY_EMPTY)
            self._task = loop.create_task(self._take(now))
        return self._task

    async def _take(self, began: float) -> None:
        try:
            self._keys = await self._read()
        except (OSError, ValueError) as error:
            if not self._failing:
                remain = "the keys that were read before remain" if self._keys else "there are no keys"
                _log.warning(
                    "cannot read keys from %s: %s; %s, and it is tried again", self._source, error, remain
                )
            self._failing = True
            return
        self._age_from = self._clock()
        self._not_before = began + RETRY
        if self._failing:
            self._failing = False
            _log.info("read keys from %s again", self._source)
