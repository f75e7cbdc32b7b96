"""Clients that leave, and what becomes of their requests at the destination."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from hostler import Cluster, Proxy, Route, queue, serving
from hostler.outcome import Kind
from tests.server.usermode.peers import Client, eventually, request


@pytest.mark.parametrize("how", ["shut", "close", "reset"])
@pytest.mark.parametrize("way", ["forwarded", "delegated"])
async def test_a_request_whose_client_leaves_is_cancelled_and_held_against_nobody(way, how):
    started, told = asyncio.Event(), asyncio.Event()
    lines = []

    async def handler(exchange):
        started.set()
        await exchange.channel().disconnected()
        told.set()
        return exchange.outcome(Kind.FAILED)

    async with serving(handler, queue="wire") as there:
        address = there.url if way == "forwarded" else queue("wire", "http://*:80/")
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [address])])
        async with serving(proxy, write_line=lines.append, log_format="json") as served:
            async with await Client.connect(urlsplit(served.url).port) as client:
                await client.send(request("GET", "/"))
                await started.wait()
                getattr(client, how)()
                async with asyncio.timeout(2):
                    await told.wait()
            await eventually(lambda: lines)
    (entry,) = [json.loads(line) for line in "".join(lines).splitlines()]
    assert entry["failure"] is None or entry["failure"].startswith("RequestCanceled: ")
