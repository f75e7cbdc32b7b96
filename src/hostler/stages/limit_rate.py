"""How many requests there may be in a time (YARP: RateLimiterPolicy, ASP.NET's rate limiting)."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from hostler.config.model import Route
from hostler.fleet.equipment import PolicyKind
from hostler.http.message import reason_phrase
from hostler.rate_limiting.policy import ClosingPolicy
from hostler.rate_limiting.ready import find_fault, make_policy
from hostler.stages.balance import place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.rate_limiting.policy import RateLimiterPolicy

__all__ = ["RATE_LIMITER", "RateLimiting", "limit_rate"]

_log: Final = logging.getLogger("hostler.stages.limit_rate")

RATE_LIMITER: Final[PolicyKind[Route, RateLimiterPolicy]] = PolicyKind(
    owner=Route,
    key="RateLimiterPolicy",
    named=lambda route: route.rate_limiter_policy or None,
    default="",
    builtin=MappingProxyType({}),
    defined_in="rate_limiters",
    define=make_policy,
    find_fault=find_fault,
    off=("Default", "Disable"),
    arguments=lambda route: ((route.rate_limiter_policy or "").lower(),),
    shared=True,
    is_policy=True,
)
"""The kind of policy that counts; it is made of its name."""


class RateLimiting:
    """The stage that refuses what is too much: 429, with Retry-After."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[RateLimiterPolicy, asyncio.AbstractEventLoop] = WeakKeyDictionary()
        """Those that were asked, by the event loop that they have connections in."""

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Have the policies let go of their connections when the proxy stops."""
        try:
            yield
        finally:
            loop = asyncio.get_running_loop()
            for policy in [policy for policy, its in self._open.items() if its is loop]:
                del self._open[policy]
                if isinstance(policy, ClosingPolicy):
                    await policy.close()

    def concerns_route(self, route: Route) -> bool:
        """Whether a route has a rate limiter (`hostler.pipeline.for_routes`)."""
        return RATE_LIMITER.settings(route) is not None

    async def __call__(self, exchange: Exchange, onward: Next, /) -> Outcome:
        """Ask the route's policy; 429 for what it refuses."""
        policy = None if exchange.route is None else exchange.route.equipment.get(RATE_LIMITER)
        if policy is None:
            return await onward(exchange)
        if policy not in self._open and isinstance(policy, ClosingPolicy):
            self._open[policy] = asyncio.get_running_loop()
        refused = await policy(exchange)
        if refused is None:
            return await onward(exchange)
        _log.debug("%s: refused %s with %d", place(exchange), exchange.client[0], refused.status)
        text = f"{refused.status} {reason_phrase(refused.status).decode()}\n"
        return await exchange.respond(
            refused.status, text, headers=[("retry-after", str(max(1, math.ceil(refused.retry_after))))]
        )


limit_rate: Final = RateLimiting()
