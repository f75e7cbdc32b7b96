from __future__ import annotations

import logging
import random

import pytest

from hostler import stages
from hostler.config.model import Cluster, Route
from hostler.exchange import Kind
from hostler.stages import balance
from hostler.stages.balance import (
    BALANCE,
    PowerOfTwoChoices,
    RandomChoice,
    RoundRobin,
    first_alphabetical,
    least_requests,
    place,
    settle_for_one,
)
from hostler.testing import exchange, live


class Numbers:
    """Randomness that was decided before."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def fleet_of(*ids, **equipment):
    return live(Cluster("api", {name: f"http://{name}:80" for name in ids}), **equipment)


async def onward(exchange):
    return exchange.outcome(Kind.RESPONDED)


async def narrowed(given):
    """Return the ids that `balance` leaves."""
    await balance(given, onward)
    return [destination.id for destination in given.candidates]


# -- policies


def test_every_policy_of_yarp_has_a_factory():
    assert set(BALANCE.builtin) == {
        "FirstAlphabetical",
        "LeastRequests",
        "PowerOfTwoChoices",
        "Random",
        "RoundRobin",
    }


@pytest.mark.parametrize("name", BALANCE.builtin)
def test_every_policy_chooses_a_candidate(name):
    policy, candidates = BALANCE.builtin[name](), fleet_of("a", "b", "c").available
    assert all(policy(exchange(), candidates) in candidates for _ in range(20))


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
    policy = RandomChoice(Numbers(0.0, 0.5, 0.999))
    assert [policy(exchange(), candidates).id for _ in range(3)] == ["a", "b", "c"]


def test_random_can_be_seeded():
    candidates = fleet_of(*"abcdefgh").available
    one, other = RandomChoice(random.Random(7)), RandomChoice(random.Random(7))
    assert [one(exchange(), candidates) for _ in range(9)] == [
        other(exchange(), candidates) for _ in range(9)
    ]


def test_round_robin_begins_with_the_first():
    candidates, policy = fleet_of("a", "b", "c").available, RoundRobin()
    assert [policy(exchange(), candidates).id for _ in range(4)] == ["a", "b", "c", "a"]


def test_round_robin_goes_on_when_there_are_fewer():
    candidates, policy = fleet_of("a", "b", "c").available, RoundRobin()
    policy(exchange(), candidates)
    assert policy(exchange(), candidates[:2]).id == "b"


def test_round_robins_do_not_share_their_turns():
    candidates = fleet_of("a", "b").available
    make = BALANCE.builtin["RoundRobin"]
    assert [make()(exchange(), candidates).id for _ in range(2)] == ["a", "a"]


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
    policy = PowerOfTwoChoices(random.Random(1))
    assert {policy(exchange(), cluster.available).id for _ in range(100)} == {"b"}


def test_power_of_two_choices_of_one_is_that_one():
    candidates = fleet_of("a").available
    assert PowerOfTwoChoices(Numbers())(exchange(), candidates) is candidates[0]


# -- the stage


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


# -- what the last stages share


def test_settling_takes_one_at_random_and_warns(caplog):
    given = exchange(cluster=fleet_of("a", "b"), route=Route("/", "api", id="home"))
    picked = settle_for_one(given, logging.getLogger("hostler.test"), Numbers(0.7))
    assert (picked.id, given.candidates) == ("b", (picked,))
    (message,) = caplog.messages
    assert message == (
        "route home, cluster api: 2 destinations are left and no stage chose one; took http://b:80 at random; "
        "put `balance` into the pipeline"
    )


def test_settling_is_silent_about_a_single_one(caplog):
    given = exchange(cluster=fleet_of("a"))
    assert settle_for_one(given, logging.getLogger("hostler.test"), Numbers()).id == "a"
    assert not caplog.messages


def test_a_place_without_route_and_cluster():
    assert place(exchange()) == "route -, cluster -"


# -- the package


def test_the_package_gives_the_stages_not_the_modules():
    assert stages.__all__ == [
        "affinity", "balance", "delegate", "forward", "passive_health", "request_id"
    ]  # fmt: skip
    assert all(callable(getattr(stages, name)) for name in stages.__all__)
