"""Balancing where destinations have weights."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hostler.config.model import Cluster, Destination
from hostler.stages.balance import Balancing
from hostler.stages.balance.weighted import (
    WeightedPowerOfTwoChoices,
    WeightedRandomChoice,
    WeightedRoundRobin,
    weighted_least_requests,
)
from hostler.testing import exchange
from tests.stages.balance.setting import Numbers, policy, weighing


def shares(chooses, candidates, times):
    given = exchange()
    return Counter(chooses(given, candidates).id for _ in range(times))


@pytest.mark.parametrize(
    ("weights", "turns"),
    [
        ({"a": 1, "b": 1, "c": 1}, "abcabc"),
        ({"a": 5, "b": 1, "c": 1}, "aabacaaaabacaa"),  # nginx's own example
        ({"a": 1, "b": 3}, "babbbabb"),
        ({"a": 2, "b": 0}, "aaa"),
        ({"a": 0, "b": 0}, "abab"),
    ],
)
def test_a_round_is_smooth(weights, turns):
    candidates, chooses = weighing(**weights), WeightedRoundRobin()
    assert "".join(chooses(exchange(), candidates).id for _ in turns) == turns


def test_a_round_goes_on_when_there_are_fewer():
    candidates, chooses = weighing(a=2, b=1, c=1), WeightedRoundRobin()
    assert shares(chooses, candidates, 4) == {"a": 2, "b": 1, "c": 1}
    assert shares(chooses, candidates[1:], 4) == {"b": 2, "c": 2}
    assert shares(chooses, candidates, 400) == {"a": 200, "b": 100, "c": 100}


def test_a_weight_that_grows_gets_its_share_at_once():
    candidates, chooses = weighing(a=10, b=10), WeightedRoundRobin()
    candidates[0].ramp = lambda: 0.1
    assert shares(chooses, candidates, 110) == {"a": 10, "b": 100}
    candidates[0].ramp = None
    assert shares(chooses, candidates, 100) == {"a": 50, "b": 50}


@pytest.mark.parametrize(
    ("number", "chosen"), [(0.0, "a"), (0.09, "a"), (0.11, "c"), (0.59, "c"), (0.61, "d"), (0.9999, "d")]
)
def test_random_falls_on_a_stretch_as_long_as_the_weight(number, chosen):
    candidates = weighing(a=1, b=0, c=5, d=4)
    assert WeightedRandomChoice(Numbers(number))(exchange(), candidates).id == chosen


@pytest.mark.parametrize("kind", [WeightedRandomChoice, WeightedPowerOfTwoChoices])
def test_an_idle_cluster_is_shared_by_weight(kind):
    found = shares(kind(random.Random(5)), weighing(stable=95, canary=5), 4000)
    assert 150 < found["canary"] < 250


@pytest.mark.parametrize(
    ("in_flight", "chosen"),
    [
        ({}, "a"),
        ({"a": 1}, "b"),
        ({"a": 1, "b": 1}, "b"),
        ({"a": 1, "b": 3}, "b"),
        ({"a": 1, "b": 4}, "a"),  # both have one for each of their weight: the first such one
        ({"a": 2, "b": 7, "c": 1}, "b"),
    ],
)
def test_least_requests_counts_by_weight(in_flight, chosen):
    candidates = weighing(a=1, b=4, c=0)
    for candidate in candidates:
        candidate.in_flight = in_flight.get(candidate.id, 0)
    assert weighted_least_requests(exchange(), candidates).id == chosen


@pytest.mark.parametrize(
    ("numbers", "in_flight", "chosen"),
    [
        ((0.0, 0.0), {}, "a"),
        ((0.5, 0.0), {}, "b"),  # a tie goes to the first that was drawn
        ((0.0, 0.0), {"a": 1, "b": 3}, "b"),
        ((0.0, 0.0), {"a": 1, "b": 4}, "a"),
        ((0.5, 0.0), {"a": 0, "b": 1}, "a"),
        ((0.0, 0.99), {"a": 1}, "c"),
    ],
)
def test_power_of_two_choices_draws_and_counts_by_weight(numbers, in_flight, chosen):
    candidates = weighing(a=1, b=4, c=1)
    for candidate in candidates:
        candidate.in_flight = in_flight.get(candidate.id, 0)
    assert WeightedPowerOfTwoChoices(Numbers(*numbers))(exchange(), candidates).id == chosen


def test_power_of_two_choices_has_no_second_where_no_other_has_weight():
    candidates = weighing(a=0, b=4)
    candidates[1].in_flight = 9
    assert WeightedPowerOfTwoChoices(Numbers(0.5, 0.5))(exchange(), candidates).id == "b"
    assert WeightedPowerOfTwoChoices(Numbers())(exchange(), candidates[1:]).id == "b"


@pytest.mark.parametrize(
    ("weights", "weighted"),
    [([1, 1], False), ([7, 7], False), ([1, 0], False), ([0, 0], False), ([1, 2], True), ([1, 2, 0], True)],
)
def test_a_cluster_whose_weights_are_equal_has_none(weights, weighted):
    cluster = Cluster("c", [Destination(f"http://{n}", weight=weight) for n, weight in enumerate(weights)])
    assert Balancing.of(cluster).weighted is weighted
    assert ("Weighted" in type(policy("RoundRobin", weighted=weighted)).__name__) is weighted
