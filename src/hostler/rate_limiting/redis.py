"""Counting in Redis, together with other proxies; and what happens while Redis is down.

States. Redis is up, or down: a call that fails, or takes longer than the definition's `Timeout`, makes it down, and one that
is answered up again. Each change is one line in the log. While it is down one request a second asks it; for the others, as
for those whose call failed, the definition's `WhenDown` holds at once.

Connections are opened for the first request, and closed with the policy: when it is closed, or when nobody has it any more
because a reload has put another one in its place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import finalize

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.exceptions import RedisError

from hostler.config.limits import RedisWhenDown
from hostler.errors import redact
from hostler.rate_limiting.policy import Refused
from hostler.rate_limiting.windows import Windows, make_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits.aio.strategies import RateLimiter

    from hostler.config.limits import RateLimiterDefinition, RedisDefinition
    from hostler.exchange import Exchange

__all__ = ["RedisWindows", "pool_url"]

_log: Final = logging.getLogger("hostler.rate_limiting")

RETRY_INTERVAL: Final = 1.0
"""Seconds after which Redis is asked again that was down."""

_MAX_CONNECTIONS: Final = 32

_closing: Final[set[asyncio.Task[None]]] = set()


def pool_url(url: str) -> str:
    """Return an address as the library `redis` writes it; raises ValueError for what is none."""
    written = url.replace("redis+unix://", "unix://", 1)
    parse_url(written)
    return written


class RedisWindows(Windows):
    """A rate limiter of one definition, which counts in Redis (`RateLimiterPolicy`)."""

    def __init__(
        self,
        definition: RateLimiterDefinition,
        redis: RedisDefinition,
        name: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(definition, name, None)
        self._algorithm = definition.algorithm
        self._redis = redis
        self._pool: BlockingConnectionPool | None = None
        self._unused: finalize[..., RedisWindows] | None = None
        """Closes the pool behind a policy that nobody has."""
        self._monotonic = monotonic
        self._is_down = False
        self._ask_again = 0.0

    async def __call__(self, exchange: Exchange, /) -> Refused | None:
        """Count a request, or say what holds while that is not possible."""
        key = self._key(exchange)
        if self._is_down:
            now = self._monotonic()
            if now < self._ask_again:
                return self._refused()
            self._ask_again = now + RETRY_INTERVAL
        try:
            async with asyncio.timeout(self._redis.timeout):
                refused = await self._count(self._connected(), key)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._failed(error)
            return self._refused()
        if self._is_down:
            self._is_down = False
            _log.warning("rate limiter %s: Redis answers again", self._name)
        return refused

    def _connected(self) -> RateLimiter:
        strategy = self._strategy
        if strategy is None:
            url, timeout = pool_url(self._redis.url), self._redis.timeout
            self._pool = BlockingConnectionPool.from_url(
                url, max_connections=_MAX_CONNECTIONS, timeout=timeout
            )
            self._unused = finalize(self, _close_soon, self._pool, asyncio.get_running_loop())
            self._unused.atexit = False
            storage = RedisStorage(
                f"async+{self._redis.url}",
                implementation="redispy",
                key_prefix="hostler",
                connection_pool=self._pool,  # type: ignore[arg-type] # as its documentation says
            )
            strategy = self._strategy = make_strategy(self._algorithm, storage)
        return strategy

    def _failed(self, error: Exception) -> None:
        self._ask_again = self._monotonic() + RETRY_INTERVAL
        if not self._is_down:
            self._is_down = True
            why = str(error) or f"no answer within {self._redis.timeout:g} s"
            rule = "let through" if self._redis.when_down is RedisWhenDown.ALLOW else "answered with 503"
            _log.warning(
                "rate limiter %s: Redis at %s is down, requests are %s until it answers: %s",
                self._name, redact(self._redis.url), rule, why,
            )  # fmt: skip

    def _refused(self) -> Refused | None:
        return None if self._redis.when_down is RedisWhenDown.ALLOW else Refused(RETRY_INTERVAL, 503)

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool, self._strategy = self._pool, None, None
        if self._unused is not None:
            self._unused.detach()
        if pool is not None:
            await _close(pool)


async def _close(pool: BlockingConnectionPool) -> None:
    await Redis(connection_pool=pool).aclose(close_connection_pool=True)


def _close_soon(pool: BlockingConnectionPool, loop: asyncio.AbstractEventLoop) -> None:
    """Close a pool in its event loop, from whichever thread; what is left of one that has ended needs nobody."""

    def begin() -> None:
        task = loop.create_task(_close(pool))
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(begin)
