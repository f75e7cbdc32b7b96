"""The limits that do not hold for what HTTP.sys delegates."""

from __future__ import annotations

import pytest

from hostler import Cluster, ConcurrencyDefinition, Config, Route, queue
from hostler.config.checks.delegated import find_unbelieved_proxies, find_unlimited_requests
from hostler.config.trusted import TrustedSection
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


def test_the_word_of_a_trusted_proxy_does_not_reach_a_queue():
    clusters = [Cluster("a", ["http://a"]), Cluster("b", [QUEUE]), Cluster("c", [QUEUE])]
    (problem,) = find_unbelieved_proxies(
        Config(clusters=clusters, trusted_proxies=TrustedSection(networks=("unix",)))
    )
    assert (problem.path, problem.severity) == ("TrustedProxies", Severity.WARNING)
    assert 'cluster "b" has request queues' in problem.message
    assert list(find_unbelieved_proxies(Config(clusters=clusters))) == []
    assert (
        list(
            find_unbelieved_proxies(
                Config(clusters=clusters[:1], trusted_proxies=TrustedSection(networks=("unix",)))
            )
        )
        == []
    )
