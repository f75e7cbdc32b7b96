"""What becomes of a delegated exchange whose time is over."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import pytest

from hostler import Cluster, Proxy, Route, queue, serving
from hostler.answering import begin_response
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind
from hostler.server.base import QueueMode
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.stages import balance, delegate, forward, limit_time
from hostler.testing import FakeClock
from tests.server.usermode.peers import Client, RecordingPump, eventually, request, working

pytestmark = pytest.mark.usefixtures("runtime")


class Limited:
    """A proxy that delegates /d to queue q, and answers the rest itself, with time that is told to pass."""

    def __init__(self):
        self.clock = FakeClock()
        self.outcomes = []
        self.proxy = Proxy(
            [Route("/{**rest}", "c", timeout=5.0)],
            [Cluster("c", [queue("q", "http://*:80/")])],
            pipeline=[
                self.here, self.record, partial(limit_time, call_later=self.clock.call_later), balance, delegate, forward,
            ],
        )  # fmt: skip

    async def here(self, exchange, onward):
        return await (onward(exchange) if exchange.path.startswith("/d") else exchange.respond(200, "here"))

    async def record(self, exchange, onward):
        outcome = await onward(exchange)
        self.outcomes.append(outcome)
        return outcome

    @property
    def target(self):
        return self.proxy.clusters[0].destinations[0].rule.target

    @contextlib.asynccontextmanager
    async def client(self):
        async with (
            serving(self.proxy) as served,
            await Client.connect(int(served.url.rpartition(":")[2].strip("/"))) as client,
        ):
            yield client


async def test_while_it_waits_for_a_process_its_client_gets_504_and_may_go_on():
    handle = QueueDirectory("q").open(QueueMode.CREATE)
    limited = Limited()
    try:
        async with limited.client() as client:
            for body in (b"", b"hello"):
                length = f"Content-Length: {len(body)}"
                await client.send(request("POST", "/d", length) + body)
                await eventually(lambda: limited.target._waiting)
                limited.clock.advance(5)
                assert (await client.answer()).status == 504
                assert not limited.target._waiting
                assert (await client.get("/")).body == b"here"
            assert [outcome.kind for outcome in limited.outcomes] == [Kind.FAILED] * 2
    finally:
        handle.release()


async def test_once_a_process_has_it_the_connection_is_aborted():
    begun, pump = asyncio.Event(), RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        begun.set()
        await pump.until(lambda pump: pump.losses)
        return exchange.outcome(Kind.RESPONDED)

    limited = Limited()
    async with working(handler), limited.client() as client:
        await client.send(request("GET", "/d"))
        await begun.wait()
        limited.clock.advance(5)
        with contextlib.suppress(ConnectionError):
            assert await client.rest() == b""
        await eventually(lambda: pump.losses)
        (outcome,) = limited.outcomes
        assert (outcome.kind, outcome.status) == (Kind.FAILED, 0)


async def test_an_upgraded_connection_goes_on():
    class Echo(RecordingPump):
        def feed(self, data):
            self.stream.write(data)

        def lost(self, failure):
            super().lost(failure)

    pump = Echo()

    async def handler(exchange):
        pump.stream = exchange.stream
        exchange.stream.attach(pump)
        begin_response(exchange, Response(101, Headers([(b"Connection", b"upgrade"), (b"Upgrade", b"raw")])))
        await pump.until(lambda pump: pump.ends == 2 or pump.losses)
        return exchange.outcome(Kind.RESPONDED)

    limited = Limited()
    async with working(handler), limited.client() as client:
        await client.send(request("GET", "/d", "Connection: upgrade", "Upgrade: raw"))
        assert (await client.answer()).status == 101
        await client.send(b"one")
        await client.until(b"one")
        limited.clock.advance(1000)
        await client.send(b"two")
        await client.until(b"two")
        client.shut()
        await client.rest()
        await eventually(lambda: limited.outcomes)
        assert limited.outcomes[0].failure is None
