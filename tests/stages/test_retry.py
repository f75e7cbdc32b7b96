"""Requests that are sent again: when, where to, and what the client gets; over real connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from attrs import evolve

from hostler import Cluster, ConcurrencyDefinition, Destination, HttpClient, Proxy, Route, queue, serving
from hostler.config.definitions import Definitions, RetryDefinition
from hostler.config.model import HealthCheck, PassiveHealthCheck
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.pipeline import for_routes
from hostler.stages.retry import RetryBudget, retry
from hostler.testing import FakeClock
from tests.client.peers import OK, PATIENCE, answering, connected, destination, until
from tests.wire.peers import free_port

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nX-From: busy\r\n\r\nbusy"


def refusing():
    """Return an address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


class Asked:
    """A proxy with a route that is retried, and how to ask it."""

    def __init__(self, url, proxy, outcomes):
        self.url, self.proxy, self.outcomes = url, proxy, outcomes
        self.host = url.removeprefix("http://").rstrip("/")

    def connect(self):
        return connected(self.url)

    def request(self, method="GET", headers="", body=b""):
        return f"{method} / HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode() + body

    async def fetch(self, method="GET", headers="", body=b""):
        async with self.connect() as client:
            client.send(self.request(method, headers, body))
            return await client.answer(method)


@asynccontextmanager
async def retried(*addresses, stages=(), behind=(), passive=None, limits=None, clock=None, **definition):
    """Serve a proxy whose one route goes to the addresses in turn, and is retried, by the clock if one is given."""
    outcomes = []

    async def note(exchange, onward):
        outcome = await onward(exchange)
        outcomes.append(outcome)
        return outcome

    def timed(stage):
        if stage is not retry or clock is None:
            return stage
        return for_routes(retry.concerns_route)(partial(retry, clock=clock, call_later=clock.call_later))

    proxy = Proxy(
        [Route("/{**rest}", "c", retry_policy="again")],
        [
            Cluster(
                "c",
                [Destination(address, id=f"d{index}") for index, address in enumerate(addresses)],
                balance="FirstAlphabetical",
                health_check=HealthCheck(passive or PassiveHealthCheck(enabled=False)),
                **(limits or {}),
            )
        ],
        definitions=Definitions(retries={"again": RetryDefinition(**definition)}),
        pipeline=[*stages, note, *map(timed, DEFAULT_PIPELINE[:-1]), *behind, DEFAULT_PIPELINE[-1]],
    )
    async with serving(proxy) as served:
        yield Asked(served.url, proxy, outcomes)


# -- which failures, statuses, methods ------------------------------------------------------------------------------


async def test_a_destination_that_refuses_is_followed_by_another():
    async with destination(answering(OK)) as there, retried(refusing(), there.address) as asked:
        answer = await asked.fetch()
    assert (answer.status, answer.body) == (200, b"ok")
    assert asked.outcomes[0].destination == there.address
    assert asked.outcomes[0].failure is None


async def test_each_try_goes_to_another_destination():
    connections = []

    async def script(peer):
        await peer.head()
        connections.append(peer)
        peer.reset()

    async with destination(script) as one, destination(script) as other:
        async with retried(one.address, other.address, max_attempts=2) as asked:
            assert (await asked.fetch()).status == 502
        assert (one.connections, other.connections) == (1, 1)


async def test_when_all_were_tried_they_are_tried_again():
    async def script(peer):
        await peer.head()
        if peer.number < 2:
            peer.reset()
        else:
            peer.send(OK)

    async with destination(script) as there, retried(there.address, max_attempts=3) as asked:
        assert (await asked.fetch()).status == 200
        assert there.connections == 3


async def test_a_status_is_no_reason_unless_it_is_named():
    async with (
        destination(answering(BUSY)) as busy,
        destination(answering(OK)) as there,
        retried(busy.address, there.address) as asked,
    ):
        assert (await asked.fetch()).body == b"busy"


