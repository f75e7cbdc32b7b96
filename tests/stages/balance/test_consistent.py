"""Balancing by a hash of the request."""

from __future__ import annotations

from collections import Counter

import pytest

from hostler.config.model import Cluster, Destination, HashBy, LoadBalancing
from hostler.stages.balance import Balancing
from hostler.stages.balance.consistent import ConsistentHash
from hostler.testing import exchange, live
from tests.stages.balance.setting import fleet_of, weighing

BY_USER = LoadBalancing(HashBy.HEADER, "X-User")
USERS = range(3000)


def never(exchange, candidates):
    raise AssertionError("the request has a key")


def choices(candidates, *, weighted=False):
    """Return where each user goes."""
    chooses = ConsistentHash(Balancing(BY_USER, weighted), never)
    return [chooses(exchange(headers=[("X-User", f"user-{number}")]), candidates).id for number in USERS]


def moved(before, after):
    return [(one, other) for one, other in zip(before, after, strict=True) if one != other]


def test_every_destination_has_its_share():
    found = Counter(choices(fleet_of(*"abcde").available))
    assert all(500 < count < 700 for count in found.values()), found


def test_a_lost_destination_moves_its_own_share_only_and_gets_it_back():
    candidates = fleet_of(*"abcde").available
    before, without = choices(candidates), choices(candidates[:2] + candidates[3:])
    assert {one for one, _ in moved(before, without)} == {"c"}
    assert len(moved(before, without)) == before.count("c")
    assert set(Counter(other for _, other in moved(before, without))) == set("abde")


def test_a_new_destination_takes_its_share_from_all():
    candidates = fleet_of(*"abcde").available
    before, after = choices(candidates[:4]), choices(candidates)
    assert {other for _, other in moved(before, after)} == {"e"}
    assert 500 < len(moved(before, after)) < 700


def test_any_proxy_chooses_the_same():
    orders = [fleet_of(*"abcde").available, fleet_of(*"EDCBA").available]
    assert [choice.lower() for choice in choices(orders[0])] == [
        choice.lower() for choice in choices(orders[1])
    ]


def test_what_a_key_comes_to_stays_so_over_versions():
    assert "".join(choices(fleet_of(*"abcde").available)[:16]) == "dbbabdebadbcddeb"


def test_weights_are_shares():
    found = Counter(choices(weighing(a=1, b=2, c=3, d=0), weighted=True))
    assert found.keys() == set("abc")
    assert (400 < found["a"] < 600, 900 < found["b"] < 1100, 1400 < found["c"] < 1600) == (True, True, True)


def test_a_weight_that_changes_moves_keys_from_and_to_its_own_destination_only():
    candidates = weighing(a=4, b=4, c=4)
    before = choices(candidates, weighted=True)
    candidates[1].ramp = lambda: 0.5
    assert {one for one, _ in moved(before, choices(candidates, weighted=True))} == {"b"}


@pytest.mark.parametrize(
    ("settings", "one", "same", "other"),
    [
        (BY_USER, {"headers": [("x-user", "u1")]}, {"headers": [("X-User", "u1")]}, {"headers": [("X-User", "u5")]}),
        (
            LoadBalancing(HashBy.COOKIE, "sid"),
            {"headers": [("Cookie", "a=b; sid=u1")]},
            {"headers": [("Cookie", "sid=u1; sid=u9")]},
            {"headers": [("Cookie", "sid=u5")]},
        ),
        (LoadBalancing(), {"client": ("10.0.0.1", 1)}, {"client": ("10.0.0.1", 2)}, {"client": ("10.0.0.9", 1)}),
        (LoadBalancing(HashBy.PATH_SEGMENT), {"path": "/u1/a"}, {"path": "/u1?b"}, {"path": "/u5/a"}),
        (LoadBalancing(HashBy.PATH_SEGMENT, segment=2), {"path": "/x/u1"}, {"path": "/y/u1/"}, {"path": "/x/u5"}),
    ],
    ids=["header", "cookie", "address", "segment", "second segment"],
)  # fmt: skip
def test_what_is_hashed(settings, one, same, other):
    chooses = ConsistentHash(Balancing(settings, weighted=False), never)
    candidates = fleet_of(*map(str, range(1000))).available
    first, second, third = (chooses(exchange(**request), candidates) for request in (one, same, other))
    assert first is second
    assert first is not third


@pytest.mark.parametrize(
    ("settings", "request_"),
    [
        (BY_USER, {}),
        (BY_USER, {"headers": [("X-User", "")]}),
        (LoadBalancing(HashBy.COOKIE, "sid"), {"headers": [("Cookie", "a=b; sid=")]}),
        (LoadBalancing(), {"client": ("", 0)}),
        (LoadBalancing(HashBy.PATH_SEGMENT), {"path": "/"}),
        (LoadBalancing(HashBy.PATH_SEGMENT, segment=3), {"path": "/a/b"}),
    ],
)
def test_a_request_without_the_key_goes_where_another_policy_says(settings, request_):
    candidates = fleet_of("a", "b").available
    chooses = ConsistentHash(Balancing(settings, weighted=False), lambda _, candidates: candidates[1])
    assert chooses(exchange(**request_), candidates) is candidates[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_without_the_key_the_less_busy_of_two_is_chosen(weighted):
    candidates = fleet_of("a", "b").available
    candidates[0].in_flight = 5
    assert ConsistentHash(Balancing(BY_USER, weighted))(exchange(), candidates).id == "b"


def test_a_path_may_have_any_character():
    chooses = ConsistentHash(Balancing(LoadBalancing(HashBy.PATH_SEGMENT), weighted=False), never)
    given = exchange()
    given.path = "/\ud800\U0001f682/"
    assert chooses(given, live(Cluster("c", [Destination("http://\udcff")])).available)
