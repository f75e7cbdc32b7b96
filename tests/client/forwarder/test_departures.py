"""Clients that go away: what becomes of their requests."""

from __future__ import annotations

import asyncio

import pytest

from hostler import HttpClient, Reason
from hostler.client.connector import Connector
from hostler.server.options import ServerOptions
from tests.client.peers import BLOCK, OK, answering, destination, front, until


async def test_a_client_that_resets_before_the_answer_ends_the_request_at_the_destination():
    got = asyncio.Event()
    ends = []

    async def script(peer):
        await peer.head()
        got.set()
        ends.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await got.wait()
        client.reset()
        outcome = await proxy.over()
        assert (outcome.status, outcome.failure.reason) == (0, Reason.REQUEST_CANCELED)
        await until(lambda: ends)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_goes_while_sending_its_body_ends_the_request_at_the_destination(how):
    got, ends = asyncio.Event(), []

    async def script(peer):
        await peer.head()
        await peer.exactly(2)
        got.set()
        ends.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Content-Length: 5\r\n", b"he"))
        await got.wait()
        getattr(client, how)()
        outcome = await proxy.over()
        assert outcome.failure.reason in {Reason.REQUEST_BODY_CANCELED, Reason.REQUEST_BODY_CLIENT}
        await until(lambda: ends)
        assert ends == [b""]


async def test_a_chunked_body_that_breaks_off_is_not_completed_at_the_destination():
    ends = []

    async def script(peer):
        await peer.head()
        await peer.until(b"5\r\nhello\r\n")
        ends.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"))
        client.end()
        assert (await client.answer()).status == 400
        await until(lambda: ends)
        assert ends == [b""]


async def test_a_client_that_goes_during_the_answer_ends_it_at_the_destination():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                peer.send(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK))
                await peer.drain()
        except ConnectionError:
            ended.set()

    ended = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await client.some()
        client.close()
        assert (await proxy.over()).failure.reason is Reason.RESPONSE_BODY_CLIENT
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_client_that_half_closes_gets_its_answer_from_a_server_that_knows_such_clients():
    options = ServerOptions(half_closing_clients=True)
    async with (
        destination(answering(OK)) as there,
        front(there.address, options=options) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request())
        client.end()
        assert (await client.rest()).endswith(b"\r\n\r\nok")


async def test_a_client_that_goes_while_its_request_waits_for_a_place_leaves_the_line():
    served = []

    async def script(peer):
        while True:
            served.append((await peer.head()).split()[1])
            await release.wait()
            peer.send(OK)

    release = asyncio.Event()
    settings = HttpClient(max_connections_per_server=1)
    async with (
        destination(script) as there,
        front(there.address, client=settings) as proxy,
        proxy.connect() as client,
        proxy.connect() as last,
    ):
        first = asyncio.create_task(proxy.fetch(path="/first"))
        await until(lambda: served)
        client.send(proxy.request("POST", "/gone", "Content-Length: 5\r\n", b"he"))
        await until(lambda: len(proxy.seen) == 2)
        last.send(proxy.request(path="/last"))
        await until(lambda: len(proxy.seen) == 3)
        client.reset()
        outcome = await proxy.over()
        assert outcome.failure.reason is Reason.REQUEST_CANCELED
        release.set()
        assert (await first).status == (await last.answer()).status == 200
    assert served == [b"/first", b"/last"]


async def test_a_client_that_goes_while_a_connection_is_opened_is_not_waited_for(monkeypatch):
    opening, stopped = asyncio.Event(), asyncio.Event()

    async def slowly(connector, owner):
        opening.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    monkeypatch.setattr(Connector, "connect", slowly)
    async with front("http://127.0.0.1:1") as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await opening.wait()
        client.reset()
        outcome = await proxy.over()
        assert outcome.failure.reason is Reason.REQUEST_CANCELED
        assert stopped.is_set()
        assert not proxy.forwarder._pools