@pytest.mark.parametrize(("headers", "statuses"), [("", [503]), ("X-Odd:\r\n", ["5xx"])])
async def test_a_status_that_is_named_is_not_seen_while_there_is_another_try(headers, statuses):
    async with (
        destination(answering(BUSY)) as busy,
        destination(answering(OK)) as there,
        retried(busy.address, there.address, statuses=statuses) as asked,
        asked.connect() as client,
    ):
        for _ in range(2):
            client.send(asked.request(headers=headers))
            answer = await client.answer()
            assert (answer.status, answer.body, answer.get(b"x-from")) == (200, b"ok", None)
        assert busy.connections == 1  # what was refused was read to its end


async def test_the_last_try_is_let_through_whatever_it_is():
    async with (
        destination(answering(BUSY)) as busy,
        retried(busy.address, busy.address + "/", max_attempts=2, statuses=[503]) as asked,
    ):
        answer = await asked.fetch()
    assert (answer.status, answer.body) == (503, b"busy")


async def test_a_refused_answer_that_does_not_end_is_given_up():
    given_up = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await peer.rest()
        given_up.set()

    async with (
        destination(script) as busy,
        destination(answering(OK)) as there,
        retried(busy.address, there.address, statuses=[503]) as asked,
    ):
        assert (await asked.fetch()).status == 200
        await asyncio.wait_for(given_up.wait(), PATIENCE)


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("PUT", 200), ("DELETE", 200), ("POST", 502), ("FOO", 502)]
)
async def test_what_is_not_idempotent_is_not_sent_twice(method, status):
    async def script(peer):
        await peer.head()
        peer.reset()

    async with (
        destination(script) as broken,
        destination(answering(OK)) as there,
        retried(broken.address, there.address) as asked,
    ):
        assert (await asked.fetch(method)).status == status


async def test_what_was_not_sent_at_all_is_tried_again_whatever_its_method():
    async with destination(answering(OK)) as there, retried(refusing(), there.address) as asked:
        assert (await asked.fetch("POST")).status == 200


async def test_other_methods_can_be_named():
    async with (
        destination(answering(BUSY)) as busy,
        destination(answering(OK)) as there,
        retried(busy.address, there.address, statuses=[503], methods=["POST"]) as asked,
    ):
        assert (await asked.fetch("POST")).status == 200
        assert (await asked.fetch("GET")).status == 503


async def test_an_answer_that_has_begun_is_not_tried_again():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await peer.drain()
        peer.reset()

    async with (
        destination(script) as broken,
        destination(answering(OK)) as there,
        retried(broken.address, there.address) as asked,
    ):
        answer = await asked.fetch()
    assert (answer.status, answer.complete) == (200, False)
    assert there.connections == 0


# -- bodies ---------------------------------------------------------------------------------------------------------


def taking(log, answer):
    """Make a script that reads a body of the length that is announced, and answers."""

    async def script(peer):
        while True:
            head = (await peer.head()).lower()
            if b"transfer-encoding: chunked" in head:
                body, _ = await peer.chunked()
            else:
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await peer.exactly(int(length or 0))
            log.append(body)
            if answer is None:
                peer.reset()
                return
            peer.send(answer)

    return script


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_sent_again_whole(chunked):
    first, second = [], []
    body = b"x" * 20_000
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    headers = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {len(body)}\r\n"
    async with (
        destination(taking(first, BUSY)) as busy,
        destination(taking(second, OK)) as there,
        retried(busy.address, there.address, statuses=[503]) as asked,
    ):
        assert (await asked.fetch("PUT", headers, sent)).status == 200
    assert first == second == [body]


