"""YARP's balancing policies, to which all destinations are equal."""

from __future__ import annotations

import itertools
import random
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.stages.balance.policy import Candidates, Randomness

__all__ = ["PowerOfTwoChoices", "RandomChoice", "RoundRobin", "first_alphabetical", "least_requests"]

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
