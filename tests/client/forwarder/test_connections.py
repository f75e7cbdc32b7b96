"""Connections to destinations: kept, limited, closed; and what is sent again when one dies."""

from __future__ import annotations

import asyncio

import pytest

from hostler import HttpClient, Reason
from hostler.client.pool import Pool
from tests.client.peers import OK, answering, destination, front, until


async def test_connections_are_kept_and_used_again():
    async with destination(answering(OK)) as there, front(there.address) as proxy:
        for _ in range(5):
            assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 1


async def test_a_connection_that_the_destination_will_close_is_not_kept():
    async with (
        destination(
            answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        ) as there,
        front(there.address) as proxy,
    ):
        for count in (1, 2):
            assert (await proxy.fetch()).body == b"ok"
            assert there.connections == count


async def test_bytes_after_an_answer_answer_nobody():
    """A second answer on the wire must not become the answer to the next request."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    async with destination(answering(OK + poison, OK)) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 2


async def test_bytes_on_an_idle_connection_close_it():
    async with destination(answering(OK)) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        there.peers[0].send(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
        assert (await proxy.fetch()).body == b"ok"
        assert there.connections in {1, 2}
        assert (await proxy.fetch()).body == b"ok"


@pytest.mark.parametrize("key", ["pooled_connection_idle_timeout", "pooled_connection_lifetime"])
async def test_an_idle_connection_is_closed_after_its_limit(key):
    ends = []

    async def script(peer):
        await peer.head()
        peer.send(OK)
        ends.append(await peer.rest())

    client = HttpClient(**{key: 0.02})
    async with destination(script) as there, front(there.address, client=client) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        await until(lambda: ends)
        assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 2


async def test_max_connections_per_server_makes_requests_wait():
    release = asyncio.Event()
    most = 0
    under_way = 0

    async def script(peer):
        nonlocal most, under_way
        while True:
            await peer.head()
            under_way += 1
            most = max(most, under_way)
            await release.wait()
            under_way -= 1
            peer.send(OK)

    async with (
        destination(script) as there,
        front(there.address, client=HttpClient(max_connections_per_server=2)) as proxy,
    ):
        asked = [asyncio.create_task(proxy.fetch()) for _ in range(8)]
        await until(lambda: len(proxy.seen) == 8 and under_way == 2)
        release.set()
        assert {answer.body for answer in await asyncio.gather(*asked)} == {b"ok"}
        assert (most, there.connections) == (2, 2)


async def test_a_place_that_a_failed_connection_gave_up_goes_to_the_next():
    async def script(peer):
        await peer.head()
        if peer.number % 2 == 0:
            peer.reset()
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    async with (
        destination(script) as there,
        front(there.address, client=HttpClient(max_connections_per_server=1)) as proxy,
    ):
        answers = await asyncio.gather(*[proxy.fetch() for _ in range(10)])
        assert sorted(answer.status for answer in answers) == [200] * 5 + [502] * 5
        assert there.connections == 10


# -- retries ------------------------------------------------------------------------------------------------


def dying(*, after=b""):
    """Answer the first request of each connection, and die at the second: before a byte, or after `after`."""

    async def script(peer):
        await peer.head()
        peer.send(OK)
        await peer.head()
        peer.send(after)

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
async def test_a_request_is_sent_again_when_a_kept_connection_dies_before_it_answers(method):
    async with destination(dying()) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        assert (await proxy.fetch(method)).status == 200
        assert there.connections == 2
        assert proxy.outcomes[-1].failure is None


async def test_a_fresh_connection_that_dies_is_no_reason_to_try_again():
    async def script(peer):
        await peer.head()

    async with destination(script) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST
        assert there.connections == 1


@pytest.mark.parametrize("after", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
async def test_once_a_byte_of_an_answer_came_nothing_is_sent_again(after):
    script = dying(after=after)
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        assert (await proxy.fetch()).body == b"ok"
        client.send(proxy.request())
        if b"103" in after:
            assert await client.head() == after
        assert (await client.answer()).status == 502
        assert there.connections == 1


async def test_a_post_with_its_body_on_the_way_is_not_sent_again():
    async def script(peer):
        await peer.head()
        peer.send(OK)
        await peer.head()
        await peer.exactly(2)

    async with destination(script) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        assert (await proxy.fetch("POST", "/", "Content-Length: 2\r\n", b"hi")).status == 502
        assert there.connections == 1


async def test_a_post_without_a_body_is_not_sent_again():
    """A proxy must not repeat a request that is not idempotent (RFC 9110 9.2.2): it may have been carried out."""
    async with destination(dying()) as there, front(there.address) as proxy:
        assert (await proxy.fetch()).body == b"ok"
        assert (await proxy.fetch("POST", "/", "Content-Length: 0\r\n")).status == 502
        assert there.connections == 1


async def test_a_post_of_whose_body_nothing_has_left_is_sent_again():
    """Nobody can have carried out a request without its body."""

    async def script(peer):
        await peer.head()
        if peer.number == 0:
            peer.send(OK)
            await peer.head()
            return
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.exactly(2) == b"hi"
        peer.send(OK)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        assert (await proxy.fetch()).body == b"ok"
        client.send(proxy.request("POST", "/", "Content-Length: 2\r\nExpect: 100-continue\r\n"))
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hi")
        assert (await client.answer()).body == b"ok"
        assert there.connections == 2


async def test_a_body_that_comes_while_it_is_sent_again_is_not_lost(monkeypatch):
    """The connection died behind the head; what the client sends until there is another one is for that one."""
    connecting, go = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        if peer.number == 0:
            peer.send(OK)
            await peer.head()
            return
        assert await peer.exactly(10) == b"0123456789"
        peer.send(OK)

    connect = Pool._open

    async def slowly(pool):
        connecting.set()
        await go.wait()
        return await connect(pool)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        assert (await proxy.fetch()).body == b"ok"
        monkeypatch.setattr(Pool, "_open", slowly)
        client.send(proxy.request("POST", "/", "Content-Length: 10\r\n"))
        await connecting.wait()
        client.send(b"01234")
        await until(lambda: proxy.seen[-1].stream._connection._unread)
        go.set()
        client.send(b"56789")
        assert (await client.answer()).body == b"ok"


async def test_a_request_that_is_sent_again_goes_to_a_connection_that_is_kept():
    """Although the pool was empty for a moment, and is another one now."""

    async def once(peer):
        await peer.head()
        peer.send(OK)
        if peer.number == 0:
            await peer.head()
            return
        while True:
            await peer.head()
            peer.send(OK)

    async with destination(once) as there, front(there.address) as proxy:
        for _ in range(3):
            assert (await proxy.fetch()).status == 200
        assert there.connections == 2
        assert len(proxy.forwarder._pools) == 1
