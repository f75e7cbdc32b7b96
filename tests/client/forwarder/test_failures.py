"""Destinations that break: what the client gets, and whose fault it is."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hostler import Kind, Reason
from tests.client.peers import answering, destination, front


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_a_refused_connection_is_502(caplog):
    async with front(f"http://127.0.0.1:{free_port()}") as proxy:
        got = await proxy.fetch()
        outcome = await proxy.over()
    assert (got.status, got.body) == (502, b"502 Bad Gateway\n")
    assert (outcome.kind, outcome.status, outcome.failure.reason) == (Kind.FAILED, 502, Reason.REQUEST)
    assert "GET / to http://127.0.0.1:" in caplog.text


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_looked_up_is_502(name):
    async with front(f"http://{name}:1") as proxy:
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_a_reset_before_the_head_is_502(sent):
    async def script(peer):
        await peer.head()
        if sent:
            peer.send(sent)
            await peer.drain()
        peer.reset()

    async with destination(script) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST


@pytest.mark.parametrize("http", ["1.1", "1.0"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
async def test_an_answer_that_breaks_off_is_aborted_not_completed(framing, reset, http):
    passed_on = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % framing)
        peer.send(b"5\r\nhello\r\n" if framing.startswith(b"T") else b"hello")
        await passed_on.wait()
        peer.reset() if reset else peer.close()

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(f"GET / HTTP/{http}\r\nHost: {proxy.host}\r\n\r\n".encode())
        await client.until(b"hello")
        passed_on.set()
        # a reset, which no client takes for the end of an answer, even of one that ends with its connection
        with pytest.raises(ConnectionResetError):
            while await client.some():
                pass
        outcome = await proxy.over()
    assert (outcome.status, outcome.failure.reason) == (200, Reason.RESPONSE_BODY_DESTINATION)


async def test_an_answer_until_the_end_that_is_reset_is_aborted():
    passed_on = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await passed_on.wait()
        peer.reset()

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await client.until(b"hello")
        passed_on.set()
        assert b"0\r\n\r\n" not in await client.rest()
        assert (await proxy.over()).failure.reason is Reason.RESPONSE_BODY_DESTINATION


async def test_a_destination_that_stops_taking_the_body_is_502():
    async def script(peer):
        await peer.head()
        await peer.exactly(5)
        peer.reset()

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Content-Length: 10\r\n", b"hello"))
        assert (await client.answer()).status == 502
        assert proxy.failure is Reason.REQUEST_BODY_DESTINATION


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\rInjected: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: 1\n\n",
        b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw bytes",
        b"\0" * 100,
    ],
)
async def test_a_malformed_answer_is_502_and_nothing_of_it_reaches_the_client(answer):
    async with destination(answering(answer)) as there, front(there.address) as proxy:
        got = await proxy.fetch()
        assert (got.status, got.body) == (502, b"502 Bad Gateway\n")
        assert proxy.failure in {Reason.REQUEST, Reason.RESPONSE_HEADERS}


@pytest.mark.parametrize("tail", [b"zz\r\n", b"5\r\nhelloXX", b"2\nhi\r\n", b"0\r\nbad trailer\r\n\r\n"])
async def test_a_malformed_chunk_aborts_the_answer(tail):
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        await seen.wait()
        peer.send(tail)
        await peer.rest()

    seen = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await client.until(b"hi\r\n")
        seen.set()
        assert b"0\r\n\r\n" not in await client.rest()
        assert (await proxy.over()).failure.reason is Reason.RESPONSE_BODY_DESTINATION
