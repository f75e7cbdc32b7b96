"""Upgraded connections through a proxy."""

from __future__ import annotations

import asyncio

from hostler import Forwarder, HttpRequest, Kind, Reason, serving
from tests.client.forwarder.watch import FLAT, Watch
from tests.client.peers import BLOCK, SWITCHING, UPGRADE, answering, connected, destination, front, until


async def echo(peer):
    head = await peer.head()
    assert b"\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n" in head
    assert b"X-Hop" not in head
    peer.send(SWITCHING + b"welcome")
    while data := await peer.some():
        peer.send(data.upper())


async def test_an_upgraded_connection_carries_bytes_both_ways_until_the_client_ends_it():
    async with destination(echo) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE) + b"early ")
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert {b"Upgrade: echo/1", b"Connection: Upgrade"} <= set(head.split(b"\r\n"))
        assert await client.exactly(13) == b"welcomeEARLY "
        for word in (b"a", b"b" * 100000):
            client.send(word)
            assert await client.exactly(len(word)) == word.upper()
        client.end()
        assert await client.rest() == b""
        outcome = await proxy.over()
    assert (outcome.kind, outcome.status, outcome.failure) == (Kind.FORWARDED, 101, None)
    assert (outcome.bytes_received, outcome.bytes_sent) == (100007, 100014)


async def test_a_stage_sees_and_changes_the_head_of_an_upgrade_once():
    forwarder, seen = Forwarder(), []

    def change(headers):
        seen.append(sorted(name for name, _ in headers))
        headers.append((b"X-Stage", b"1"))

    async def handler(exchange):
        exchange.on_response(change)
        return await forwarder.send(exchange, there.address)

    async with destination(echo) as there, serving(handler) as served, connected(served.url) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n".encode())
        head = await client.head()
        assert {b"X-Stage: 1", b"Upgrade: echo/1"} <= set(head.split(b"\r\n"))
        client.end()
        await client.rest()
        forwarder.close()
    assert seen == [[b"Connection", b"Upgrade"]]


async def test_each_direction_of_an_upgraded_connection_ends_on_its_own():
    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        assert await peer.rest() == b"question"
        peer.send(b"answer")

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        client.send(b"question")
        client.end()
        assert await client.rest() == b"answer"
        assert (await proxy.over()).failure is None


async def test_a_destination_may_end_an_upgraded_connection():
    async def script(peer):
        await peer.head()
        peer.send(SWITCHING + b"bye")

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        assert await client.rest() == b"bye"
        client.close()
        assert (await proxy.over()).failure is None


async def test_an_upgraded_connection_that_the_destination_resets_is_aborted():
    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        await go.wait()
        peer.reset()

    go = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        go.set()
        assert await client.gone() is False
        assert (await proxy.over()).failure.reason is Reason.UPGRADE_RESPONSE_DESTINATION


async def test_a_client_that_resets_an_upgraded_connection_ends_the_destinations():
    async with destination(echo) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.until(b"welcome")
        client.reset()
        assert (await proxy.over()).failure.reason is Reason.UPGRADE_REQUEST_CLIENT


async def test_an_idle_upgraded_connection_is_closed():
    async with (
        destination(echo) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.05)) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.until(b"welcome")
        await client.gone()
        assert (await proxy.over()).failure.reason is Reason.UPGRADE_ACTIVITY_TIMEOUT


async def test_a_refused_upgrade_is_an_answer_like_any_other():
    refusal = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: echo/2\r\nContent-Length: 2\r\n\r\nno"
    async with (
        destination(answering(refusal)) as there,
        front(there.address) as proxy,
        proxy.connect() as client,
    ):
        for _ in range(2):
            client.send(proxy.request("GET", "/", UPGRADE))
            got = await client.answer()
            assert (got.status, got.body, got.get(b"upgrade")) == (426, b"no", None)
        assert there.connections == 1


async def test_an_upgrade_that_was_not_offered_cannot_be_accepted():
    """HTTP/2 ends at the proxy: h2c is not offered to the destination, which must not switch to it."""
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI")
        await peer.rest()

    async with destination(script) as there, front(there.address) as proxy:
        headers = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
        assert (await proxy.fetch("GET", "/", headers)).status == 502
    assert b"pgrade" not in heads[0]
    assert b"HTTP2" not in heads[0]


async def test_an_upgraded_connection_is_held_back_when_the_other_side_does_not_read(monkeypatch):
    watch = Watch(monkeypatch)
    amount = 8 << 20

    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        await reading.wait()
        got = 0
        while got < amount:
            got += len(await peer.some(1 << 20))
        peer.send(b"%d" % got)

    reading = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        sending = asyncio.create_task(send_all(client, amount))
        await until(lambda: watch.pauses)
        reading.set()
        await sending
        assert await client.exactly(7) == b"%d" % amount
    assert watch.most < FLAT


async def send_all(peer, amount):
    for _ in range(amount // len(BLOCK)):
        peer.send(BLOCK)
        await peer.drain()
