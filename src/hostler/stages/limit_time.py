"""How long exchanges may take (YARP: Timeout and TimeoutPolicy of a route, ASP.NET's request timeouts)."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.config.definitions import TimeoutDefinition
from hostler.config.model import Route
from hostler.deadline import call_later
from hostler.errors import Failure, Reason, Side
from hostler.fleet.equipment import PolicyKind
from hostler.pipeline import for_routes
from hostler.stages.balance import place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.deadline import Timer
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["TIMEOUT", "limit_time"]

_log: Final = logging.getLogger("hostler.stages.limit_time")
_UPGRADED: Final = 101

TIMEOUT: Final[PolicyKind[Route, TimeoutDefinition]] = PolicyKind(
    owner=Route,
    key="TimeoutPolicy",
    named=lambda route: route.timeout_policy or None,
    default="",
    builtin=MappingProxyType({}),
    defined_in="timeouts",
    define=lambda definition: definition,
    off=("Disable",),
)
"""The kind of policy that says how long; a policy is the `TimeoutDefinition` itself."""


@for_routes(lambda route: route.timeout is not None or bool(route.timeout_policy))
def limit_time(
    exchange: Exchange, onward: Next, /, *, call_later: Callable[..., Timer] = call_later
) -> Awaitable[Outcome]:
    """End an exchange that takes longer than its route allows, from here to the end of its answer; a stage.

    The client gets 504, or the policy's status; an answer that has begun is aborted. An upgraded connection may go on.
    What a process of a queue has in its hands is aborted too: whether it is about to answer, nobody knows.
    """
    route = exchange.route
    if route is None:
        return onward(exchange)
    seconds = route.config.timeout
    limit = route.equipment.get(TIMEOUT) if seconds is None else TimeoutDefinition(seconds)
    return onward(exchange) if limit is None else _limited(exchange, onward, limit, call_later)


async def _limited(
    exchange: Exchange, onward: Next, limit: TimeoutDefinition, call_later: Callable[..., Timer]
) -> Outcome:
    timeout = asyncio.timeout(None)

    def expire() -> None:
        if exchange.stream.status != _UPGRADED:
            timeout.reschedule(0)

    timer = call_later(limit.timeout, expire)
    try:
        async with timeout:
            return await onward(exchange)
    except TimeoutError:
        if not timeout.expired():
            raise
    finally:
        timer.cancel()
    detail = f"not over within the {limit.timeout:g} s that its route allows ({place(exchange)})"
    _log.info("%s %s: %s", exchange.method, exchange.path, detail)
    failure = Failure(Reason.REQUEST_TIMED_OUT, detail, status=limit.timeout_status_code, side=Side.PROXY)
    return await exchange.fail(failure)
