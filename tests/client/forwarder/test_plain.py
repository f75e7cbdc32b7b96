"""Plain heads on a connection that was kept: what stages did to the exchange is never passed over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from hostler import DEFAULT_PIPELINE, Cluster, Kind, Proxy, Route
from hostler.http.headers import Headers
from hostler.http.message import Request
from tests.client.peers import OK, answering, connected, destination
from tests.server.usermode.peers import serving

PLAIN = b"GET /a HTTP/1.1\r\nHost: there\r\nX-Came: 1\r\n\r\n"


@asynccontextmanager
async def warm(stage, script=None):
    """A client of a proxy with a connection to its destination; `stage` sees what is asked from now on."""
    seen = []

    async def after_the_first(exchange, onward):
        seen.append(await (stage(exchange, onward) if seen else onward(exchange)))
        return seen[-1]

    async with destination(script or answering(OK)) as there:
        proxy = Proxy(
            [Route("/{**rest}", "c")],
            [Cluster("c", [there.address])],
            pipeline=[after_the_first, *DEFAULT_PIPELINE],
        )
        async with (
            serving(proxy) as server,
            proxy.lifespan(server),
            connected(f"http://127.0.0.1:{server.port}") as client,
        ):
            client.send(PLAIN)
            assert (await client.answer()).status == 200
            yield client, seen


def another_request(exchange):
    came = exchange.request
    exchange.request = Request(came.method, came.target, Headers([(b"X-Made", b"1")]), host=came.host)


def other_headers(exchange):
    exchange.request.headers = Headers([(b"X-Made", b"1")])


@pytest.mark.parametrize("change", [another_request, other_headers])
async def test_headers_that_a_stage_put_in_place_of_those_that_came_go_out(change):
    async def stage(exchange, onward):
        change(exchange)
        return await onward(exchange)

    heads = []

    async def script(peer):
        while True:
            heads.append(await peer.head())
            peer.send(OK)

    async with warm(stage, script) as (client, _):
        client.send(PLAIN)
        assert (await client.answer()).status == 200
    assert [b"\r\nX-Came: 1\r\n" in head for head in heads] == [True, False]
    assert [b"\r\nX-Made: 1\r\n" in head for head in heads] == [False, True]


async def test_an_answer_behind_one_that_a_stage_has_begun_never_reaches_the_client(caplog):
    asked, begun = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(OK)
        await peer.head()
        asked.set()
        await begun.wait()
        peer.send(OK)
        await peer.rest()

    async def stage(exchange, onward):
        task = asyncio.create_task(onward(exchange))
        await asked.wait()
        await exchange.start(203, [("x-mine", "1")], length=10)
        begun.set()
        return await task

    async with warm(stage, script) as (client, seen):
        client.send(PLAIN)
        assert await client.head()
        assert b"HTTP/1.1" not in await client.rest()
    assert seen[-1].kind is Kind.FAILED
