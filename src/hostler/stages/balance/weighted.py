"""YARP's balancing policies where destinations have weights.

A destination gets a share of the requests as large as its weight is beside the others' (`LiveDestination.weight`, which
is asked for anew each time). Among equal weights each chooses as its namesake in `even.py` does.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.stages.balance.policy import Candidates, Randomness

__all__ = [
    "WeightedPowerOfTwoChoices",
    "WeightedRandomChoice",
    "WeightedRoundRobin",
    "weighted_least_requests",
    "weights_of",
]


def weights_of(candidates: Candidates) -> list[float]:
    """Return the candidates' present weights; where all of them are 0, all are equal."""
    weights = [candidate.weight for candidate in candidates]
    return weights if any(weights) else [1.0] * len(candidates)


def _draw(weights: Sequence[float], number: float) -> int:
    """Return the index that a number from 0 to 1 falls on, when each has a stretch as long as its weight."""
    left = number * sum(weights)
    last = 0
    for index, weight in enumerate(weights):
        if weight:
            left -= weight
            last = index
            if left < 0:
                break
    return last


def weighted_least_requests(exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
    """Choose the destination with the fewest requests in flight for its weight, the first such one."""
    weights = weights_of(candidates)
    best = min(
        range(len(candidates)),
        key=lambda index: candidates[index].in_flight / weights[index] if weights[index] else float("inf"),
    )
    return candidates[best]


class WeightedRandomChoice:
    """Choose any destination, each as often as its weight says."""

    def __init__(self, randomness: Randomness = random) -> None:
        self._random = randomness.random

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose."""
        return candidates[_draw(weights_of(candidates), self._random())]


_CREDIT: Final = "RoundRobin"
"""Where a destination's credit is, among what policies remember of it."""


class WeightedRoundRobin:
    """Choose one destination after the other, the heavier ones more often, spread evenly over a round.

    That is nginx's smooth weighted round robin: with each choice every candidate gains its weight as credit, and the
    one with the most credit is chosen, the first such one, and pays for all.
    """

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose."""
        weights = weights_of(candidates)
        best, most = candidates[0], float("-inf")
        for candidate, weight in zip(candidates, weights, strict=True):
            credit = candidate.state.get(_CREDIT, 0.0) + weight
            candidate.state[_CREDIT] = credit
            if credit > most:
                best, most = candidate, credit
        best.state[_CREDIT] = most - sum(weights)
        return best


class WeightedPowerOfTwoChoices:
    """Draw two destinations by weight, and choose the one with fewer requests in flight for its weight."""

    def __init__(self, randomness: Randomness = random) -> None:
        self._random = randomness.random

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination:
        """Choose; the first that was drawn wins a tie."""
        if len(candidates) == 1:
            return candidates[0]
        weights = weights_of(candidates)
        first = _draw(weights, self._random())
        one, weight = candidates[first], weights[first]
        weights[first] = 0.0
        second = _draw(weights, self._random())
        if second == first or not weights[second]:
            return one
        other = candidates[second]
        return one if one.in_flight * weights[second] <= other.in_flight * weight else other
