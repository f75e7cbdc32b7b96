from __future__ import annotations

import pytest

from hostler.answering import apply_response_callbacks
from hostler.config.model import AffinityCookie, Cluster, SameSite, SecurePolicy, SessionAffinity
from hostler.contract import Delegated
from hostler.errors import Failure, Reason
from hostler.exchange import Kind
from hostler.stages import affinity, forward
from hostler.stages.affinity import AFFINITY_FAILURE, HashCookie
from hostler.testing import FakeRule, FakeSender, FakeStream, exchange, live

# xxh64_hexdigest("A".encode("utf-16-le")), and so on, by the reference implementation
KEYS = {"a": "489580109ac1745b", "b": "41c1ee230e9949d1", "api-a": "5397517cfc5581c7"}
CONFIG = SessionAffinity("sticky")


def cluster_of(*ids, config=CONFIG, policy=None, sender=None):
    return live(
        Cluster("api", {name: f"http://{name}:80" for name in ids}, affinity=config),
        affinity=HashCookie(config) if policy is None and config is not None else policy,
        sender=sender,
    )


async def passed(given):
    """Run the stage and forward to the first candidate; return the ids that were left, and the cookies set."""
    left = []

    async def onward(exchange):
        left.extend(destination.id for destination in exchange.candidates)
        exchange.candidates = exchange.candidates[:1]
        return await forward(exchange, never)

    await affinity(given, onward)
    return left, given.stream.response.headers.get_all("set-cookie")


async def never(exchange):
    raise AssertionError("forward is the last stage")


def set_cookie(config, *, scheme="http", now=lambda: 0.0):
    given = exchange(scheme=scheme)
    destination = cluster_of("a").destinations[0]
    ((name, value),) = HashCookie(config, now=now).key_headers(given, destination)
    assert name == b"set-cookie"
    return value.decode()


# -- the key


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_the_key_is_yarps_hash_of_the_id_without_case(name, spelling):
    destination = cluster_of(spelling(name)).destinations[0]
    ((_, value),) = HashCookie(CONFIG).key_headers(exchange(), destination)
    assert value.startswith(f"sticky={KEYS[name]};".encode())


@pytest.mark.parametrize("name", ["\u20ac", "\ud800", "\U0001f682"])
def test_any_id_has_a_key(name):
    ((_, value),) = HashCookie(CONFIG).key_headers(exchange(), cluster_of(name).destinations[0])
    key = value.removeprefix(b"sticky=").partition(b";")[0]
    assert len(key) == 16
    assert int(key, 16)


def key_of(name):
    ((_, value),) = HashCookie(CONFIG).key_headers(exchange(), cluster_of(name).destinations[0])
    return value.partition(b";")[0]


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
    assert key_of(name) == key_of(capitals)


@pytest.mark.parametrize(("one", "other"), [("stra\u00dfe", "strasse"), ("\u0131", "i"), ("\ufb01", "fi")])
def test_what_only_the_full_mapping_makes_equal_is_different(one, other):
    assert key_of(one) != key_of(other)


# -- the cookie's attributes


def cookie(**attributes):
    return SessionAffinity("sticky", cookie=AffinityCookie(**attributes))


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        (cookie(), "path=/; httponly"),
        (cookie(http_only=False), "path=/"),
        (cookie(path="/shop", domain="example.com"), "domain=example.com; path=/shop; httponly"),
        (cookie(path="shop"), "path=shop; httponly"),
        (cookie(max_age=90.7), "max-age=90; path=/; httponly"),
        (cookie(same_site=SameSite.NONE), "path=/; samesite=none; httponly"),
        (cookie(same_site=SameSite.LAX), "path=/; samesite=lax; httponly"),
        (cookie(same_site=SameSite.STRICT), "path=/; samesite=strict; httponly"),
        (cookie(expiration=86400.0), "expires=Fri, 02 Jan 1970 00:00:00 GMT; path=/; httponly"),
        (cookie(is_essential=True), "path=/; httponly"),
        (
            cookie(
                domain="a.example",
                secure_policy=SecurePolicy.ALWAYS,
                same_site=SameSite.LAX,
                expiration=86400.0,
                max_age=60.0,
            ),
            "expires=Fri, 02 Jan 1970 00:00:00 GMT; max-age=60; domain=a.example; path=/; secure; samesite=lax; httponly",
        ),
    ],
)
def test_attributes(config, attributes):
    assert set_cookie(config) == f"sticky={KEYS['a']}; {attributes}"


def test_the_expiry_counts_from_now():
    config = cookie(expiration=1.0)
    assert set_cookie(config, now=lambda: 951782399.0).startswith(
        f"sticky={KEYS['a']}; expires=Tue, 29 Feb 2000 00:00:00 GMT; "
    )


@pytest.mark.parametrize(
    ("policy", "scheme", "secure"),
    [
        (SecurePolicy.NONE, "http", False),
        (SecurePolicy.NONE, "https", False),
        (SecurePolicy.ALWAYS, "http", True),
        (SecurePolicy.ALWAYS, "https", True),
        (SecurePolicy.SAME_AS_REQUEST, "http", False),
        (SecurePolicy.SAME_AS_REQUEST, "https", True),
    ],
)
def test_secure(policy, scheme, secure):
    assert ("; secure" in set_cookie(cookie(secure_policy=policy), scheme=scheme)) is secure


