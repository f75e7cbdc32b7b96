from __future__ import annotations

import asyncio
import random

import pytest

from hostler.config.model import Cluster, Route, queue
from hostler.errors import Failure, Reason
from hostler.outcome import Kind
from hostler.stages import forward
from hostler.testing import FakeRule, FakeSender, exchange, live


async def never(exchange):
    raise AssertionError("forward is the last stage")


class Slow(FakeSender):
    """A destination that takes its time."""

    def __init__(self):
        super().__init__()
        self.begun, self.done = asyncio.Event(), asyncio.Event()

    async def answer(self, exchange):
        self.begun.set()
        await self.done.wait()
        return await exchange.respond(200)


async def test_the_candidate_gets_the_exchange():
    sender = FakeSender()
    cluster = live(Cluster("api", ["http://a:80"]), sender=sender)
    given = exchange(cluster=cluster)
    outcome = await forward(given, never)
    assert sender.sent == [(given, cluster.destinations[0])]
    assert given.destination is cluster.destinations[0]
    assert outcome.destination == "http://a:80"
    assert given.stream.response.body == b"forwarded"


@pytest.mark.parametrize("cluster", [None, live(Cluster("api"))], ids=["no cluster", "no candidate"])
async def test_without_a_candidate_the_client_gets_503(cluster, caplog):
    given = exchange(cluster=cluster, route=Route("/x", "api", id="x"))
    outcome = await forward(given, never)
    assert outcome.failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
    assert given.stream.response.status == 503
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("hostler.stages.forward", "WARNING")
    assert (
        record.getMessage()
        == f"route x, cluster {cluster.id if cluster else '-'}: no destination is available"
    )


async def test_of_several_one_is_taken_at_random(caplog):
    cluster = live(Cluster("api", ["http://a:80", "http://b:80"]))
    given = exchange(cluster=cluster)
    await forward(given, never, randomness=random.Random(1))
    assert given.candidates == (given.destination,)
    assert "2 destinations are left" in caplog.text


async def test_it_is_in_flight_until_the_answer_is_complete():
    sender = Slow()
    cluster = live(Cluster("api", ["http://a:80"]), sender=sender)
    task = asyncio.create_task(forward(exchange(cluster=cluster), never))
    await sender.begun.wait()
    assert cluster.destinations[0].in_flight == 1
    sender.done.set()
    await task
    assert cluster.destinations[0].in_flight == 0


async def test_a_cancelled_one_is_not_in_flight():
    sender = Slow()
    cluster = live(Cluster("api", ["http://a:80"]), sender=sender)
    task = asyncio.create_task(forward(exchange(cluster=cluster), never))
    await sender.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cluster.destinations[0].in_flight == 0


async def test_a_failure_is_the_senders_outcome():
    failure = Failure(Reason.REQUEST_TIMED_OUT)
    cluster = live(Cluster("api", ["http://a:80"]), sender=FakeSender(failure))
    outcome = await forward(exchange(cluster=cluster), never)
    assert (outcome.kind, outcome.status, outcome.failure) == (Kind.FAILED, 504, failure)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (None, "the server cannot delegate, or opened no delegation rule"),
        (FakeRule("reports"), "the pipeline has no `delegate` stage before `forward`"),
    ],
)
async def test_a_queue_is_never_forwarded_to(rule, why, caplog):
    sender = FakeSender()
    cluster = live(Cluster("api", [queue("reports", "http://*:80/")]), sender=sender)
    cluster.destinations[0].rule = rule
    given = exchange(cluster=cluster)
    outcome = await forward(given, never)
    assert outcome.failure.reason is Reason.REQUEST_CREATION
    assert outcome.failure.detail == f"queue reports cannot be forwarded to: {why}"
    assert given.stream.response.status == 502
    assert not sender.sent
    assert caplog.messages == [
        f"route -, cluster api: destination reports is a request queue, which cannot be forwarded to: {why}"
    ]
    assert cluster.destinations[0].in_flight == 0


def test_the_fake_sender_remembers_that_it_was_closed():
    sender = FakeSender()
    sender.close()
    assert sender.closed
