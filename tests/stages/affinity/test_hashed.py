"""Affinity: keys that are hashes of ids."""

from __future__ import annotations

import pytest

from hostler.config.model import Cluster
from hostler.stages.affinity import AffinityFailure
from hostler.stages.affinity.hashed import ARR_COOKIE, HASH_COOKIE, arr_key, hash_key
from hostler.testing import exchange, live
from tests.stages.affinity.setting import CONFIG, KEYS, cluster_of


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (HASH_COOKIE, b"53c079ed4c377b0d"),
        (ARR_COOKIE, b"920A160FA519353932B655488361A944531650016793761EE7224DE632863B13"),
    ],
)
@pytest.mark.parametrize("name", ["dest-B", "DEST-b"])
def test_yarps_own_numbers(make, key, name):
    policy, cluster = make(CONFIG), cluster_of("dest-A", name)
    assert policy.key_headers(exchange(), cluster.destinations[1]) == [
        (b"set-cookie", b"sticky=%b; path=/; httponly" % key)
    ]
    given = exchange(headers=[(b"Cookie", b"sticky=" + key)])
    assert policy.find(given, cluster.available) == (cluster.destinations[1],)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_the_key_is_yarps_hash_of_the_id_without_case(name, spelling):
    assert hash_key(spelling(name)) == KEYS[name].encode()


@pytest.mark.parametrize("name", ["\u20ac", "\ud800", "\U0001f682"])
def test_any_id_has_a_key(name):
    assert len(hash_key(name)) == 16
    assert len(arr_key(name)) == 64


@pytest.mark.parametrize(
    ("name", "capitals"),
    [
        ("stra\u00dfe", "STRA\u00dfE"),  # not STRASSE
        ("\u0131", "\u0131"),  # a dotless i is not capitalized in the invariant culture
        ("i", "I"),
        ("\u1f80", "\u1f88"),  # whose full mapping has two characters
        ("\u1fb2", "\u1fb2"),
        ("\ufb01", "\ufb01"),
        ("\u01c6", "\u01c4"),
        ("\u03c2", "\u03a3"),
        ("\U00010428", "\U00010400"),
    ],
)
def test_a_character_of_an_id_is_capitalized_to_one_character(name, capitals):
    assert hash_key(name) == hash_key(capitals)


@pytest.mark.parametrize(("one", "other"), [("stra\u00dfe", "strasse"), ("\u0131", "i"), ("\ufb01", "fi")])
def test_what_only_the_full_mapping_makes_equal_is_different(one, other):
    assert hash_key(one) != hash_key(other)


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("\u0130", "\u0130"),  # a capital I with a dot is not made small in the invariant culture
        ("STRA\u00dfE", "stra\u00dfe"),
        ("\u03a3", "\u03c3"),  # not the final sigma, wherever it stands
        ("A\u03a3", "a\u03c3"),
    ],
)
def test_a_character_of_an_id_is_made_small_for_arr(name, small):
    assert arr_key(name) == arr_key(small)


def test_a_dotted_capital_i_is_no_i_for_arr():
    assert arr_key("\u0130") != arr_key("i")


def test_the_candidates_may_be_others_each_time():
    cluster, policy = cluster_of("a", "b"), HASH_COOKIE(CONFIG)
    given = exchange(headers=[("Cookie", f"sticky={KEYS['b']}")])
    a, b = cluster.destinations
    assert policy.find(given, (a, b)) == (b,)
    assert policy.find(given, (a,)) is AffinityFailure.DESTINATION_NOT_FOUND
    assert policy.find(given, ()) is AffinityFailure.DESTINATION_NOT_FOUND
    assert policy.find(given, (b, a)) == (b,)


def test_a_key_is_found_among_thousands_of_destinations_by_one_look():
    cluster = live(Cluster("api", [f"http://d{number}" for number in range(5000)]))
    policy = HASH_COOKIE(CONFIG)
    for name in ("http://d0", "http://d4999"):
        given = exchange(headers=[(b"Cookie", b"sticky=" + hash_key(name))])
        ((found),) = policy.find(given, cluster.available)
        assert found.id == name