async def test_a_body_that_still_comes_goes_on_in_the_next_try():
    second = []

    async def script(peer):
        await peer.head()
        await peer.exactly(5)
        peer.reset()

    async with (
        destination(script) as broken,
        destination(taking(second, OK)) as there,
        retried(broken.address, there.address, failures=["Request", "RequestBodyDestination"]) as asked,
        asked.connect() as client,
    ):
        client.send(asked.request("PUT", "Content-Length: 10\r\n", b"hello"))
        await until(lambda: there.connections)
        client.send(b"world")
        assert (await client.answer("PUT")).status == 200
    assert second == [b"helloworld"]


async def test_a_body_that_is_too_large_to_be_kept_is_sent_once():
    first, second = [], []
    body = b"x" * 1001
    async with (
        destination(taking(first, BUSY)) as busy,
        destination(taking(second, OK)) as there,
        retried(busy.address, there.address, statuses=[503], max_body_size=1000) as asked,
    ):
        headers = f"Content-Length: {len(body)}\r\n"
        assert (await asked.fetch("PUT", headers, body)).status == 503
        headers = "Content-Length: 1000\r\n"
        assert (await asked.fetch("PUT", headers, body[:1000])).status == 200
    assert (len(first), len(second)) == (2, 1)


async def test_a_body_that_a_stage_has_read_is_not_sent_again():
    read = []

    async def take(exchange, onward):
        read.append(await exchange.read())
        return await exchange.respond(503)

    async with retried(refusing(), refusing(), behind=[take], statuses=[503]) as asked:
        assert (await asked.fetch("PUT", "Content-Length: 2\r\n", b"hi")).status == 503
    assert read == [b"hi"]


# -- limits ---------------------------------------------------------------------------------------------------------


async def test_a_try_has_its_own_time():
    clock = FakeClock()

    async def silent(peer):
        await peer.rest()

    async with (
        destination(silent) as slow,
        destination(answering(OK)) as there,
        retried(slow.address, there.address, clock=clock, try_timeout=5.0) as asked,
        asyncio.TaskGroup() as group,
    ):
        answer = group.create_task(asked.fetch())
        await until(lambda: slow.connections)
        clock.advance(5)
        assert (await answer).status == 200
        await asyncio.wait_for(slow.peers[0].rest(), PATIENCE)  # it was let go of


class Counting(FakeClock):
    """A clock that counts the timers that were set."""

    timers = 0

    def call_later(self, delay, callback, *args):
        self.timers += 1
        return super().call_later(delay, callback, *args)


@pytest.mark.parametrize(
    "limits",
    [
        {"http_client": HttpClient(max_connections_per_server=1)},
        {"destination_concurrency": ConcurrencyDefinition(1, queue_limit=1)},
    ],
    ids=["for a connection", "in line"],
)
async def test_a_try_that_waits_until_its_time_is_over_says_how_long_that_was(limits, caplog):
    async def begin(peer):
        await peer.head()
        peer.send(OK[:-1])
        await peer.rest()

    caplog.set_level("INFO", "hostler.stages.retry")
    clock = Counting()
    async with (
        destination(begin) as busy,
        destination(answering(OK)) as there,
        retried(busy.address, there.address, try_timeout=5.0, limits=limits, clock=clock) as asked,
        asked.connect() as first,
        asyncio.TaskGroup() as group,
    ):
        first.send(asked.request())
        await first.until(b"\r\n\r\no")
        answer = group.create_task(asked.fetch())
        await until(lambda: clock.timers == 2)
        clock.advance(5)
        assert (await answer).status == 200
    assert "ended with RequestTimedOut: no answer within the 5 s of a try; trying again" in caplog.text


async def test_all_tries_together_have_their_time():
    clock = FakeClock()

    async def silent(peer):
        await peer.rest()

    async with (
        destination(silent) as slow,
        destination(answering(OK)) as there,
        retried(slow.address, there.address, clock=clock, timeout=5.0) as asked,
        asyncio.TaskGroup() as group,
    ):
        answer = group.create_task(asked.fetch())
        await until(lambda: slow.connections)
        clock.advance(5)
        assert (await answer).status == 504
        assert there.connections == 0


