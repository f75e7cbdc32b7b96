"""Sending a request again that failed, before anything of an answer has gone to the client; how, is in `tries`."""

from __future__ import annotations

import random
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.config.model import Route
from hostler.config.statuses import parse_statuses
from hostler.deadline import call_later
from hostler.fleet.equipment import PolicyKind
from hostler.pipeline import for_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.config.definitions import RetryDefinition
    from hostler.deadline import Timer
    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.stages.balance import Randomness

__all__ = ["RETRY", "RetryBudget", "RetryPolicy", "retry"]


class RetryBudget:
    """How many retries there may be: each request adds a share, each retry takes one, and `reserve` is the most there is.

    So an outage costs destinations no more than that share of requests in addition, and the reserve once.
    """

    def __init__(self, percent: int, reserve: int) -> None:
        self._share = percent / 100
        self._reserve = reserve
        self._left = float(reserve)

    def add_request(self) -> None:
        """Add a request's share."""
        self._left = min(self._reserve, self._left + self._share)

    def take(self) -> bool:
        """Take a retry, if there is one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RetryPolicy:
    """What is sent again for the routes that name the policy; the budget is theirs together."""

    def __init__(self, definition: RetryDefinition) -> None:
        self.definition = definition
        self.budget = RetryBudget(definition.budget_percent, definition.budget_reserve)
        self._failures = frozenset(name.lower() for name in definition.failures)
        self._methods = frozenset(definition.methods)
        self.statuses = parse_statuses(definition.statuses)

    def covers(self, failure: Failure) -> bool:
        """Whether it is for such a failure."""
        return failure.reason.yarp_name.lower() in self._failures

    def may_repeat(self, method: str) -> bool:
        """Whether a destination may get a request of this method twice."""
        return method in self._methods


RETRY: Final[PolicyKind[Route, RetryPolicy]] = PolicyKind(
    owner=Route,
    key="RetryPolicy",
    named=lambda route: route.retry_policy or None,
    default="",
    builtin=MappingProxyType({}),
    defined_in="retries",
    define=RetryPolicy,
    off=("Disable",),
    shared=True,
)
"""The kind of policy that says what is sent again."""


@for_routes(lambda route: bool(route.retry_policy))
def retry(
    exchange: Exchange,
    onward: Next,
    /,
    *,
    randomness: Randomness = random,
    clock: Callable[[], float] = time.monotonic,
    call_later: Callable[..., Timer] = call_later,
) -> Awaitable[Outcome]:
    """Go onward again, to another destination, where the route's policy says so; a stage.

    That ends with the first byte of a response that is let through. A body is sent again while it fits the policy's
    `MaxBodySize`.
    """
    policy = None if exchange.route is None else exchange.route.equipment.get(RETRY)
    if policy is None or exchange.stream.started or exchange._channel is not None:
        return onward(exchange)
    from hostler.stages.tries import Tries  # noqa: PLC0415 - for routes that name such a policy alone

    return Tries(exchange, policy, onward, randomness, clock, call_later).answer()
