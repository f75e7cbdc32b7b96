"""The rules for how a destination is chosen."""

from __future__ import annotations

import pytest

from hostler.config.model import HashBy, LoadBalancing
from tests.config.checks.saying import of_cluster


@pytest.mark.parametrize(
    "settings",
    [
        LoadBalancing(),
        LoadBalancing(HashBy.HEADER, "X-User"),
        LoadBalancing(HashBy.COOKIE, "session"),
        LoadBalancing(HashBy.PATH_SEGMENT, segment=3),
    ],
)
def test_settings(settings):
    assert of_cluster(balance="consistenthash", load_balancing=settings) == {}


@pytest.mark.parametrize(
    ("settings", "key", "why"),
    [
        (LoadBalancing(HashBy.HEADER), "Name", "is missing; name the header to hash by"),
        (LoadBalancing(HashBy.COOKIE), "Name", "is missing; name the cookie to hash by"),
        (LoadBalancing(HashBy.HEADER, "a b"), "Name", "'a b' is not a header's name; use letters"),
        (LoadBalancing(HashBy.COOKIE, "gr\u00f6\u00dfe"), "Name", "'gr\\xf6\\xdfe' is not a cookie's name"),
        (LoadBalancing(HashBy.PATH_SEGMENT, "x"), "Name", "HashBy PathSegment takes no name; remove it"),
        (LoadBalancing(name="x"), "Name", "HashBy ClientAddress takes no name; remove it"),
        (LoadBalancing(HashBy.PATH_SEGMENT, segment=0), "Segment", "0 is out of range; use 1 for the first"),
        (LoadBalancing(HashBy.PATH_SEGMENT, segment=1001), "Segment", "1001 is out of range"),
    ],
)
def test_settings_that_cannot_be(settings, key, why):
    said = of_cluster(balance="ConsistentHash", load_balancing=settings)
    assert list(said) == [f"LoadBalancing.{key}"]
    assert said[f"LoadBalancing.{key}"].startswith(why)


@pytest.mark.parametrize(("policy", "named"), [("RoundRobin", "RoundRobin"), ("", "PowerOfTwoChoices")])
def test_settings_that_the_policy_does_not_look_at(policy, named):
    assert of_cluster(balance=policy, load_balancing=LoadBalancing(HashBy.HEADER, "X-User")) == {
        "LoadBalancing": f"is for ConsistentHash, and {named} does not look at it; "
        "remove it, or set LoadBalancingPolicy to ConsistentHash"
    }


def test_a_policy_of_ones_own_may_have_settings():
    said = of_cluster(balance="math:floor", load_balancing=LoadBalancing(HashBy.HEADER, "X-User"))
    assert said == {}
