"""Rules for rate limiters."""

from __future__ import annotations

import pytest

from hostler import (
    Cluster,
    ConcurrencyDefinition,
    Config,
    Definitions,
    Policies,
    RateLimiterDefinition,
    RedisDefinition,
)
from hostler.checking import find_problems
from hostler.config.limits import RateLimitAlgorithm

REDIS = RedisDefinition("redis://127.0.0.1/0")


def said(limit=1, window=1, **fields):
    """Return what is wrong with a rate limiter, by path from there on."""
    definitions = Definitions(rate_limiters={"r": RateLimiterDefinition(limit, window, **fields)})
    problems = find_problems(Config(definitions=definitions))
    return {problem.path.removeprefix("Policies.RateLimiters.r."): problem.message for problem in problems}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"partition_by": "route"},
        {"partition_by": "header", "header": "x"},
        {"partition_by": "os.path:basename"},
        {"redis": REDIS},
        {"redis": RedisDefinition("rediss://:pw@a:6380/1")},
        {"limit": 10**9, "window": 86400.0},
    ],
)
def test_what_is_right_is_accepted(fields):
    assert said(**fields) == {}


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"limit": 0}, "PermitLimit", "0 is out of range; use 1 or more requests"),
        ({"limit": 10**6, "algorithm": RateLimitAlgorithm.MOVING_WINDOW}, "PermitLimit", "1000000 is too much for a MovingWindow"),
        ({"window": 0.5}, "Window", "0.5 seconds is out of range; use whole seconds, 1 or more"),
        ({"window": 1.5}, "Window", "1.5 seconds is out of range"),
        ({"window": float("nan")}, "Window", "nan seconds is out of range"),
        ({"window": float("inf")}, "Window", "inf seconds is out of range"),
        ({"partition_by": "Client"}, "PartitionBy", 'unknown partition "Client"; use ClientAddress, Header, Route, or '),
        ({"partition_by": "nowhere:at_all"}, "PartitionBy", "there is no module 'nowhere'"),
        ({"partition_by": "Header"}, "Header", 'is missing: "PartitionBy": "Header" needs the header\'s name; add it'),
        ({"header": "x"}, "Header", 'is for "PartitionBy": "Header", and it is "ClientAddress"; change one of them'),
        ({"ipv6_prefix_length": 129}, "Ipv6PrefixLength", "129 is out of range; use 1 to 128"),
        ({"max_keys": 0}, "MaxKeys", "0 is out of range; use 1 or more"),
        ({"redis": RedisDefinition("http://a")}, "Redis.Url", '"http://a" is no address of Redis; write redis:// or '),
        ({"redis": RedisDefinition("redis://a:many")}, "Redis.Url", '"redis://a:many" is no address of Redis: '),
        ({"redis": RedisDefinition("redis://a", timeout=0)}, "Redis.Timeout", "0 seconds is out of range; use more than 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_says_what_to_do(fields, path, message):
    found = said(**fields)
    assert list(found) == [path]
    assert message in found[path]


@pytest.mark.parametrize("name", ["Default", "DISABLE"])
def test_yarps_names_are_taken(name):
    definitions = Definitions(rate_limiters={name: RateLimiterDefinition(1, 1)})
    (problem,) = find_problems(Config(definitions=definitions))
    assert "is YARP's name" in problem.message
    (problem,) = find_problems(Config(), Policies(rate_limiter={name: print}))
    assert problem.message == f'"{name}" cannot be the name of a RateLimiterPolicy; choose another'


@pytest.mark.parametrize("package", ["limits", "redis"])
def test_a_missing_package_names_the_command_that_installs_it(package, monkeypatch):
    monkeypatch.setattr("hostler.rate_limiting.ready.find_spec", lambda name: None if name == package else 1)
    found = said(redis=REDIS)
    assert list(found.values()) == [
        f'it needs {package}, which is not installed; pip install "hostler[limits]"'
    ]


@pytest.mark.parametrize(
    ("limit", "path", "message"),
    [
        (ConcurrencyDefinition(0), "PermitLimit", "0 is out of range; use 1 or more exchanges"),
        (ConcurrencyDefinition(1, queue_limit=-1), "QueueLimit", "-1 is out of range; use 0 or more exchanges that wait"),
        (ConcurrencyDefinition(1, queue_timeout=0), "QueueTimeout", "0 seconds is out of range; use more than 0"),
    ],
)  # fmt: skip
def test_a_limit_of_exchanges_at_once(limit, path, message):
    config = Config(
        clusters=[Cluster("c", ["http://a/"], destination_concurrency=limit)],
        definitions=Definitions(concurrency={"few": limit}),
    )
    assert {problem.path: problem.message for problem in find_problems(config)} == {
        f"Policies.Concurrency.few.{path}": message,
        f"Clusters.c.DestinationConcurrency.{path}": message,
    }
