"""The limits that do not hold for what HTTP.sys delegates."""

from __future__ import annotations

import pytest

from hostler import Cluster, ConcurrencyDefinition, Config, Route, queue
from hostler.config.checks.delegated import find_unlimited_requests
from hostler.errors import Severity

QUEUE = queue("q", "http://*:80/")


def warned(*, destination=QUEUE, cluster=None, **limits):
    config = Config(
        [Route("/", "C", id="r", **limits), Route("/other", id="o", timeout=1.0)],
        [Cluster("c", ["http://a", destination], **(cluster or {}))],
    )
    found = list(find_unlimited_requests(config))
    assert {problem.severity for problem in found} <= {Severity.WARNING}
    assert all('cluster "c" has request queues' in problem.message for problem in found)
    return [problem.path for problem in found]


@pytest.mark.parametrize(
    ("limits", "paths"),
    [
        ({}, []),
        ({"timeout": 1.0}, ["Routes.r.Timeout"]),
        ({"timeout_policy": "short"}, ["Routes.r.TimeoutPolicy"]),
        ({"timeout_policy": "Disable", "concurrency_policy": "DISABLE", "max_request_body_size": -1}, []),
        ({"concurrency_policy": "few"}, ["Routes.r.ConcurrencyPolicy"]),
        ({"max_request_body_size": 0}, ["Routes.r.MaxRequestBodySize"]),
    ],
)
def test_the_limits_of_a_route(limits, paths):
    assert warned(**limits) == paths
    assert warned(destination="http://b", **limits) == []


def test_the_limits_of_a_cluster():
    few = {"destination_concurrency": ConcurrencyDefinition(1)}
    assert warned(cluster=few) == ["Clusters.c.DestinationConcurrency"]
    assert warned(destination="http://b", cluster=few) == []
