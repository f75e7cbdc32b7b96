"""Which destinations of a cluster are available."""

from __future__ import annotations

import itertools

import pytest

from hostler.config.model import ActiveHealthCheck, Cluster, HealthCheck, PassiveHealthCheck
from hostler.fleet import Health
from hostler.testing import live

UP, DOWN, UNSEEN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def cluster_of(*ids, policy="HealthyOrPanic", active=True, passive=True, name="api"):
    checks = HealthCheck(PassiveHealthCheck(enabled=passive), ActiveHealthCheck(enabled=active), policy)
    return Cluster(name, {key: f"http://{key}:80" for key in ids}, health_check=checks)


def available(cluster):
    return [destination.id for destination in cluster.available]


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
async def test_when_all_are_unhealthy(policy, ids):
    cluster = live(cluster_of("a", "b", policy=policy))
    for destination in cluster.destinations:
        cluster.set_passive(destination, DOWN)
    assert available(cluster) == ids


async def test_a_passive_verdict_counts_at_once():
    cluster = live(cluster_of("a", "b"))
    assert cluster.set_passive(cluster.destinations[0], DOWN)
    assert available(cluster) == ["b"]


def test_the_same_verdict_again_changes_nothing():
    cluster = live(cluster_of("a", "b"))
    assert not cluster.set_passive(cluster.destinations[0], UNSEEN)
