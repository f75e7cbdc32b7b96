"""Time: who may take how long, and what is said when it is over."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hostler import HttpClient, HttpRequest, Reason
from tests.client.peers import OK, destination, front


async def test_a_destination_that_does_not_answer_is_504():
    async def script(peer):
        await peer.head()
        await peer.rest()

    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.05)) as proxy,
    ):
        got = await proxy.fetch()
        assert (got.status, proxy.failure) == (504, Reason.REQUEST_TIMED_OUT)


async def test_a_client_that_does_not_send_its_body_is_408():
    async def script(peer):
        await peer.head()
        await peer.rest()

    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.05)) as proxy,
    ):
        got = await proxy.fetch("POST", "/", "Content-Length: 5\r\n", b"he")
        assert (got.status, proxy.failure) == (408, Reason.REQUEST_BODY_CLIENT)


async def test_an_answer_that_stalls_is_aborted():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await peer.rest()

    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.05)) as proxy,
    ):
        got = await proxy.fetch()
        assert (got.status, got.complete) == (200, False)
        assert (await proxy.over()).failure.reason is Reason.RESPONSE_BODY_DESTINATION


async def test_every_byte_of_an_answer_winds_the_clock_again():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.03)
            peer.send(b"x")

    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.2)) as proxy,
    ):
        assert (await proxy.fetch()).body == b"x" * 10


@pytest.mark.parametrize(
    "pieces",
    [[b"%c" % byte for byte in OK], [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 40 + [OK]],
    ids=["a head byte by byte", "interim heads"],
)
async def test_only_a_final_head_winds_the_clock_again(pieces):
    async def script(peer):
        await peer.head()
        for piece in pieces:
            await asyncio.sleep(0.02)
            if peer.writer.is_closing():
                break
            peer.send(piece)

    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.1)) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request())
        assert b"HTTP/1.1 504 " in await client.until(b"504 Gateway Timeout\n")
        assert (await proxy.over()).failure.reason is Reason.REQUEST_TIMED_OUT


@pytest.fixture
def deaf():
    """An address that takes no connection: a listening socket whose backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for filler in fillers:
            filler.close()


async def test_a_destination_that_takes_no_connection_is_504(deaf, caplog):
    async with front(deaf, client=HttpClient(connect_timeout=0.05)) as proxy:
        got = await proxy.fetch()
        assert (got.status, proxy.failure) == (504, Reason.REQUEST_TIMED_OUT)
    assert "no connection within 0.05 s" in caplog.text


async def test_connecting_may_take_no_longer_than_the_activity_timeout(deaf):
    async with front(deaf, request=HttpRequest(activity_timeout=0.05)) as proxy:
        got = await proxy.fetch()
        assert (got.status, proxy.failure) == (504, Reason.REQUEST_TIMED_OUT)


async def test_waiting_for_a_connection_may_take_no_longer_than_the_activity_timeout():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not over.is_set():
            peer.send(b"x")
            await asyncio.sleep(0.01)

    over = asyncio.Event()
    async with (
        destination(script) as there,
        front(
            there.address,
            client=HttpClient(max_connections_per_server=1),
            request=HttpRequest(activity_timeout=0.2),
        ) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request())
        await client.head()
        assert (await proxy.fetch()).status == 504
        over.set()
