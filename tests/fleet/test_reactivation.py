"""A destination that its passive check found unhealthy comes back after a while, whoever said so."""

from __future__ import annotations

import asyncio

import pytest

from hostler.config.model import Cluster, Config, HealthCheck, PassiveHealthCheck
from hostler.fleet import Health
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.steps import finish
from hostler.testing import FakeClock

UP, DOWN, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


class House:
    """A cluster of two destinations, whose time stands still."""

    def __init__(self, **check):
        self.clock = FakeClock()
        self.fleet = Fleet(Policies().recipes)
        self.reload(**check)
        self.one = self.cluster.destinations[0]

    def reload(self, **check):
        checks = HealthCheck(PassiveHealthCheck(**check), available_destinations_policy="HealthyAndUnknown")
        cluster = Cluster("api", {"a": "http://a", "b": "http://b"}, health_check=checks)
        self.fleet.apply(finish(self.fleet.build(Config(clusters=[cluster]))))

    @property
    def cluster(self):
        return self.fleet.cluster("api")

    @property
    def available(self):
        return [destination.id for destination in self.cluster.available]

    def say(self, health, **keys):
        return self.cluster.set_passive(self.one, health, call_later=self.clock.call_later, **keys)


@pytest.mark.parametrize(("keys", "period"), [({}, 40.0), ({"reactivation_period": 5.0}, 5.0)])
def test_after_the_clusters_period_or_the_one_that_is_given(keys, period):
    house = House(reactivation_period=40.0)
    assert house.say(DOWN, **keys)
    house.clock.advance(period - 0.1)
    assert house.available == ["b"]
    house.clock.advance(0.1)
    assert house.one.passive is UNKNOWN
    assert house.available == ["a", "b"]


def test_the_same_verdict_again_does_not_put_it_off():
    house = House()
    house.say(DOWN)
    house.clock.advance(50)
    assert not house.say(DOWN)
    house.clock.advance(10)
    assert house.one.passive is UNKNOWN


def test_another_verdict_is_not_forgotten():
    house = House()
    house.say(DOWN)
    house.say(UP)
    house.clock.advance(60)
    assert house.one.passive is UP


@pytest.mark.parametrize("before", [False, True])
def test_the_configuration_in_force_decides_whether_it_is_on_trial(before):
    house = House(half_open=before)
    house.say(DOWN)
    house.reload(half_open=not before)
    house.clock.advance(60)
    assert (house.one.trial is None) is before
    assert house.available == ["a", "b"]


@pytest.mark.parametrize("verdict", [UP, DOWN])
def test_a_verdict_by_hand_ends_a_trial(verdict):
    house = House(half_open=True)
    house.say(DOWN)
    house.clock.advance(60)
    house.one.trial.under_way = True
    house.cluster.refresh()
    assert house.available == ["b"]
    house.say(verdict)
    assert house.one.trial is None
    assert house.available == (["a", "b"] if verdict is UP else ["b"])


async def test_by_the_event_loops_clock():
    house = House()
    house.cluster.set_passive(house.one, DOWN, reactivation_period=0.0)
    due = asyncio.get_running_loop().create_future()
    house.fleet.listeners.add(lambda *_: due.set_result(None))
    await due
    assert house.one.passive is UNKNOWN


def test_outside_of_an_event_loop_nothing_changes():
    house = House()
    with pytest.raises(RuntimeError, match="no running event loop"):
        house.cluster.set_passive(house.one, DOWN)
    assert house.one.passive is UNKNOWN
