"""How the answers to probes are judged."""

from __future__ import annotations

import pytest

from hostler.config.model import Cluster
from hostler.fleet import Health
from hostler.probing import ConsecutiveFailures, ProbeRequest, ProbeResponse, ProbeResult
from hostler.testing import live

UNKNOWN, UP, DOWN = Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY
REQUEST = ProbeRequest("http://a", "/")


def result(destination, status=200):
    if isinstance(status, Exception):
        return ProbeResult(destination, REQUEST, error=status)
    return ProbeResult(destination, REQUEST, ProbeResponse(status))


def judged(statuses, *, threshold=None, begin=UNKNOWN):
    """Return the health of one destination after each of its probes."""
    metadata = {} if threshold is None else {"ConsecutiveFailuresHealthPolicy.Threshold": threshold}
    cluster = live(Cluster("c", ["http://a"], metadata=metadata))
    (destination,) = cluster.destinations
    destination.active = begin
    policy = ConsecutiveFailures(cluster.config)
    seen = []
    for status in statuses:
        cluster.set_active(policy(cluster, [result(destination, status)]))
        seen.append(destination.active)
    return seen


@pytest.mark.parametrize(
    ("status", "success"),
    [
        (199, False),
        (200, True),
        (204, True),
        (299, True),
        (300, False),
        (302, False),
        (404, False),
        (503, False),
    ],
)
def test_success_is_any_2xx(status, success):
    (destination,) = live(Cluster("c", ["http://a"])).destinations
    assert result(destination, status).success is success


def test_an_error_is_no_success():
    (destination,) = live(Cluster("c", ["http://a"])).destinations
    assert not result(destination, TimeoutError()).success


@pytest.mark.parametrize(
    ("statuses", "threshold", "expected"),
    [
        ([200], None, [UP]),
        ([500], None, [UNKNOWN]),
        ([500, 500], None, [UNKNOWN, DOWN]),
        ([500, TimeoutError()], None, [UNKNOWN, DOWN]),
        ([500, 200, 500, 500], None, [UNKNOWN, UP, UP, DOWN]),
        ([500, 500, 500, 200, 500], None, [UNKNOWN, DOWN, DOWN, UP, UP]),
        ([500], "1", [DOWN]),
        ([500, 500, 500], "3", [UNKNOWN, UNKNOWN, DOWN]),
    ],
)
def test_failures_in_a_row(statuses, threshold, expected):
    assert judged(statuses, threshold=threshold) == expected


def test_a_failure_below_the_threshold_leaves_an_unhealthy_one_unhealthy():
    assert judged([500], begin=DOWN) == [DOWN]


def test_each_destination_has_a_count_of_its_own():
    cluster = live(Cluster("c", ["http://a", "http://b"]))
    one, other = cluster.destinations
    policy = ConsecutiveFailures(cluster.config)
    for _ in range(2):
        verdicts = policy(cluster, [result(one, 500), result(other, 200)])
    assert verdicts == {one: DOWN, other: UP}


def test_the_count_survives_a_policy_that_is_made_anew():
    cluster = live(Cluster("c", ["http://a"]))
    (destination,) = cluster.destinations
    for _ in range(2):
        verdicts = ConsecutiveFailures(cluster.config)(cluster, [result(destination, 500)])
    assert verdicts == {destination: DOWN}


def test_a_result_in_words():
    (destination,) = live(Cluster("c", ["http://a"])).destinations
    assert str(result(destination, 503)) == "GET http://a/ was answered with 503"
    assert str(result(destination, TimeoutError("no answer"))) == "GET http://a/ failed: no answer"
    assert str(result(destination, TimeoutError())) == "GET http://a/ failed: TimeoutError()"