# -- reading the cookie


@pytest.mark.parametrize(
    "headers",
    [
        [("Cookie", f"sticky={KEYS['b']}")],
        [("cookie", f"theme=dark;sticky={KEYS['b']}")],
        [("COOKIE", f" theme=dark ;  sticky = {KEYS['b']} ; x")],
        [("Cookie", "theme=dark"), ("Cookie", f"sticky={KEYS['b']}")],
        [("Cookie", f"sticky=stale; sticky={KEYS['b']}")],
        [("Cookie", f"sticky=stale; sticky={KEYS['b']}; sticky={KEYS['a']}")],
        [("Cookie", "sticky=stale"), ("Accept", "*/*"), ("Cookie", f"sticky={KEYS['b']}")],
    ],
)
async def test_a_key_narrows_to_its_destination(headers):
    assert await passed(exchange(headers=headers, cluster=cluster_of("a", "b"))) == (["b"], [])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Cookie", "")],
        [("Cookie", "sticky")],
        [("Cookie", f"sticky2={KEYS['b']}")],
        [("Cookie", f"Sticky={KEYS['b']}")],
        [("Cookie", f'theme="sticky={KEYS["b"]}"')],
        [("Cookie2", f"sticky={KEYS['b']}")],
        [("Kookie", f"sticky={KEYS['b']}")],
    ],
)
async def test_without_a_key_a_request_goes_anywhere_and_gets_one(headers):
    left, cookies = await passed(exchange(headers=headers, cluster=cluster_of("a", "b")))
    assert left == ["a", "b"]
    assert cookies == [f"sticky={KEYS['a']}; path=/; httponly"]


@pytest.mark.parametrize("key", ["", "stale", "41C1EE230E9949D1", KEYS["api-a"]])
async def test_a_key_that_names_no_candidate_is_replaced(key):
    left, cookies = await passed(
        exchange(headers=[("Cookie", f"sticky={key}")], cluster=cluster_of("a", "b"))
    )
    assert left == ["a", "b"]
    assert cookies == [f"sticky={KEYS['a']}; path=/; httponly"]


# -- the stage


async def test_a_failure_policy_may_answer_a_request_whose_key_names_no_candidate():
    cluster = cluster_of("a", "b")
    cluster.equipment[AFFINITY_FAILURE] = lambda given: given.respond(503, "come back")

    async def status_of(headers):
        async def onward(given):
            return await given.respond(200)

        return (await affinity(exchange(headers=headers, cluster=cluster), onward)).status

    assert await status_of([("Cookie", "sticky=stale")]) == 503
    assert await status_of([("Cookie", f"sticky={KEYS['a']}")]) == 200
    assert await status_of([]) == 200


@pytest.mark.parametrize(
    "cluster",
    [
        None,
        cluster_of("a", config=None),
        live(Cluster("api", ["http://a:80"], affinity=CONFIG)),
    ],
    ids=["no cluster", "no configuration", "no policy"],
)
async def test_affinity_is_off(cluster):
    candidates = cluster_of("a", "b").available
    left, cookies = await passed(
        exchange(headers=[("Cookie", f"sticky={KEYS['b']}")], cluster=cluster, candidates=candidates)
    )
    assert (left, cookies) == (["a", "b"], [])


async def test_without_candidates_there_is_no_key():
    cluster = cluster_of()
    assert await passed(exchange(headers=[("Cookie", f"sticky={KEYS['b']}")], cluster=cluster)) == ([], [])


async def test_a_failed_forward_carries_the_key_too():
    cluster = cluster_of("a", sender=FakeSender(Failure(Reason.REQUEST)))
    given = exchange(cluster=cluster)
    assert await passed(given) == (["a"], [f"sticky={KEYS['a']}; path=/; httponly"])
    assert given.stream.response.status == 502


async def test_nothing_is_written_for_a_client_that_is_gone():
    class Leaving:
        async def send(self, exchange, destination):
            exchange.stream.client_leaves()
            headers = []
            apply_response_callbacks(exchange, headers)
            assert headers == []
            return exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CANCELED))

    given = exchange(cluster=cluster_of("a", sender=Leaving()))
    assert await passed(given) == (["a"], [])


async def test_an_exchange_that_moved_to_a_cluster_without_affinity_gets_no_key():
    given = exchange(cluster=cluster_of("a"))

    async def onward(exchange):
        exchange.cluster = cluster_of("a", config=None)
        return await forward(exchange, never)

    await affinity(given, onward)
    assert "set-cookie" not in given.stream.response.headers


async def test_a_delegated_exchange_takes_the_key_along():
    stream = FakeStream(delegation=Delegated(200))
    given = exchange(cluster=cluster_of("a"), stream=stream)

    async def onward(exchange):
        exchange.destination = exchange.candidates[0]
        return await exchange.delegate(FakeRule())

    await affinity(given, onward)
    _, headers = stream.delegated
    assert headers == [(b"set-cookie", f"sticky={KEYS['a']}; path=/; httponly".encode())]
