"""What a reload keeps, what it builds anew, and that building changes nothing."""

from __future__ import annotations

import pytest

from hostler.config.model import (
    ActiveHealthCheck,
    Cluster,
    Config,
    HealthCheck,
    PassiveHealthCheck,
    Route,
)
from hostler.fleet import Health
from hostler.fleet.equipment import Part, Recipe
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.routing.table import Match
from hostler.steps import finish

DOWN = Health.UNHEALTHY
CHECKS = HealthCheck(PassiveHealthCheck(), ActiveHealthCheck())


def cluster_of(*ids, name="api", host=""):
    return Cluster(name, {key: f"http://{host or key}:80" for key in ids}, health_check=CHECKS)


def route(name, cluster="api"):
    return Route(f"/{name}", cluster, id=name)


def reload(fleet, clusters=(), routes=()):
    fleet.apply(finish(fleet.build(Config(routes, clusters))))


def available(cluster):
    return [destination.id for destination in cluster.available]


@pytest.fixture
def fleet():
    return Fleet(Policies().recipes)


# -- clusters and destinations


def test_clusters_are_found_without_case(fleet):
    reload(fleet, [cluster_of("a", name="Api")])
    assert fleet.find_cluster("aPI").id == "Api"
    assert fleet.find_cluster("other") is None


async def test_destinations_survive_by_id(fleet):
    reload(fleet, [cluster_of("a", "b")])
    before = fleet.find_cluster("api")
    before.destinations[0].in_flight = 3
    before.set_passive(before.destinations[0], DOWN)
    reload(fleet, [cluster_of("C", "A", name="API")])
    after = fleet.find_cluster("api")
    assert after is not before
    assert after.destinations[1] is before.destinations[0]
    assert (after.destinations[1].in_flight, after.destinations[1].passive) == (3, DOWN)
    assert available(after) == ["C"]


def test_a_surviving_destination_gets_its_new_configuration(fleet):
    reload(fleet, [cluster_of("a", host="old")])
    reload(fleet, [cluster_of("a", host="new")])
    assert fleet.find_cluster("api").destinations[0].name == "http://new:80"


def test_destinations_of_other_clusters_are_others(fleet):
    reload(fleet, [cluster_of("a", name="one"), cluster_of("a", name="two")])
    one, two = fleet.snapshot.clusters.values()
    assert one.destinations[0] is not two.destinations[0]


def test_an_exchange_keeps_the_cluster_that_it_started_with(fleet):
    reload(fleet, [cluster_of("a")])
    before = fleet.find_cluster("api")
    reload(fleet, [cluster_of("b")])
    assert available(before) == ["a"]


async def test_a_verdict_by_the_cluster_of_before_reaches_the_cluster_of_after(fleet):
    reload(fleet, [cluster_of("a", "b")])
    before = fleet.find_cluster("api")
    reload(fleet, [cluster_of("a", "b")])
    before.set_passive(before.destinations[0], DOWN)
    assert available(fleet.find_cluster("api")) == ["b"]


async def test_a_verdict_about_a_cluster_that_is_gone_does_no_harm(fleet):
    reload(fleet, [cluster_of("a", "b")])
    before = fleet.find_cluster("api")
    reload(fleet)
    before.set_passive(before.destinations[0], DOWN)
    assert available(before) == ["b"]
    assert fleet.snapshot.clusters == {}


# -- routes


def test_a_route_knows_its_cluster_whatever_the_case(fleet):
    reload(
        fleet, [cluster_of("a", name="Api")], [route("one", "aPI"), route("two", "nowhere"), route("3", None)]
    )
    one, *others = fleet.snapshot.routes.values()
    assert one.cluster is fleet.find_cluster("api")
    assert [other.cluster for other in others] == [None, None]


def test_the_table_finds_live_routes(fleet):
    reload(fleet, [cluster_of("a")], [route("one")])
    found = fleet.snapshot.table.find("GET", "example.com", 80, "/one")
    assert isinstance(found, Match)
    assert found.route is fleet.snapshot.routes["one"]


def test_what_stages_remember_of_a_route_survives_by_id(fleet):
    reload(fleet, [cluster_of("a")], [route("one"), route("two")])
    before = fleet.snapshot.routes["one"]
    before.state["seen"] = 3
    reload(fleet, [cluster_of("b")], [route("ONE"), route("new")])
    after = fleet.snapshot.routes["one"]
    assert after is not before
    assert (after.state, after.cluster) == ({"seen": 3}, fleet.find_cluster("api"))
    assert fleet.snapshot.routes["new"].state == {}


# -- building and applying


def test_building_changes_nothing_that_is_in_force(fleet):
    reload(fleet, [cluster_of("a", host="old")], [route("one")])
    before, cluster = fleet.snapshot, fleet.find_cluster("api")
    built = finish(fleet.build(Config([route("two")], [cluster_of("a", "b", host="new")])))
    assert fleet.snapshot is before
    assert (available(cluster), cluster.destinations[0].name) == (["a"], "http://old:80")
    fleet.apply(built)
    assert fleet.snapshot is built
    assert list(fleet.snapshot.routes) == ["two"]
    assert cluster.destinations[0].name == "http://new:80"


async def test_health_that_changes_between_building_and_applying_counts(fleet):
    reload(fleet, [cluster_of("a", "b")])
    built = finish(fleet.build(Config(clusters=[cluster_of("a", "b")])))
    cluster = fleet.find_cluster("api")
    cluster.set_passive(cluster.destinations[0], DOWN)
    fleet.apply(built)
    assert available(fleet.find_cluster("api")) == ["b"]


def test_when_a_cluster_cannot_be_equipped_nothing_has_changed():
    def make(cluster_id):
        if cluster_id == "two":
            raise LookupError("no such policy")

    broken = Recipe(part=Part(), owner=Cluster, settings=lambda cluster: (cluster.id,), make=make)
    fleet = Fleet((*Policies().recipes, broken))
    reload(fleet, [cluster_of("a", name="one", host="old")])
    one = fleet.find_cluster("one")
    with pytest.raises(LookupError):
        finish(
            fleet.build(Config(clusters=[cluster_of("a", name="one", host="new"), cluster_of(name="two")]))
        )
    assert fleet.find_cluster("one") is one
    assert one.destinations[0].name == "http://old:80"
