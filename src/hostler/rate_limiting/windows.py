"""Counting requests in windows, by the algorithms of the library `limits`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerSecond
from limits.aio.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)

from hostler.config.limits import RateLimitAlgorithm
from hostler.rate_limiting.keys import key_of
from hostler.rate_limiting.policy import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits.aio.storage import Storage

    from hostler.config.limits import RateLimiterDefinition
    from hostler.exchange import Exchange

__all__ = ["Windows", "make_strategy"]

_STRATEGIES: Final[dict[RateLimitAlgorithm, type[RateLimiter]]] = {
    RateLimitAlgorithm.FIXED_WINDOW: FixedWindowRateLimiter,
    RateLimitAlgorithm.MOVING_WINDOW: MovingWindowRateLimiter,
    RateLimitAlgorithm.SLIDING_WINDOW: SlidingWindowCounterRateLimiter,
}


def make_strategy(algorithm: RateLimitAlgorithm, storage: Storage) -> RateLimiter:
    """Return what counts by an algorithm, in a storage."""
    return _STRATEGIES[algorithm](storage)


class Windows:
    """A rate limiter of one definition, which counts in this process (`RateLimiterPolicy`)."""

    def __init__(
        self,
        definition: RateLimiterDefinition,
        name: str,
        strategy: RateLimiter | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key_of(definition)
        self._item = RateLimitItemPerSecond(
            definition.permit_limit, int(definition.window), namespace="hostler"
        )
        self._name = name
        self._strategy = strategy
        self._clock = clock

    async def __call__(self, exchange: Exchange, /) -> Refused | None:
        """Count a request."""
        strategy = self._strategy
        assert strategy is not None
        return await self._count(strategy, self._key(exchange))

    async def _count(self, strategy: RateLimiter, key: str) -> Refused | None:
        if await strategy.hit(self._item, self._name, key):
            return None
        stats = await strategy.get_window_stats(self._item, self._name, key)
        return Refused(max(1, math.ceil(stats.reset_time - self._clock())))
