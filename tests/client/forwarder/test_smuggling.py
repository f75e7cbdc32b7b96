"""Requests and answers that two readers could read in two ways."""

from __future__ import annotations

import pytest

from hostler import ServerOptions
from hostler.http.limits import Limits
from tests.client.peers import OK, answering, destination, front, until

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5,5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length : 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nX: 1\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nX: 1\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\nHost: HOST\n\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX\0: 1\r\n\r\n",
        b"GET /a\tb HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ],
)
async def test_a_request_that_can_be_read_in_two_ways_reaches_no_destination(request_):
    async with destination(answering(OK)) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(request_.replace(b"HOST", proxy.host.encode()) + SMUGGLED)
        whole = await client.rest()
        assert whole.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
        assert whole.count(b"HTTP/1.1 ") == 1
        assert (there.connections, proxy.seen) == (0, [])


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5;a\n=b\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: 1\nY: 2\r\n\r\n",
    ],
)
async def test_chunks_that_can_be_read_in_two_ways_are_not_passed_on(chunks):
    got = []

    async def script(peer):
        await peer.head()
        got.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Transfer-Encoding: chunked\r\n", chunks + SMUGGLED))
        whole = await client.rest()
        assert whole.startswith(b"HTTP/1.1 4")
        assert whole.count(b"HTTP/1.1 ") == 1
        assert len(proxy.seen) == 1
        await until(lambda: got)
    assert got[0] in {b"", b"5\r\nhello\r\n"}


async def test_pipelined_requests_are_answered_one_after_another_in_order():
    paths = []

    async def script(peer):
        while True:
            head = await peer.head()
            if b"Content-Length: 5" in head:
                assert await peer.exactly(5) == b"GET /"
            path = head.split()[1]
            paths.append(path)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(
            proxy.request("GET", "/1")
            + proxy.request("POST", "/2", "Content-Length: 5\r\n", b"GET /")
            + proxy.request("GET", "/3")
        )
        assert [(await client.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
    assert paths == [b"/1", b"/2", b"/3"]


async def test_what_follows_a_body_is_a_request_of_its_own_to_the_proxy():
    """A request in the tail of another one is routed and rewritten; it never rides along to the destination."""
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        await peer.exactly(2)
        peer.send(OK)
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Content-Length: 2\r\n", b"hi") + SMUGGLED)
        assert [(await client.answer()).body for _ in range(2)] == [b"ok", b"ok"]
        assert len(proxy.seen) == 2
    assert b"\r\nX-Forwarded-Host: x\r\n" in heads[1]


async def test_an_answer_cannot_be_split_by_a_header():
    split = b"HTTP/1.1 200 OK\r\nX: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with destination(lambda peer: once(peer, split)) as there, front(there.address) as proxy:
        got = await proxy.fetch()
    # everything after the head is body, and framed as body
    assert got.body == split.partition(b"\r\n\r\n")[2]
    assert got.complete


async def once(peer, answer):
    await peer.head()
    peer.send(answer)


async def test_limits_hold_before_a_destination_is_asked():
    options = ServerOptions(limits=Limits(head=1000))
    async with destination(answering(OK)) as there, front(there.address, options=options) as proxy:
        assert (await proxy.fetch("GET", "/", f"X: {'x' * 1000}\r\n")).status == 431
        assert there.connections == 0
