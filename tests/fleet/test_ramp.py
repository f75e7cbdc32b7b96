"""Slow start: who warms up, when, and how much of its weight it has meanwhile."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hostler.config.model import (
    ActiveHealthCheck,
    Cluster,
    Config,
    Destination,
    HealthCheck,
    PassiveHealthCheck,
)
from hostler.fleet import Health
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.stages.balance import BALANCE
from hostler.steps import finish
from hostler.testing import FakeClock, exchange

UP, DOWN, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


class House:
    def __init__(self, *, slow_start=20.0, balance="RoundRobin", weight=1):
        self.clock = FakeClock(500.0)
        self.fleet = Fleet(Policies().recipes, clock=self.clock)
        checks = HealthCheck(PassiveHealthCheck(), ActiveHealthCheck(), slow_start=slow_start)
        there = [Destination(f"http://{name}", id=name, weight=weight) for name in "abc"]
        self.config = Cluster("c", there, health_check=checks, balance=balance)
        self.load(self.config)

    def load(self, *clusters):
        self.fleet.apply(finish(self.fleet.build(Config(clusters=clusters))))

    @property
    def cluster(self):
        return self.fleet.find_cluster("c")

    @property
    def one(self):
        return self.cluster.destinations[0]

    def fall_and_recover(self):
        self.cluster.set_active({self.one: DOWN})
        self.cluster.set_active({self.one: UP})

    def chosen(self, times):
        choose = self.cluster.equipment[BALANCE]
        return Counter(choose(exchange(), self.cluster.available).id for _ in range(times))


def test_the_weight_grows_in_a_line_from_a_tenth():
    house = House(weight=10)
    house.fall_and_recover()
    seen = []
    for _ in range(6):
        seen.append(house.one.weight)
        house.clock.advance(4.0)
    assert seen == pytest.approx([1, 2, 4, 6, 8, 10])
    assert house.one.ramp is None


@pytest.mark.parametrize("check", ["active", "passive", "operator"])
async def test_whoever_brings_it_back(check):
    house = House()
    if check == "active":
        house.fall_and_recover()
    elif check == "passive":
        house.cluster.set_passive(house.one, DOWN)
        house.cluster.set_passive(house.one, UNKNOWN)
    else:
        house.one.disable()
        house.one.enable()
    assert house.one.weight == pytest.approx(0.1)


async def test_it_does_not_warm_up_before_nothing_keeps_it_out():
    house = House()
    house.cluster.set_passive(house.one, DOWN)
    house.fall_and_recover()
    assert house.one.weight == 1
    house.cluster.set_passive(house.one, UP)
    assert house.one.weight == pytest.approx(0.1)


@pytest.mark.parametrize("health", [UP, UNKNOWN])
def test_one_that_was_not_out_is_warm(health):
    house = House()
    house.cluster.set_active({house.one: health})
    assert house.one.ramp is None


def test_one_that_falls_again_begins_anew():
    house = House()
    house.fall_and_recover()
    house.clock.advance(10.0)
    assert house.one.weight == pytest.approx(0.5)
    house.cluster.set_active({house.one: DOWN})
    assert house.one.ramp is None
    house.cluster.set_active({house.one: UP})
    assert house.one.weight == pytest.approx(0.1)


def test_it_goes_on_across_a_reload():
    house = House()
    house.fall_and_recover()
    house.clock.advance(10.0)
    house.load(house.config)
    assert house.one.weight == pytest.approx(0.5)


def test_without_slow_start_it_has_all_of_its_weight():
    house = House(slow_start=None)
    house.fall_and_recover()
    assert house.one.ramp is None


@pytest.mark.parametrize("balance", ["RoundRobin", "Random", "PowerOfTwoChoices"])
def test_balancing_goes_by_it(balance):
    random.seed(7)
    house = House(balance=balance)
    house.fall_and_recover()
    house.clock.advance(4.0)
    assert house.chosen(2200)["a"] == pytest.approx(200, abs=90)  # 0.2 of 2.2
    house.clock.advance(16.0)
    assert house.chosen(300)["a"] == pytest.approx(100, abs=30)
