"""Affinity: the stage."""

from __future__ import annotations

import pytest

from hostler.answering import apply_response_callbacks
from hostler.config.model import Cluster
from hostler.contract import Delegated
from hostler.errors import Failure, Reason
from hostler.outcome import Kind
from hostler.stages import affinity, forward
from hostler.stages.affinity import AFFINITY_FAILURE, AffinityFailure, return_503_error
from hostler.testing import FakeRule, FakeSender, FakeStream, exchange, live
from tests.stages.affinity.setting import CONFIG, KEYS, cluster_of, never, passed

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


async def test_a_drained_destination_keeps_its_sessions_and_gets_no_others():
    cluster = cluster_of("a", "b")
    cluster.destinations[1].drain()
    headers = [("Cookie", f"sticky={KEYS['b']}")]
    assert await passed(exchange(headers=headers, cluster=cluster)) == (["b"], [])
    assert (await passed(exchange(cluster=cluster)))[0] == ["a"]
    cluster.destinations[1].disable()
    assert (await passed(exchange(headers=headers, cluster=cluster)))[0] == ["a"]


async def test_no_session_leads_to_a_drained_destination_that_a_stage_left_out():
    cluster = cluster_of("a", "b", "c")
    cluster.destinations[1].drain()
    headers = [("Cookie", f"sticky={KEYS['b']}")]
    given = exchange(headers=headers, cluster=cluster, candidates=cluster.destinations[:1])
    assert (await passed(given))[0] == ["a"]


@pytest.mark.parametrize("key", ["", "stale", "41C1EE230E9949D1", KEYS["api-a"]])
async def test_a_key_that_names_no_candidate_is_replaced(key):
    left, cookies = await passed(
        exchange(headers=[("Cookie", f"sticky={key}")], cluster=cluster_of("a", "b"))
    )
    assert left == ["a", "b"]
    assert cookies == [f"sticky={KEYS['a']}; path=/; httponly"]


# -- the stage


NO_KEY = []
GOOD = [("Cookie", f"sticky={KEYS['a']}")]
STALE = [("Cookie", "sticky=stale")]


class Finding:
    """A policy that finds what it was told to."""

    def __init__(self, found):
        self.found = found

    def find(self, exchange, candidates):
        return self.found(candidates) if callable(self.found) else self.found

    def key_headers(self, exchange, destination):
        return [(b"x-key", destination.id.encode())]


async def coming(value):
    return value


@pytest.mark.parametrize("waited_for", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("found", "failure", "left", "key"),
    [
        (lambda candidates: candidates[1:2], None, ["b"], None),
        (lambda candidates: candidates[1:], None, ["b", "c"], None),
        (None, None, ["a", "b", "c"], "a"),
        ((), AffinityFailure.DESTINATION_NOT_FOUND, ["a", "b", "c"], "a"),
        (AffinityFailure.DESTINATION_NOT_FOUND, AffinityFailure.DESTINATION_NOT_FOUND, ["a", "b", "c"], "a"),
        (AffinityFailure.KEY_EXTRACTION_FAILED, AffinityFailure.KEY_EXTRACTION_FAILED, ["a", "b", "c"], "a"),
    ],
    ids=["one", "several", "no key", "nothing", "not found", "not extracted"],
)
async def test_what_comes_of_a_policys_finding(found, failure, left, key, waited_for):
    policy, asked = Finding(found), []
    if waited_for:
        at_once = policy.find
        policy.find = lambda *given: coming(at_once(*given))
    cluster = cluster_of("a", "b", "c", policy=policy)
    cluster.equipment[AFFINITY_FAILURE] = lambda _, failure: asked.append(failure)
    given = exchange(cluster=cluster)
    assert (await passed(given))[0] == left
    assert given.stream.response.headers.get("x-key") == key
    assert asked == ([] if failure is None else [failure])


@pytest.mark.parametrize(
    ("headers", "status"), [(NO_KEY, 200), (GOOD, 200), (STALE, 503)], ids=["no key", "good", "stale"]
)
async def test_return_503_error(headers, status):
    cluster = cluster_of("a", "b")
    cluster.equipment[AFFINITY_FAILURE] = return_503_error
    given = exchange(headers=headers, cluster=cluster)
    outcome = await affinity(given, lambda given: given.respond(200))
    assert outcome.status == given.stream.response.status == status
    assert "set-cookie" not in given.stream.response.headers


async def test_return_503_error_says_why():
    cluster = cluster_of("a", "b")
    cluster.equipment[AFFINITY_FAILURE] = return_503_error
    outcome = await affinity(exchange(headers=STALE, cluster=cluster), never)
    assert outcome.failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
    assert outcome.failure.detail == "its affinity key names no available destination"


@pytest.mark.parametrize("answers", [False, True])
async def test_a_failure_policy_may_be_a_coroutine(answers):
    async def decide(exchange, failure):
        return await exchange.respond(410, failure.value) if answers else None

    cluster = cluster_of("a", "b")
    cluster.equipment[AFFINITY_FAILURE] = decide
    given = exchange(headers=STALE, cluster=cluster)
    expected = ([], []) if answers else (["a", "b"], [f"sticky={KEYS['a']}; path=/; httponly"])
    assert await passed(given) == expected
    assert given.stream.response.status == (410 if answers else 200)


async def test_an_unhealthy_destination_is_not_found():
    cluster = cluster_of("a", "b")
    given = exchange(headers=GOOD, cluster=cluster, candidates=cluster.available[1:])
    assert await passed(given) == (["b"], [f"sticky={KEYS['b']}; path=/; httponly"])


async def test_an_exchange_that_is_tried_twice_gets_one_key():
    given = exchange(cluster=cluster_of("a", "b"))

    async def again(exchange):
        exchange.candidates = exchange.candidates[1:]
        return await affinity(exchange, lambda exchange: forward(exchange, never))

    await affinity(given, again)
    assert given.stream.response.headers.get_all("set-cookie") == [f"sticky={KEYS['b']}; path=/; httponly"]


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


async def test_the_header_of_a_key_is_the_keys_alone():
    class Answering(FakeSender):
        async def answer(self, exchange):
            return await exchange.respond(200, headers=[("X-KEY", "mine"), ("X-Other", "1")])

    given = exchange(cluster=cluster_of("a", policy=Finding(None), sender=Answering()))
    await passed(given)
    headers = given.stream.response.headers
    assert (headers.get_all("x-key"), headers.get("x-other")) == (["a"], "1")


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
