"""The rules for health checks."""

from __future__ import annotations

import pytest

from hostler.config.model import ActiveHealthCheck, Destination, HealthCheck, PassiveHealthCheck, queue
from tests.config.checks.saying import of_cluster


def active(**keys):
    return HealthCheck(active=ActiveHealthCheck(**keys))


def test_off_is_not_looked_at():
    passive = PassiveHealthCheck(enabled=False, policy="Nope", reactivation_period=0.0)
    check = ActiveHealthCheck(enabled=False, interval=0.0, path="x", policy="Nope", request="Nope")
    assert of_cluster(health_check=HealthCheck(passive=passive, active=check)) == {}


def test_times_are_positive():
    passive = PassiveHealthCheck(reactivation_period=0.0)
    check = ActiveHealthCheck(interval=0.0, timeout=-1.0)
    assert list(of_cluster(health_check=HealthCheck(passive=passive, active=check))) == [
        "HealthCheck.Passive.ReactivationPeriod",
        "HealthCheck.Active.Interval",
        "HealthCheck.Active.Timeout",
    ]


def test_what_counts_as_a_failure_beside_what_breaks():
    good = PassiveHealthCheck(unhealthy_statuses=["5xx", "429"], latency_limit=2.0, half_open=True)
    assert of_cluster(health_check=HealthCheck(good, slow_start=30.0)) == {}
    bad = PassiveHealthCheck(unhealthy_statuses=["500", "5x", "600"], latency_limit=0.0)
    assert of_cluster(health_check=HealthCheck(bad, slow_start=-1.0)) == {
        "HealthCheck.Passive.UnhealthyStatuses[1]": '"5x" is no final status; write a number such as "503", or "5xx"',
        "HealthCheck.Passive.UnhealthyStatuses[2]": '"600" is no final status; write a number such as "503", or "5xx"',
        "HealthCheck.Passive.LatencyLimit": "0 seconds is out of range; use more than 0",
        "HealthCheck.SlowStart": "-1 seconds is out of range; use more than 0",
    }


@pytest.mark.parametrize(
    ("path", "query"), [(None, None), ("", ""), ("/", "?"), ("/health", "?deep=1"), ("/a?b#c %", "?a b")]
)
def test_a_path_and_a_query_as_asp_net_has_them(path, query):
    assert of_cluster(health_check=active(path=path, query=query)) == {}


def test_a_path_begins_with_a_slash_and_a_query_with_a_question_mark():
    assert of_cluster(health_check=active(path="health", query="deep=1")) == {
        "HealthCheck.Active.Path": '"health" does not begin with "/"; write "/health"',
        "HealthCheck.Active.Query": '"deep=1" does not begin with "?"; write "?deep=1"',
    }


@pytest.mark.parametrize("address", ["http://+:80/", "http://*:80/app/"])
def test_a_queue_under_a_wildcard_has_to_say_where_it_is_probed(address):
    key = "Destinations.q.Health"
    said = of_cluster(destinations=[queue("q", address)], health_check=active())
    assert said == {
        key: f'is missing, and "{address}" is no address that a probe can be sent to; '
        "write where the queue's process answers, or remove HealthCheck.Active"
    }
    reachable = Destination(
        address, id="q", health="http://127.0.0.1:9000/", metadata={"HttpSysDelegationQueue": "q"}
    )
    assert of_cluster(destinations=[reachable], health_check=active()) == {}
    assert of_cluster(destinations=[queue("q", "http://localhost:80/")], health_check=active()) == {}
    assert of_cluster(destinations=[queue("q", address)]) == {}


@pytest.mark.parametrize(
    ("key", "field"), [("HealthCheck.Active.Policy", "policy"), ("HealthCheck.Active.Request", "request")]
)
def test_unknown_policies(key, field):
    (said,) = of_cluster(health_check=active(**{field: "Nope"})).items()
    assert said[0] == key
    assert said[1].startswith('unknown policy "Nope"; ')
