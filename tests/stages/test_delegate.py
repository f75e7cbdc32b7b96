from __future__ import annotations

import asyncio
import random

import pytest

from hostler.config.model import Cluster, Route, queue
from hostler.contract import Delegated
from hostler.errors import DelegationError, Failure, Reason
from hostler.outcome import Kind, Outcome
from hostler.stages import delegate
from hostler.testing import FakeRule, FakeStream, exchange, live

ONWARD = Outcome(Kind.RESPONDED, 200)


def cluster_of(*destinations):
    """Make a cluster in which every queue has a rule open on it."""
    cluster = live(Cluster("api", destinations))
    for destination in cluster.destinations:
        if destination.config.queue is not None:
            destination.rule = FakeRule(destination.config.queue)
    return cluster


def queues(*names):
    return cluster_of(*(queue(name, "http://*:80/") for name in names))


async def onward(exchange):
    return ONWARD


async def never(exchange):
    raise AssertionError("a delegated exchange does not go onward")


async def test_without_candidates_it_goes_onward():
    assert await delegate(exchange(cluster=cluster_of()), onward) is ONWARD


async def test_what_is_forwarded_goes_onward():
    given = exchange(cluster=cluster_of("http://a:80"))
    assert await delegate(given, onward) is ONWARD
    assert given.destination is None


async def test_a_queue_gets_the_exchange():
    cluster, stream = queues("reports"), FakeStream(delegation=Delegated(204, 3, 7))
    given = exchange(cluster=cluster, stream=stream)
    outcome = await delegate(given, never)
    assert (outcome.kind, outcome.status, outcome.destination) == (Kind.DELEGATED, 204, "reports")
    assert (outcome.bytes_received, outcome.bytes_sent, outcome.failure) == (3, 7, None)
    assert given.destination is cluster.destinations[0]
    assert stream.delegated[0] is cluster.destinations[0].rule


async def test_it_is_in_flight_until_the_answer_is_complete():
    begun, done = asyncio.Event(), asyncio.Event()

    async def script(rule, headers):
        begun.set()
        await done.wait()
        return Delegated(200)

    cluster = queues("reports")
    given = exchange(cluster=cluster, stream=FakeStream(delegation=script))
    task = asyncio.create_task(delegate(given, never))
    await begun.wait()
    assert cluster.destinations[0].in_flight == 1
    done.set()
    await task
    assert cluster.destinations[0].in_flight == 0


async def test_a_cancelled_one_is_not_in_flight():
    begun = asyncio.Event()

    async def script(rule, headers):
        begun.set()
        await asyncio.Event().wait()

    cluster = queues("reports")
    given = exchange(cluster=cluster, stream=FakeStream(delegation=script))
    task = asyncio.create_task(delegate(given, never))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cluster.destinations[0].in_flight == 0


async def test_of_several_one_is_taken_at_random(caplog):
    cluster = queues("a", "b", "c")
    stream = FakeStream(delegation=Delegated(200))
    given = exchange(cluster=cluster, stream=stream, route=Route("/x", "api", id="x"))
    outcome = await delegate(given, never, randomness=random.Random(3))
    assert given.candidates == (given.destination,)
    assert outcome.destination == given.destination.name
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("hostler.stages.delegate", "WARNING")
    assert record.getMessage().startswith("route x, cluster api: 3 destinations are left")


async def test_of_a_mixed_cluster_only_the_pick_goes_onward():
    cluster = cluster_of("http://a:80", queue("b", "http://*:80/"))

    class First:
        def random(self):
            return 0.0

    given = exchange(cluster=cluster)
    assert await delegate(given, onward, randomness=First()) is ONWARD
    assert given.candidates == cluster.destinations[:1]


async def test_a_body_that_was_read_is_a_programming_error():
    cluster = queues("reports")
    given = exchange("POST", body=b"x", cluster=cluster, stream=FakeStream(b"x", delegation=Delegated(200)))
    await given.read()
    with pytest.raises(DelegationError, match="its body was read"):
        await delegate(given, never)
    assert cluster.destinations[0].in_flight == 0


async def test_a_failed_delegation_is_logged(caplog):
    stream = FakeStream(delegation=Failure(Reason.NO_AVAILABLE_DESTINATIONS, "no process serves it"))
    given = exchange(cluster=queues("reports"), stream=stream)
    outcome = await delegate(given, never)
    assert (outcome.kind, outcome.status, stream.response.status) == (Kind.FAILED, 503, 503)
    assert caplog.messages == [
        "route -, cluster api: delegating to queue reports failed: NoAvailableDestinations: no process serves it"
    ]


async def test_a_client_that_leaves_is_not_news(caplog):
    failure = Failure(Reason.RESPONSE_BODY_CLIENT)
    given = exchange(cluster=queues("reports"), stream=FakeStream(delegation=Delegated(200, failure=failure)))
    outcome = await delegate(given, never)
    assert (outcome.kind, outcome.failure) == (Kind.FAILED, failure)
    assert not caplog.messages
