from __future__ import annotations

import logging

import pytest

from hostler.config.model import (
    Cluster,
    Config,
    Destination,
    HealthCheck,
    PassiveHealthCheck,
    queue,
)
from hostler.fleet import Health, Override, Standing
from hostler.proxy import Proxy
from hostler.testing import live


def test_a_destinations_name_is_its_queue_or_its_address():
    cluster = live(Cluster("api", [queue("reports", "http://*:80/"), "http://a:80"]))
    assert [destination.name for destination in cluster.destinations] == ["reports", "http://a:80"]


def test_a_destination_that_warms_up_has_a_part_of_its_weight():
    (destination,) = live(Cluster("api", [Destination("http://a", weight=4)])).destinations
    assert destination.weight == 4
    destination.ramp = lambda: 0.25
    assert destination.weight == 1


# -- what an operator says


def ids(destinations):
    return [destination.id for destination in destinations]


def fleet_of(*names, policy="HealthyOrPanic", listener=None):
    """A cluster of a proxy, in which destinations survive reloads."""
    checks = HealthCheck(PassiveHealthCheck(), available_destinations_policy=policy)
    cluster = Cluster("Api", {name: f"http://{name}" for name in names}, health_check=checks)
    proxy = Proxy(clusters=[cluster])
    if listener is not None:
        proxy.on_health_change(listener)
    return proxy


def test_a_drained_destination_is_left_to_requests_with_affinity_to_it():
    proxy = fleet_of("a", "b")
    drained = proxy.destination("api", "A")
    drained.drain()
    (cluster,) = proxy.clusters
    assert (ids(cluster.available), ids(cluster.for_affinity)) == (["b"], ["b", "a"])
    assert drained.override is Override.DRAINED
    drained.enable()
    assert ids(cluster.available) == ["a", "b"]
    assert cluster.for_affinity is cluster.available
    assert drained.override is None


def test_a_disabled_destination_is_left_to_nobody():
    proxy = fleet_of("a", "b")
    proxy.destination("api", "a").disable()
    (cluster,) = proxy.clusters
    assert (ids(cluster.available), ids(cluster.for_affinity)) == (["b"], ["b"])


@pytest.mark.parametrize("policy", ["HealthyOrPanic", "HealthyAndUnknown"])
@pytest.mark.parametrize(("take_out", "drained"), [("drain", ["a"]), ("disable", [])])
async def test_no_panic_brings_back_what_an_operator_took_out(policy, take_out, drained):
    proxy = fleet_of("a", "b", policy=policy)
    (cluster,) = proxy.clusters
    getattr(cluster.destinations[0], take_out)()
    for destination in cluster.destinations:
        cluster.set_passive(destination, Health.UNHEALTHY)
    panics = policy == "HealthyOrPanic"
    assert ids(cluster.available) == (["b"] if panics else [])
    assert ids(cluster.for_affinity) == (["b", *drained] if panics else [])


async def test_a_drained_destination_that_is_unhealthy_gets_nothing():
    proxy = fleet_of("a", "b")
    (cluster,) = proxy.clusters
    cluster.destinations[0].drain()
    cluster.set_passive(cluster.destinations[0], Health.UNHEALTHY)
    assert (ids(cluster.available), ids(cluster.for_affinity)) == (["b"], ["b"])


def test_an_override_survives_a_reload_and_ends_with_its_destination():
    proxy = fleet_of("a", "b")
    before = proxy.config
    proxy.destination("api", "a").disable()
    proxy.update(before)
    assert ids(proxy.clusters[0].available) == ["b"]
    proxy.update(Config(clusters=[Cluster("api", {"b": "http://b"})]))
    proxy.update(before)
    assert ids(proxy.clusters[0].available) == ["a", "b"]


def test_an_override_reaches_the_cluster_that_is_in_force():
    proxy = fleet_of("a", "b")
    held = proxy.destination("api", "a")
    proxy.update(proxy.config)
    held.drain()
    assert ids(proxy.clusters[0].available) == ["b"]


def test_a_destination_that_was_removed_may_be_drained_all_the_same():
    told = []
    proxy = fleet_of("a", "b", listener=lambda *change: told.append(change))
    held = proxy.destination("api", "a")
    proxy.update(Config(clusters=[Cluster("api", {"b": "http://b"})]))
    held.drain()
    proxy.update(Config())
    held.enable()
    assert told == []


@pytest.mark.parametrize(
    ("cluster", "destination", "message"),
    [
        ("shop", "a", "there is no cluster 'shop'; there is 'Api'"),
        ("api", "c", "there is no destination 'c'; there is 'a', 'b'"),
    ],
)
def test_a_destination_that_there_is_not(cluster, destination, message):
    with pytest.raises(LookupError) as raised:
        fleet_of("a", "b").destination(cluster, destination)
    assert raised.value.args == (message,)


def test_what_is_logged_of_an_override(caplog):
    caplog.set_level(logging.INFO)
    held = fleet_of("a", "b").destination("api", "a")
    for say in (held.drain, held.drain, held.disable, held.enable, held.enable):
        say()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "cluster Api: destination http://a is drained"),
        ("INFO", "cluster Api: destination http://a is disabled"),
        ("INFO", "cluster Api: destination http://a is enabled"),
    ]


# -- who is told


async def test_a_listener_is_told_of_each_change_when_it_has_taken_effect():
    told = []
    proxy = fleet_of(
        "a",
        "b",
        listener=lambda cluster, destination, before, after: told.append(
            (cluster.id, destination.id, before, after, ids(cluster.available))
        ),
    )
    (cluster,) = proxy.clusters
    one, other = cluster.destinations
    cluster.set_passive(one, Health.UNHEALTHY)
    cluster.set_passive(one, Health.UNHEALTHY)
    cluster.set_active({one: Health.UNKNOWN, other: Health.HEALTHY})
    other.drain()
    unknown = Health.UNKNOWN
    assert told == [
        ("Api", "a", Standing(unknown, unknown, None), Standing(unknown, Health.UNHEALTHY, None), ["b"]),
        ("Api", "b", Standing(unknown, unknown, None), Standing(Health.HEALTHY, unknown, None), ["b"]),
        (
            "Api",
            "b",
            Standing(Health.HEALTHY, unknown, None),
            Standing(Health.HEALTHY, unknown, Override.DRAINED),
            ["a"],
        ),
    ]


def test_a_listener_is_told_until_it_is_removed_also_after_a_reload():
    told = []
    proxy = fleet_of("a", "b")
    remove = proxy.on_health_change(lambda *change: told.append(change))
    proxy.update(proxy.config)
    proxy.destination("api", "a").drain()
    assert [change[0] for change in told] == list(proxy.clusters)
    remove()
    remove()
    proxy.destination("api", "a").enable()
    assert len(told) == 1


@pytest.mark.logs_errors("cluster Api: destination http://a changed, and the listener .* raised")
def test_a_listener_that_raises_keeps_nothing_from_the_others():
    told = []

    def broken(*_):
        raise ZeroDivisionError

    proxy = fleet_of("a", "b", listener=broken)
    proxy.on_health_change(lambda *change: told.append(change))
    proxy.destination("api", "a").disable()
    assert len(told) == 1
    assert ids(proxy.clusters[0].available) == ["b"]
