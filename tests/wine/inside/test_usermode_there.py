"""The user-mode server and the forwarder on Windows: sockets on the Proactor loop."""

from __future__ import annotations

import asyncio

import httpx

from hostler import Cluster, Proxy, Route, serving
from hostler.server.base import ServerKind


async def echo(exchange):
    await exchange.start(200)
    async for piece in exchange.chunks():
        await exchange.write(piece)
    return await exchange.end()


async def test_a_proxy_forwards_to_a_destination():
    async with serving(echo, server=ServerKind.USERMODE) as there:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [there.url])])
        async with (
            serving(proxy, server=ServerKind.USERMODE) as served,
            httpx.AsyncClient(trust_env=False, timeout=20) as client,
        ):
            body = bytes(range(256)) * 4096
            assert (await client.post(served.url, content=body)).content == body
            answers = await asyncio.gather(
                *[client.post(served.url, content=b"%d" % number * 100) for number in range(20)]
            )
    assert [answer.content for answer in answers] == [b"%d" % number * 100 for number in range(20)]
