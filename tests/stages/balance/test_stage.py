"""Balancing: the stage."""

from __future__ import annotations

import pytest

from hostler import stages
from hostler.config.model import Cluster, Destination
from hostler.outcome import Kind
from hostler.stages import balance
from hostler.testing import exchange, live
from tests.stages.balance.setting import fleet_of


async def onward(exchange):
    return exchange.outcome(Kind.RESPONDED)


async def narrowed(given):
    """Return the ids that `balance` leaves."""
    await balance(given, onward)
    return [destination.id for destination in given.candidates]


def never(exchange, candidates):
    raise AssertionError("there is nothing to choose")


async def test_one_of_several_is_left():
    assert await narrowed(exchange(cluster=fleet_of("b", "a"))) == ["a"]


async def test_a_single_candidate_needs_no_policy():
    assert await narrowed(exchange(cluster=fleet_of("a", balance=never))) == ["a"]


async def test_no_candidate_needs_no_policy():
    assert await narrowed(exchange(cluster=fleet_of(balance=never))) == []


async def test_a_policy_may_find_none_good_enough():
    cluster = fleet_of("a", "b", balance=lambda exchange, candidates: None)
    assert await narrowed(exchange(cluster=cluster)) == []


async def test_candidates_without_a_cluster_are_left_alone():
    candidates = fleet_of("a", "b").available
    assert await narrowed(exchange(candidates=candidates)) == ["a", "b"]


async def test_the_outcome_is_that_of_the_stages_behind():
    outcome = await balance(exchange(cluster=fleet_of("a")), onward)
    assert outcome.kind is Kind.RESPONDED


# -- fail-over


def ranked(**ranks):
    """Bring destinations with these weights and priorities to life."""
    made = [
        Destination(f"http://{name}", id=name, weight=weight, priority=priority)
        for name, (weight, priority) in ranks.items()
    ]
    return live(Cluster("api", made), balance=lambda exchange, candidates: candidates[-1])


@pytest.mark.parametrize(
    ("ranks", "available", "chosen"),
    [
        ({"a": (1, 0), "b": (1, 0), "c": (1, 1)}, "abc", "b"),
        ({"a": (1, 0), "b": (1, 0), "c": (1, 1)}, "ac", "a"),
        ({"a": (1, 0), "b": (1, 5), "c": (1, 5)}, "bc", "c"),
        ({"a": (1, 2), "b": (1, 1), "c": (1, 0)}, "ab", "b"),
        ({"a": (1, 0), "b": (9, 0), "c": (0, 0)}, "abc", "b"),
        ({"a": (1, 0), "b": (9, 0), "c": (0, 0)}, "c", "c"),
        ({"a": (0, 0), "b": (1, 7)}, "ab", "b"),  # 0 is for when there is nothing else
        ({"a": (0, 0), "b": (0, 1)}, "ab", "a"),
        ({"a": (0, 0), "b": (0, 0)}, "ab", "b"),
    ],
)
async def test_the_available_destinations_that_come_first_take_all(ranks, available, chosen):
    cluster = ranked(**ranks)
    left = [destination for destination in cluster.available if destination.id in available]
    assert await narrowed(exchange(cluster=cluster, candidates=left)) == [chosen]


# -- the package


def test_the_package_gives_the_stages_not_the_modules():
    assert {"affinity", "balance", "delegate", "forward"} < set(stages.__all__)
    assert all(callable(getattr(stages, name)) for name in stages.__all__)
