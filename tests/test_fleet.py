from __future__ import annotations

import itertools

import pytest

from hostler.config.model import ActiveHealthCheck, Cluster, HealthCheck, PassiveHealthCheck, queue
from hostler.fleet import Equipment, Fleet, Health, LiveCluster, LiveDestination
from hostler.stages.balance import RoundRobin
from hostler.testing import FakeSender, live

UP, DOWN, UNSEEN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def equip(config, previous):
    return Equipment(RoundRobin(), FakeSender())


def cluster_of(*ids, policy="HealthyOrPanic", active=True, passive=True, name="api"):
    checks = HealthCheck(PassiveHealthCheck(enabled=passive), ActiveHealthCheck(enabled=active), policy)
    return Cluster(name, {key: f"http://{key}:80" for key in ids}, health_check=checks)


def available(cluster):
    return [destination.id for destination in cluster.available]


# -- which destinations are available


@pytest.mark.parametrize("check", ["active", "passive"])
@pytest.mark.parametrize(
    ("states", "ids"),
    [
        ((UNSEEN, UNSEEN), ["a", "b"]),
        ((UP, UNSEEN), ["a", "b"]),
        ((DOWN, UP), ["b"]),
        ((DOWN, UNSEEN), ["b"]),
    ],
)
@pytest.mark.parametrize("policy", ["HealthyAndUnknown", "HealthyOrPanic"])
def test_unhealthy_destinations_are_left_out(check, states, ids, policy):
    cluster = live(cluster_of("a", "b", policy=policy))
    for destination, health in zip(cluster.destinations, states, strict=True):
        setattr(destination, check, health)
    cluster.refresh()
    assert available(cluster) == ids


@pytest.mark.parametrize(("active", "passive"), [*itertools.product([False, True], repeat=2)])
def test_a_check_that_is_off_does_not_count(active, passive):
    cluster = live(cluster_of("a", "b", "c", active=active, passive=passive))
    cluster.destinations[0].active = DOWN
    cluster.destinations[1].passive = DOWN
    cluster.refresh()
    assert ("a" in available(cluster), "b" in available(cluster)) == (not active, not passive)


@pytest.mark.parametrize(
    ("policy", "ids"),
    [("HealthyAndUnknown", []), ("HealthyOrPanic", ["a", "b"]), ("healthyorpanic", ["a", "b"])],
)
def test_when_all_are_unhealthy(policy, ids):
    cluster = live(cluster_of("a", "b", policy=policy))
    for destination in cluster.destinations:
        cluster.set_passive(destination, DOWN)
    assert available(cluster) == ids


def test_a_passive_verdict_counts_at_once():
    cluster = live(cluster_of("a", "b"))
    assert cluster.set_passive(cluster.destinations[0], DOWN)
    assert available(cluster) == ["b"]


def test_the_same_verdict_again_changes_nothing():
    cluster = live(cluster_of("a", "b"))
    assert not cluster.set_passive(cluster.destinations[0], UNSEEN)


def test_a_cluster_needs_no_fleet():
    config = cluster_of("a", "b")
    destinations = tuple(LiveDestination(item.id, item) for item in config.destinations)
    cluster = LiveCluster("api", config, equip(config, None), destinations)
    cluster.set_passive(destinations[1], DOWN)
    assert available(cluster) == ["a"]


def test_a_destinations_name_is_its_queue_or_its_address():
    cluster = live(Cluster("api", [queue("reports", "http://*:80/"), "http://a:80"]))
    assert [destination.name for destination in cluster.destinations] == ["reports", "http://a:80"]


# -- reloading


def test_clusters_are_found_without_case():
    fleet = Fleet()
    fleet.apply((cluster_of("a", name="Api"),), equip)
    assert fleet.find("aPI").id == "Api"
    assert fleet.find("other") is None
    assert fleet.find(None) is None
    assert [cluster.id for cluster in fleet] == ["Api"]


def test_destinations_survive_by_id():
    fleet = Fleet()
    fleet.apply((cluster_of("a", "b"),), equip)
    before = fleet.find("api")
    before.destinations[0].in_flight = 3
    before.set_passive(before.destinations[0], DOWN)
    fleet.apply((cluster_of("C", "A", name="API"),), equip)
    after = fleet.find("api")
    assert after is not before
    assert after.destinations[1] is before.destinations[0]
    assert (after.destinations[1].in_flight, after.destinations[1].passive) == (3, DOWN)
    assert available(after) == ["C"]


def test_a_surviving_destination_gets_its_new_configuration():
    fleet = Fleet()
    fleet.apply((Cluster("api", {"a": "http://old:80"}),), equip)
    fleet.apply((Cluster("api", {"a": "http://new:80"}),), equip)
    assert fleet.find("api").destinations[0].name == "http://new:80"


def test_destinations_of_other_clusters_are_others():
    fleet = Fleet()
    fleet.apply((cluster_of("a", name="one"), cluster_of("a", name="two")), equip)
    one, two = fleet
    assert one.destinations[0] is not two.destinations[0]


def test_an_exchange_keeps_the_cluster_that_it_started_with():
    fleet = Fleet()
    fleet.apply((cluster_of("a"),), equip)
    before = fleet.find("api")
    fleet.apply((cluster_of("b"),), equip)
    assert available(before) == ["a"]


def test_a_verdict_by_the_cluster_of_before_reaches_the_cluster_of_after():
    fleet = Fleet()
    fleet.apply((cluster_of("a", "b"),), equip)
    before = fleet.find("api")
    fleet.apply((cluster_of("a", "b"),), equip)
    before.set_passive(before.destinations[0], DOWN)
    assert available(fleet.find("api")) == ["b"]


def test_a_verdict_about_a_cluster_that_is_gone_does_no_harm():
    fleet = Fleet()
    fleet.apply((cluster_of("a", "b"),), equip)
    before = fleet.find("api")
    assert fleet.apply((), equip) == [before]
    before.set_passive(before.destinations[0], DOWN)
    assert available(before) == ["b"]
    assert list(fleet) == []


def test_clusters_that_are_gone_are_returned():
    fleet = Fleet()
    assert fleet.apply((cluster_of("a", name="one"), cluster_of("a", name="two")), equip) == []
    one, _ = fleet
    assert fleet.apply((cluster_of("a", name="TWO"),), equip) == [one]


def test_equipment_may_be_kept():
    fleet = Fleet()
    fleet.apply((cluster_of("a"),), equip)
    equipment = fleet.find("api").equipment
    fleet.apply((cluster_of("a"),), lambda config, previous: previous.equipment)
    assert fleet.find("api").equipment is equipment


def test_when_a_cluster_cannot_be_equipped_nothing_has_changed():
    fleet = Fleet()
    fleet.apply((Cluster("one", {"a": "http://old:80"}),), equip)
    one = fleet.find("one")

    def broken(config, previous):
        if config.id == "two":
            raise LookupError("no such policy")
        return equip(config, previous)

    with pytest.raises(LookupError):
        fleet.apply((Cluster("one", {"a": "http://new:80"}), Cluster("two")), broken)
    assert list(fleet) == [one]
    assert one.destinations[0].name == "http://old:80"
