"""How large the bodies of a proxy's requests may be, forwarded, delegated, or read by a stage."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from hostler import DEFAULT_PIPELINE, Cluster, Kind, Proxy, Reason, Route, queue, serving
from hostler.config.model import MAX_REQUEST_BODY_SIZE
from tests.client.peers import OK, connected, destination, until
from tests.server.usermode.peers import working

pytestmark = pytest.mark.usefixtures("runtime")

HOST = "Host: 127.0.0.1\r\n"


def post(length=None, *, lines=""):
    framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
    return f"POST / HTTP/1.1\r\n{HOST}{framing}{lines}\r\n".encode()


def chunk(size):
    return b"%x\r\n%s\r\n" % (size, b"x" * size) if size else b"0\r\n\r\n"


class Front:
    """A proxy with a limit, and what became of its exchanges."""

    def __init__(self, destination, limit, *stages):
        self.outcomes = []
        self.over = asyncio.Event()
        self.proxy = Proxy(
            [Route("/{**rest}", "c", max_request_body_size=limit)],
            [Cluster("c", [destination])],
            pipeline=[self.record, *stages, *DEFAULT_PIPELINE],
        )

    async def record(self, exchange, onward):
        outcome = await onward(exchange)
        self.outcomes.append(outcome)
        self.over.set()
        return outcome

    @asynccontextmanager
    async def client(self):
        async with serving(self.proxy) as served, connected(served.url) as client:
            yield client


async def taking(peer):
    """Answer every request once its body is complete."""
    while True:
        head = await peer.head()
        if b"chunked" in head:
            await peer.chunked()
        elif b"Content-Length: " in head:
            await peer.exactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
        peer.send(OK)


@asynccontextmanager
async def forwarding(limit, *stages, script=taking):
    async with destination(script) as there:
        front = Front(there.address, limit, *stages)
        async with front.client() as client:
            client.there = there
            yield client, front


async def echo(exchange):
    return await exchange.respond(200, await exchange.read())


@asynccontextmanager
async def delegating(limit, *stages):
    front = Front(queue("q", "http://*:80/"), limit, *stages)
    async with working(echo), front.client() as client:
        yield client, front


BOTH = pytest.mark.parametrize("way", [forwarding, delegating])


@BOTH
async def test_a_body_within_the_limit_passes(way):
    async with way(10) as (client, _):
        for request in (
            post(10) + bytes(10),
            post(0),
            post() + chunk(4) + chunk(6) + chunk(0),
            post() + chunk(0),
        ):
            client.send(request)
            assert (await client.answer()).status == 200


@BOTH
async def test_a_body_that_says_it_is_larger_is_413_and_the_destination_hears_nothing(way):
    async with way(10) as (client, front):
        client.send(post(11))
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (413, b"close")
        assert await client.rest() == b""
        (outcome,) = front.outcomes
        assert (outcome.kind, outcome.failure.reason) == (Kind.FAILED, Reason.REQUEST_BODY_CLIENT)
        assert outcome.failure.detail == "the body is larger than the 10 bytes that are allowed"
        if way is forwarding:
            assert client.there.connections == 0


@BOTH
async def test_it_is_not_told_to_go_on(way):
    async with way(10) as (client, _):
        client.send(post(11, lines="Expect: 100-continue\r\n"))
        assert (await client.answer()).status == 413
        assert await client.rest() == b""


@BOTH
@pytest.mark.parametrize(
    "chunks",
    [
        chunk(11),
        chunk(10) + chunk(1),
        chunk(1) * 11,
        chunk(20) + chunk(0),
        b"b\r\n",
        b"fffffffffffffff\r\n",
    ],
)
async def test_a_body_that_turns_out_to_be_larger_is_413(way, chunks):
    async with way(10) as (client, _):
        client.send(post() + chunks)
        answer = await client.answer()
        assert (answer.status, answer.get(b"connection")) == (413, b"close")
        assert await client.rest() == b""


@BOTH
async def test_what_comes_piece_by_piece_is_counted(way):
    async with way(10) as (client, front):
        client.send(post() + chunk(6))
        await client.drain()
        if way is forwarding:
            await until(lambda: client.there.peers)
        client.send(chunk(5))
        assert (await client.answer()).status == 413
        await front.over.wait()


async def test_an_answer_that_has_begun_is_aborted():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        await peer.rest()

    async with forwarding(10, script=script) as (client, _):
        client.send(post() + chunk(6))
        assert (await client.until(b"some")).startswith(b"HTTP/1.1 200")
        client.send(chunk(6))
        assert not await client.gone()


@BOTH
async def test_without_a_limit_there_is_none(way):
    async with way(-1) as (client, front):
        client.send(post(40_000) + bytes(40_000))
        assert (await client.answer()).status == 200
        route = front.proxy._fleet.snapshot.routes["/{**rest}"]
        assert route.max_request_body_size is None


@BOTH
async def test_by_default_it_is_that_of_asp_net(way):
    assert MAX_REQUEST_BODY_SIZE == 30_000_000
    async with way(None) as (client, _):
        client.send(post(30_000_001))
        assert (await client.answer()).status == 413


async def test_zero_allows_requests_without_a_body():
    async with forwarding(0) as (client, _):
        client.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode() + post(1))
        assert [(await client.answer()).status for _ in range(2)] == [200, 413]


@BOTH
async def test_a_stage_may_set_another(way):
    async def generous(exchange, onward):
        exchange.max_request_body_size = 20
        return await onward(exchange)

    async with way(10, generous) as (client, _):
        client.send(post(20) + bytes(20) + post(21))
        assert [(await client.answer()).status for _ in range(2)] == [200, 413]


@pytest.mark.parametrize("body", [post(11), post() + chunk(11)])
async def test_it_holds_for_a_stage_that_reads_too(body):
    async def reading(exchange, onward):
        return await echo(exchange)

    async with forwarding(10, reading) as (client, _):
        client.send(body)
        assert (await client.answer()).status == 413


async def test_it_does_not_hold_for_an_upgraded_connection():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        peer.send(await peer.exactly(1000))

    async with forwarding(10, script=script) as (client, _):
        client.send(f"GET / HTTP/1.1\r\n{HOST}Connection: upgrade\r\nUpgrade: echo\r\n\r\n".encode())
        assert b"101" in await client.head()
        client.send(bytes(1000))
        assert await client.exactly(1000) == bytes(1000)


async def test_other_handlers_have_no_limit():
    async with serving(echo) as served, connected(served.url) as client:
        client.send(post(40_000) + bytes(40_000))
        assert (await client.answer()).status == 200