async def test_an_answer_that_has_begun_has_all_the_time():
    clock, gate = FakeClock(), asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await gate.wait()
        peer.send(b"k")
        await peer.rest()

    async with (
        destination(script) as there,
        retried(there.address, clock=clock, try_timeout=5.0) as asked,
        asked.connect() as client,
    ):
        client.send(asked.request())
        await client.until(b"\r\n\r\no")
        clock.advance(5)
        gate.set()
        assert await client.exactly(1) == b"k"


async def test_the_budget_keeps_retries_from_multiplying_an_outage():
    async with retried(refusing(), refusing(), budget_percent=0, budget_reserve=3, max_attempts=2) as asked:
        for _ in range(5):
            assert (await asked.fetch()).status == 502
        tries = [outcome.destination for outcome in asked.outcomes]
    assert [name == tries[0] for name in tries] == [True, True, True, False, False]


def test_the_budget_grows_with_requests_up_to_its_reserve():
    budget = RetryBudget(50, 2)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    budget.add_request()
    assert not budget.take()
    budget.add_request()
    assert budget.take()
    for _ in range(10):
        budget.add_request()
    assert [budget.take() for _ in range(3)] == [True, True, False]


# -- who sees what --------------------------------------------------------------------------------------------------


async def test_each_try_counts_in_health():
    policy = PassiveHealthCheck(reactivation_period=60)
    async with (
        destination(answering(OK)) as there,
        retried(refusing(), there.address, passive=policy) as asked,
    ):
        for _ in range(10):
            assert (await asked.fetch()).status == 200
        (cluster,) = asked.proxy.clusters
        assert [item.id for item in cluster.available] == ["d1"]


async def test_a_try_that_took_too_long_counts_in_health():
    clock = FakeClock()

    async def silent(peer):
        await peer.rest()

    async with (
        destination(silent) as slow,
        destination(answering(OK)) as there,
        retried(
            slow.address,
            there.address,
            passive=PassiveHealthCheck(),
            clock=clock,
            try_timeout=5.0,
            budget_percent=100,
        ) as asked,
        asyncio.TaskGroup() as group,
    ):
        for count in range(1, 11):
            answer = group.create_task(asked.fetch())
            await until(lambda: slow.connections == count)  # noqa: B023 - it is awaited here
            clock.advance(5)
            assert (await answer).status == 200
        (cluster,) = asked.proxy.clusters
        assert [item.id for item in cluster.available] == ["d1"]


async def test_callbacks_of_stages_in_front_see_the_answer_that_is_sent_once():
    seen = []

    async def look(exchange, onward):
        exchange.on_response(lambda headers: seen.append(dict(headers)))
        return await onward(exchange)

    async with (
        destination(answering(BUSY)) as busy,
        destination(answering(OK)) as there,
        retried(refusing(), busy.address, there.address, stages=[look], statuses=[503]) as asked,
    ):
        assert (await asked.fetch()).status == 200
    assert len(seen) == 1
    assert b"X-From" not in seen[0]


async def test_callbacks_of_stages_behind_see_the_answer_of_their_own_try():
    seen = []

    async def look(exchange, onward):
        number = len(seen)
        seen.append(0)

        def count(headers):
            seen[number] += 1

        exchange.on_response(count)
        return await onward(exchange)

    async with (
        destination(answering(OK)) as there,
        retried(refusing(), there.address, behind=[look]) as asked,
    ):
        assert (await asked.fetch()).status == 200
    assert seen == [0, 1]


async def test_a_failure_that_is_answered_has_the_callbacks_of_both():
    async def mark(exchange, onward):
        exchange.on_response(lambda headers: headers.append((b"X-Mark", b"1")))
        return await onward(exchange)

    async with retried(refusing(), stages=[mark], behind=[mark], max_attempts=1) as asked:
        assert (await asked.fetch()).get(b"x-mark") == b"1, 1"


