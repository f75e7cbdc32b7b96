"""Balancing where all destinations are equal: YARP's policies."""

from __future__ import annotations

import random

import pytest

from hostler.stages.balance import BALANCE
from hostler.stages.balance.even import (
    PowerOfTwoChoices,
    RandomChoice,
    RoundRobin,
    first_alphabetical,
    least_requests,
)
from hostler.testing import exchange
from tests.stages.balance.setting import Numbers, fleet_of, policy


def test_every_policy_of_yarp_is_there():
    assert set(BALANCE.builtin) == {
        "ConsistentHash",
        "FirstAlphabetical",
        "LeastRequests",
        "PowerOfTwoChoices",
        "Random",
        "RoundRobin",
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", BALANCE.builtin)
def test_every_policy_chooses_a_candidate(name, weighted):
    chooses, candidates = policy(name, weighted=weighted), fleet_of("a", "b", "c").available
    assert all(chooses(exchange(), candidates) in candidates for _ in range(20))


def test_first_alphabetical_ignores_case():
    chosen = first_alphabetical(exchange(), fleet_of("C", "b", "D").available)
    assert chosen.id == "b"


def test_first_alphabetical_orders_as_upper_case():
    chosen = first_alphabetical(exchange(), fleet_of("_", "z").available)
    assert chosen.id == "z"


def test_least_requests_takes_the_first_with_the_fewest():
    candidates = fleet_of("a", "b", "c").available
    candidates[0].in_flight = 2
    assert least_requests(exchange(), candidates).id == "b"


def test_random_takes_any():
    candidates = fleet_of("a", "b", "c").available
    chooses = RandomChoice(Numbers(0.0, 0.5, 0.999))
    assert [chooses(exchange(), candidates).id for _ in range(3)] == ["a", "b", "c"]


def test_random_can_be_seeded():
    candidates = fleet_of(*"abcdefgh").available
    one, other = RandomChoice(random.Random(7)), RandomChoice(random.Random(7))
    assert [one(exchange(), candidates) for _ in range(9)] == [
        other(exchange(), candidates) for _ in range(9)
    ]


def test_round_robin_begins_with_the_first():
    candidates, turns = fleet_of("a", "b", "c").available, RoundRobin()
    assert [turns(exchange(), candidates).id for _ in range(4)] == ["a", "b", "c", "a"]


def test_round_robin_goes_on_when_there_are_fewer():
    candidates, turns = fleet_of("a", "b", "c").available, RoundRobin()
    turns(exchange(), candidates)
    assert turns(exchange(), candidates[:2]).id == "b"


def test_round_robins_do_not_share_their_turns():
    candidates = fleet_of("a", "b").available
    assert [policy("RoundRobin")(exchange(), candidates).id for _ in range(2)] == ["a", "a"]


@pytest.mark.parametrize(
    ("numbers", "in_flight", "chosen"),
    [
        ((0.0, 0.0), {"a": 1}, "b"),  # the second index skips the first
        ((0.0, 0.9), {"a": 1}, "c"),
        ((0.9, 0.0), {"a": 1}, "c"),
        ((0.9, 0.6), {"c": 1}, "b"),
        ((0.5, 0.0), {}, "b"),  # a tie goes to the first that was looked at
        ((0.5, 0.9), {"a": 0, "b": 3, "c": 2}, "c"),
    ],
)
def test_power_of_two_choices(numbers, in_flight, chosen):
    cluster = fleet_of("a", "b", "c")
    for destination in cluster.available:
        destination.in_flight = in_flight.get(destination.id, 0)
    assert PowerOfTwoChoices(Numbers(*numbers))(exchange(), cluster.available).id == chosen


def test_power_of_two_choices_looks_at_two_different_ones():
    cluster = fleet_of("a", "b")
    cluster.available[0].in_flight = 1
    chooses = PowerOfTwoChoices(random.Random(1))
    assert {chooses(exchange(), cluster.available).id for _ in range(100)} == {"b"}


def test_power_of_two_choices_of_one_is_that_one():
    candidates = fleet_of("a").available
    assert PowerOfTwoChoices(Numbers())(exchange(), candidates) is candidates[0]
