"""How many exchanges there may be at once: of a route (ASP.NET's concurrency limiter), and at a destination."""

from __future__ import annotations

import logging
import math
import random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.config.model import Route
from hostler.errors import Failure, Reason
from hostler.fleet.equipment import PolicyKind
from hostler.pipeline import for_clusters, for_routes
from hostler.stages.balance import place, settle_for_one
from hostler.stages.permits import Entry, Permits

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from hostler.config.limits import ConcurrencyDefinition
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.stages.balance import Randomness

__all__ = ["CONCURRENCY", "limit_concurrency", "limit_in_flight"]

_log: Final = logging.getLogger("hostler.stages.limit_concurrency")
_PERMITS: Final = "permits"
"""The key in a route's or destination's state."""

CONCURRENCY: Final[PolicyKind[Route, ConcurrencyDefinition]] = PolicyKind(
    owner=Route,
    key="ConcurrencyPolicy",
    named=lambda route: route.concurrency_policy or None,
    default="",
    builtin=MappingProxyType({}),
    defined_in="concurrency",
    define=lambda definition: definition,
    off=("Disable",),
)
"""The kind of policy that says how many; a policy is the `ConcurrencyDefinition` itself."""


@for_routes(lambda route: CONCURRENCY.settings(route) is not None)
def limit_concurrency(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Let so many exchanges of a route through at once; the others wait in line, or get 503; a stage."""
    route = exchange.route
    limit = None if route is None else route.equipment.get(CONCURRENCY)
    if route is None or limit is None:
        return onward(exchange)
    return _limited(exchange, onward, limit, _permits(route.state), f"route {route.id}")


@for_clusters(lambda cluster: cluster.destination_concurrency is not None)
def limit_in_flight(
    exchange: Exchange, onward: Next, /, randomness: Randomness = random
) -> Awaitable[Outcome]:
    """Let so many exchanges be in flight at a destination at once, as `limit_concurrency` does; a stage behind `balance`."""
    cluster = exchange.cluster
    limit = None if cluster is None else cluster.config.destination_concurrency
    if limit is None or not exchange.candidates:
        return onward(exchange)
    picked = settle_for_one(exchange, _log, randomness)
    return _limited(exchange, onward, limit, _permits(picked.state), f"destination {picked.name}")


def _permits(state: dict[str, Any]) -> Permits:
    found: Permits | None = state.get(_PERMITS)
    if found is None:
        found = state[_PERMITS] = Permits()
    return found


async def _limited(
    exchange: Exchange, onward: Next, limit: ConcurrencyDefinition, permits: Permits, whose: str
) -> Outcome:
    entry = await permits.acquire(limit, exchange.stream)
    if entry is Entry.ADMITTED:
        try:
            return await onward(exchange)
        finally:
            permits.release()
    if isinstance(entry, Failure):
        return await exchange.fail(entry)
    if entry is Entry.FULL:
        detail = f"{whose}: {limit.permit_limit} exchanges are under way and {limit.queue_limit} wait"
    else:
        detail = f"{whose}: none of {limit.permit_limit} exchanges was over within {limit.queue_timeout:g} s"
    _log.info("%s: %s", place(exchange), detail)
    seconds = b"%d" % max(1, math.ceil(limit.queue_timeout) if limit.queue_limit else 1)
    exchange.on_response(lambda headers: headers.append((b"retry-after", seconds)))
    return await exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS, detail))
