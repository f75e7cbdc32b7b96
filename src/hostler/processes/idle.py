"""When a worker is idle: a stage that counts what is in progress, and a watch that says when that is long nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["Activity", "report_idleness"]


class Activity:
    """A stage that knows how long nothing has been in progress; put it first. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_progress = 0
        self._since = clock()

    async def __call__(self, exchange: Exchange, onward: Next, /) -> Outcome:
        """Count the exchange while it lasts, its bodies and tunnels included."""
        self._in_progress += 1
        try:
            return await onward(exchange)
        finally:
            self._in_progress -= 1
            self._since = self._clock()

    def idle(self) -> float:
        """Return for how many seconds nothing has been in progress."""
        return 0.0 if self._in_progress else self._clock() - self._since


async def report_idleness(
    activity: Activity,
    timeout: float,
    report: Callable[[], object],
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Call `report` after `timeout` seconds without an exchange, and again after each further `timeout`."""
    while True:
        idle = activity.idle()
        if idle >= timeout:
            report()
            idle = 0.0
        await sleep(timeout - idle)
