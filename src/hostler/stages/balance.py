"""Choosing one of several destinations (YARP: LoadBalancingPolicy).

A policy is called only when there is something to choose. Randomness is anything with `random()`: the `random`
module itself, or a seeded `random.Random`.
"""

from __future__ import annotations

import itertools
import random
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hostler.config.model import Cluster
from hostler.fleet.equipment import PolicyKind
from hostler.pipeline import for_clusters

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable

    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import LiveDestination
    from hostler.pipeline import Next

    Candidates = tuple[LiveDestination, ...]

__all__ = [
    "BALANCE",
    "BalancePolicy",
    "PowerOfTwoChoices",
    "RandomChoice",
    "Randomness",
    "RoundRobin",
    "balance",
    "first_alphabetical",
    "least_requests",
    "place",
    "settle_for_one",
]


class BalancePolicy(Protocol):
    """Chooses one of several destinations; the candidates are never empty."""

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination | None:
        """Return the choice, or None when none will do."""
        ...


class Randomness(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Return a number from 0 up to, and not including, 1."""
        ...


_in_flight: Final = attrgetter("in_flight")


def _alphabetical(destination: LiveDestination) -> str:
    return destination.id.upper()


def first_alphabetical(exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
    """Choose the destination whose id sorts first, without case (YARP: FirstAlphabetical)."""
    return min(candidates, key=_alphabetical)


def least_requests(exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
    """Choose the destination with the fewest requests in flight, the first such one (YARP: LeastRequests)."""
    return min(candidates, key=_in_flight)


class RandomChoice:
    """Choose any destination (YARP: Random)."""

    def __init__(self, randomness: Randomness = random) -> None:
        self._random = randomness.random

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose."""
        return candidates[int(self._random() * len(candidates))]


class RoundRobin:
    """Choose one destination after the other; all routes of a cluster take turns together (YARP: RoundRobin)."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose."""
        return candidates[next(self._turns) % len(candidates)]


class PowerOfTwoChoices:
    """Look at two destinations and choose the one with fewer requests in flight (YARP: PowerOfTwoChoices)."""

    def __init__(self, randomness: Randomness = random) -> None:
        self._random = randomness.random

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose; the first that was looked at wins a tie."""
        count = len(candidates)
        if count == 1:
            return candidates[0]
        first = int(self._random() * count)
        second = int(self._random() * (count - 1))
        if second >= first:
            second += 1
        one, other = candidates[first], candidates[second]
        return one if one.in_flight <= other.in_flight else other


BALANCE: Final[PolicyKind[Cluster, BalancePolicy]] = PolicyKind(
    owner=Cluster,
    key="LoadBalancingPolicy",
    named=lambda cluster: cluster.balance,
    default="PowerOfTwoChoices",
    builtin=MappingProxyType(
        {
            "FirstAlphabetical": lambda: first_alphabetical,
            "LeastRequests": lambda: least_requests,
            "PowerOfTwoChoices": PowerOfTwoChoices,
            "Random": RandomChoice,
            "RoundRobin": RoundRobin,
        }
    ),
)
"""The kind of policy that chooses; each cluster has a policy object of its own."""


@for_clusters(lambda cluster: len(cluster.destinations) > 1)
def balance(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Narrow the candidates to the one that the cluster's policy chooses; a stage (YARP: UseLoadBalancing)."""
    candidates = exchange.candidates
    if len(candidates) > 1 and (cluster := exchange.cluster) is not None:
        picked = cluster.equipment[BALANCE](exchange, candidates)
        exchange.candidates = () if picked is None else (picked,)
    return onward(exchange)


def settle_for_one(exchange: Exchange, log: logging.Logger, randomness: Randomness) -> LiveDestination:
    """Return the one candidate; of several, which no stage chose from, any one, and say so in `log`."""
    candidates = exchange.candidates
    if len(candidates) == 1:
        return candidates[0]
    picked = candidates[int(randomness.random() * len(candidates))]
    exchange.candidates = (picked,)
    log.warning(
        "%s: %d destinations are left and no stage chose one; took %s at random; put `balance` into the pipeline",
        place(exchange), len(candidates), picked.name,
    )  # fmt: skip
    return picked


def place(exchange: Exchange) -> str:
    """Say where an exchange is, for a log line: its route and its cluster."""
    route, cluster = exchange.route, exchange.cluster
    return f"route {route.id if route else '-'}, cluster {cluster.id if cluster else '-'}"