async def test_a_client_that_leaves_is_not_waited_for():
    arrived = asyncio.Event()

    async def silent(peer):
        await peer.head()
        arrived.set()
        await peer.rest()

    async with (
        destination(silent) as slow,
        destination(answering(OK)) as there,
        retried(slow.address, there.address) as asked,
    ):
        async with asked.connect() as client:
            client.send(asked.request())
            await asyncio.wait_for(arrived.wait(), PATIENCE)
        await until(lambda: asked.outcomes)
    assert there.connections == 0


async def test_an_upgrade_is_let_through():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\n")
        while data := await peer.some():
            peer.send(data)

    async with (
        destination(script) as there,
        retried(refusing(), there.address) as asked,
        asked.connect() as client,
    ):
        client.send(asked.request(headers="Connection: Upgrade\r\nUpgrade: echo/1\r\n"))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        client.send(b"hello")
        assert await client.exactly(5) == b"hello"


async def test_nothing_is_in_flight_afterwards():
    async with destination(answering(OK)) as there, retried(refusing(), there.address) as asked:
        await asked.fetch()
        (cluster,) = asked.proxy.clusters
        assert [item.in_flight for item in cluster.destinations] == [0, 0]


# -- delegated ------------------------------------------------------------------------------------------------------


async def _worker(exchange):
    body = await exchange.read()
    return await exchange.respond(200, b"by the worker: " + body)


@asynccontextmanager
async def delegated(*queues, stages=(), **definition):
    """Serve a proxy that delegates to the queues in turn, and tries again; `served` of them has a worker.

    What is an address is forwarded to.
    """
    destinations = [
        Destination(name, id=f"d{index}")
        if "://" in name
        else evolve(queue(name, "http://*:80/"), id=f"d{index}")
        for index, name in enumerate(queues)
    ]

    proxy = Proxy(
        [Route("/{**rest}", "c", retry_policy="again")],
        [Cluster("c", destinations, balance="FirstAlphabetical")],
        definitions=Definitions(retries={"again": RetryDefinition(**definition)}),
        pipeline=[*stages, *DEFAULT_PIPELINE],
    )
    async with serving(_worker, [], queue="served"), serving(proxy) as served:
        yield Asked(served.url, proxy, [])


@pytest.mark.usefixtures("runtime")
async def test_what_no_process_takes_is_delegated_to_another_queue():
    async with delegated("nobody", "served", failures=["NoAvailableDestinations", "Request"]) as asked:
        answer = await asked.fetch("PUT", "Content-Length: 2\r\n", b"hi")
        assert (answer.status, answer.body) == (200, b"by the worker: hi")
        assert (await asked.fetch("POST")).status == 503  # whoever had it may have acted on it


@pytest.mark.usefixtures("runtime")
async def test_a_body_that_has_been_read_is_tried_again_where_it_can_be_forwarded():
    bodies = []
    headers = "Content-Length: 2\r\n"
    async with destination(taking(bodies, BUSY)) as busy, destination(taking(bodies, OK)) as there:
        async with delegated(busy.address, "served", there.address, statuses=[503]) as asked:
            assert (await asked.fetch("GET")).body == b"by the worker: "
            assert (await asked.fetch("PUT", headers, b"hi")).body == b"ok"
        async with delegated("nobody", busy.address, "served", statuses=[503]) as asked:
            assert (await asked.fetch("PUT", headers, b"hi")).body == b"busy"
    assert bodies == [b"", b"hi", b"hi", b"hi", b"hi"]  # busy was asked again, for want of others


@pytest.mark.usefixtures("runtime")
async def test_callbacks_of_stages_in_front_add_to_what_is_delegated():
    async def mark(exchange, onward):
        exchange.on_response(lambda headers: headers.append((b"X-Mark", b"1")))
        return await onward(exchange)

    async with delegated("served", stages=[mark]) as asked:
        assert (await asked.fetch()).get(b"x-mark") == b"1"
