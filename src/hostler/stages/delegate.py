"""Handing an exchange to the request queue that its destination names (YARP: UseHttpSysDelegation)."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final

from hostler.errors import Side
from hostler.pipeline import for_clusters
from hostler.stages.balance import place, settle_for_one

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.server.base import DelegationRule
    from hostler.stages.balance import Randomness

__all__ = ["delegate"]

_log: Final = logging.getLogger("hostler.stages.delegate")


@for_clusters(lambda cluster: any(item.queue is not None for item in cluster.destinations))
def delegate(exchange: Exchange, onward: Next, /, randomness: Randomness = random) -> Awaitable[Outcome]:
    """Delegate to the candidate that is left when it has a delegation rule; a stage (HttpDelegateRequestEx).

    What is forwarded goes onward. Of several candidates one is taken at random, so that what is delegated to never
    reaches the stages behind. Raises DelegationError when an earlier stage read the body or began a response.
    """
    if not exchange.candidates:
        return onward(exchange)
    picked = settle_for_one(exchange, _log, randomness)
    rule = picked.rule
    if rule is None:
        return onward(exchange)
    exchange.destination = picked
    return _hand_over(exchange, picked, rule)


async def _hand_over(exchange: Exchange, picked: LiveDestination, rule: DelegationRule) -> Outcome:
    picked.in_flight += 1
    try:
        outcome = await exchange.delegate(rule)
    finally:
        picked.in_flight -= 1
    failure = outcome.failure
    if failure is not None and failure.side is not Side.CLIENT:
        _log.warning("%s: delegating to queue %s failed: %s", place(exchange), rule.queue, failure)
    return outcome
