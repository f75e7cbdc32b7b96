"""Keys that are sealed ids."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidTag

from hostler.config.model import AffinityCookie, Cluster, SessionAffinity
from hostler.fleet import LiveDestination
from hostler.stages.affinity import AffinityFailure
from hostler.stages.affinity.keys import FixedKeys
from hostler.stages.affinity.sealed import CustomHeader, SealedCookie
from hostler.testing import exchange, live
from tests.stages.affinity.setting import passed

ONE, TWO = bytes(32), bytes(range(32))
COOKIE = SessionAffinity("sticky", policy="Cookie")
HEADER = SessionAffinity("X-Sticky", policy="CustomHeader")

NOT_FOUND = AffinityFailure.DESTINATION_NOT_FOUND
FOREIGN = AffinityFailure.KEY_EXTRACTION_FAILED


def cookie(*keys):
    return SealedCookie(COOKIE, keys=FixedKeys(keys or [ONE]))


def header(*keys):
    return CustomHeader(HEADER, keys=FixedKeys(keys or [ONE]))


def cluster_of(*ids, name="api", policy=None):
    return live(Cluster(name, {one: f"http://{one}:80" for one in ids}, affinity=COOKIE), affinity=policy)


def sealed(policy, cluster, index=0):
    """Return the key of a destination."""
    ((_, value),) = policy.key_headers(exchange(cluster=cluster), cluster.destinations[index])
    return value.removeprefix(b"sticky=").partition(b";")[0]


def found(policy, cluster, *values, candidates=None):
    """Return the id that the policy finds, or what else it says."""
    headers = [
        ("X-Sticky", value) if isinstance(policy, CustomHeader) else (b"Cookie", b"sticky=" + value)
        for value in values
    ]
    answer = policy.find(
        exchange(headers=headers, cluster=cluster), cluster.available if candidates is None else candidates
    )
    return answer[0].id if isinstance(answer, tuple) else answer


@pytest.mark.parametrize("make", [cookie, header])
@pytest.mark.parametrize("name", ["dest-B", "\u20ac", "\ud800", "http://10.0.0.1:8080/"])
def test_a_key_names_its_destination(make, name):
    policy, cluster = make(), cluster_of("a", name)
    key = sealed(policy, cluster, 1)
    assert b"=" not in key
    assert found(policy, cluster, key) == name


@pytest.mark.parametrize("make", [cookie, header])
def test_ids_have_no_case(make):
    policy = make()
    key = sealed(policy, cluster_of("Dest", name="API"))
    assert found(policy, cluster_of("dEST", name="api"), key) == "dEST"


def test_no_two_keys_are_the_same():
    policy, cluster = cookie(), cluster_of("a")
    assert len({sealed(policy, cluster) for _ in range(100)}) == 100


def test_a_key_does_not_show_the_id():
    policy, cluster = cookie(), cluster_of("secret-name")
    key = sealed(policy, cluster)
    assert b"secret-name" not in base64.b64decode(key + b"=" * (-len(key) % 4))


def test_the_cookie_has_its_attributes():
    config = SessionAffinity("sticky", cookie=AffinityCookie(expiration=86400.0, path="/shop"))
    policy = SealedCookie(config, keys=FixedKeys([ONE]), now=lambda: 0.0)
    cluster = cluster_of("a")
    ((name, value),) = policy.key_headers(exchange(cluster=cluster), cluster.destinations[0])
    assert name == b"set-cookie"
    assert value.endswith(b"; expires=Fri, 02 Jan 1970 00:00:00 GMT; path=/shop; httponly")


def test_the_header_goes_out_under_its_name():
    cluster = cluster_of("a")
    ((name, _),) = header().key_headers(exchange(cluster=cluster), cluster.destinations[0])
    assert name == b"X-Sticky"


# -- keys that proxies share


def test_another_proxy_with_the_key_opens_it():
    cluster = cluster_of("a", "b")
    assert found(cookie(ONE), cluster, sealed(cookie(ONE), cluster, 1)) == "b"


def test_keys_are_rotated_without_losing_a_session():
    cluster = cluster_of("a", "b")
    before, between, after = cookie(ONE), cookie(TWO, ONE), cookie(TWO)
    assert found(between, cluster, sealed(before, cluster, 1)) == "b"
    assert found(after, cluster, sealed(between, cluster, 1)) == "b"
    assert found(after, cluster, sealed(before, cluster, 1)) is FOREIGN


# -- keys that are of no use


def flipped(key, at):
    raw = bytearray(base64.b64decode(key + b"=" * (-len(key) % 4)))
    raw[at] ^= 1
    return base64.b64encode(bytes(raw)).rstrip(b"=")


@pytest.mark.parametrize("make", [cookie, header])
def test_a_key_of_another_cluster_or_proxy_is_foreign(make):
    cluster = cluster_of("a", "b")
    assert found(make(ONE), cluster, sealed(make(ONE), cluster_of("a", "b", name="other"))) is FOREIGN
    assert found(make(ONE), cluster, sealed(make(TWO), cluster)) is FOREIGN


@pytest.mark.parametrize("make", [cookie, header])
@pytest.mark.parametrize("at", [0, 11, 12, -17, -1])
def test_a_key_that_was_tampered_with_is_foreign(make, at):
    policy, cluster = make(), cluster_of("a", "b")
    assert found(policy, cluster, flipped(sealed(policy, cluster), at)) is FOREIGN


@pytest.mark.parametrize("make", [cookie, header])
@pytest.mark.parametrize(
    "value", [b"a", b"AAAA", b"A" * 40, b"A" * 41, b"\xff\xfe", b"****", b"A" * 4100, b"A" * 20000, b"a b", b"=AAA"]
)  # fmt: skip
def test_what_was_never_a_key_is_foreign(make, value, caplog):
    assert found(make(), cluster_of("a"), value) is FOREIGN
    assert caplog.messages == []


@pytest.mark.parametrize("make", [cookie, header])
def test_an_empty_key_is_none(make):
    assert found(make(), cluster_of("a"), b"") is None
    assert found(make(), cluster_of("a")) is None


@pytest.mark.parametrize("make", [cookie, header])
def test_a_destination_that_is_not_a_candidate_is_not_found(make):
    policy, cluster = make(), cluster_of("a", "b")
    for candidates in (cluster.destinations[1:], ()):
        assert found(policy, cluster, sealed(policy, cluster), candidates=candidates) is NOT_FOUND


def test_of_several_cookies_the_first_that_names_a_candidate_counts():
    policy, cluster = cookie(), cluster_of("a", "b")
    a, b = sealed(policy, cluster), sealed(policy, cluster, 1)
    assert found(policy, cluster, b"stale", b, a) == "b"
    assert found(policy, cluster, b"stale", a, candidates=cluster.destinations[1:]) is NOT_FOUND


def test_a_header_that_stands_there_twice_is_foreign():
    policy, cluster = header(), cluster_of("a", "b")
    assert found(policy, cluster, sealed(policy, cluster), sealed(policy, cluster)) is FOREIGN


def test_a_few_cookies_are_opened_and_no_more():
    policy, cluster = cookie(), cluster_of("a", "b")
    key = sealed(policy, cluster)
    assert found(policy, cluster, *[b"stale"] * 3, key) == "a"
    assert found(policy, cluster, *[b"stale"] * 4, key) is FOREIGN


class Counting:
    """A key that opens nothing, and counts what it was given."""

    def __init__(self):
        self.sizes = []

    def current(self):
        return [self, self]

    def decrypt(self, nonce, sealed, associated):
        self.sizes.append(len(sealed))
        raise InvalidTag


def test_the_work_for_bad_keys_is_bounded(caplog):
    keys, cluster = Counting(), cluster_of("a")
    policy = SealedCookie(COOKIE, keys=keys)
    assert found(policy, cluster, *[b"A" * 4096] * 500) is FOREIGN
    assert keys.sizes == [3060] * 8
    assert caplog.messages == []


# -- the stage


async def test_a_client_stays_where_it_was():
    policy = cookie()
    cluster = cluster_of("a", "b", policy=policy)
    _, (set_cookie,) = await passed(exchange(cluster=cluster))
    key = set_cookie.partition(";")[0]
    assert await passed(exchange(headers=[("Cookie", key)], cluster=cluster)) == (["a"], [])
    left, (again,) = await passed(exchange(headers=[("Cookie", key[:-3])], cluster=cluster))
    assert left == ["a", "b"]
    assert again != key


async def test_a_client_stays_where_it_was_by_a_header():
    cluster = cluster_of("a", "b", policy=header())
    given = exchange(cluster=cluster)
    await passed(given)
    key = given.stream.response.headers.get("X-Sticky")
    given = exchange(headers=[("x-sticky", key)], cluster=cluster)
    assert await passed(given) == (["a"], [])
    assert "X-Sticky" not in given.stream.response.headers


# -- without keys


def test_a_key_that_was_made_is_warned_of(caplog):
    policies = [SealedCookie(COOKIE), CustomHeader(HEADER), SealedCookie(COOKIE)]
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"SessionAffinity {name} has no SealingKeyFile, and seals with a key that was made at this start"
        for name in ("sticky", "X-Sticky", "sticky")
    ]
    cluster = cluster_of("a")
    assert found(policies[2], cluster, sealed(policies[0], cluster)) == "a"


def test_the_keys_of_a_file(tmp_path, caplog):
    path = tmp_path / "sealing.keys"
    path.write_bytes(base64.b64encode(ONE))
    path.chmod(0o600)
    config = SessionAffinity("sticky", policy="Cookie", sealing_key_file=str(path))
    cluster = cluster_of("a")
    assert found(SealedCookie(config), cluster, sealed(cookie(ONE), cluster)) == "a"
    assert caplog.messages == []


def test_an_exchange_without_a_cluster_has_keys_of_its_own():
    policy = cookie()
    destination = LiveDestination("a", cluster_of("a").config.destinations[0])
    ((_, value),) = policy.key_headers(exchange(), destination)
    given = exchange(headers=[(b"Cookie", value.partition(b";")[0])])
    assert policy.find(given, (destination,)) == (destination,)
