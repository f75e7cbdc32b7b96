"""Forwarding over real sockets: what a client and a destination see of one another through a proxy."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import weakref
from pathlib import Path

import pytest

import hostler.client.connector
import hostler.client.forwarder
from hostler import (
    Destination,
    Forwarder,
    HttpClient,
    HttpRequest,
    Kind,
    Reason,
    ServerOptions,
    Timeouts,
    serving,
)
from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.pool import Pool
from hostler.client.transfer import Transfer
from hostler.fleet import LiveDestination
from hostler.http.limits import Limits
from hostler.server.usermode.connection import Connection
from hostler.testing import FakeStream, exchange
from tests.client.peers import OK, Peer, answering, connected, destination, front, until

HERE = Path(__file__).parent


def names(answer):
    return [name for name, _ in answer.headers]


# -- heads ----------------------------------------------------------------------------------------------------------


async def test_the_destination_gets_the_clients_own_head_with_host_and_forwarded_headers_set():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there, front(there.address) as proxy:
        headers = (
            "X-MiXeD: One\r\naccept: a\r\nForwarded: for=evil\r\nX-Forwarded-For: 6.6.6.6\r\nAccept:  b \r\n"
        )
        answer = await proxy.fetch("GET", "/a%2Fb/./c/../d?x=1&&y=%zz", headers)
        assert answer.status == 200
    (head,) = heads
    line, host, *rest = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert line == "GET /a%2Fb/d?x=1&&y=%zz HTTP/1.1"
    assert host == f"Host: 127.0.0.1:{there.port}"
    added = ["X-Forwarded-For: 127.0.0.1", f"X-Forwarded-Host: {proxy.host}", "X-Forwarded-Proto: http"]
    assert [line for line in rest if line not in added] == ["X-MiXeD: One", "accept: a", "Accept: b"]
    assert [line for line in rest if line in added] == added


async def test_the_client_gets_the_destinations_head_in_its_order_and_case():
    answer = (
        b"HTTP/1.1 299 Quite Fine\r\nx-B: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-a: \r\nDate: yesterday\r\n"
        b"Keep-Alive: timeout=5\r\nConnection: X-Secret\r\nX-Secret: 1\r\nAlt-Svc: h3\r\nContent-Length: 0\r\n\r\n"
    )
    async with destination(answering(answer)) as there, front(there.address) as proxy:
        got = await proxy.fetch()
    assert got.line == b"HTTP/1.1 299 Quite Fine"
    assert got.headers == [
        (b"x-B", b"1"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"X-a", b""),
        (b"Date", b"yesterday"),
        (b"Content-Length", b"0"),
    ]


async def test_a_url_prefixs_path_goes_to_x_forwarded_prefix_and_the_address_path_in_front():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with (
        destination(script) as there,
        front(f"{there.address}/base/", url="http://127.0.0.1:0/App/") as proxy,
        connected(proxy.url) as client,
    ):
        client.send(f"GET /app/x%20y?q HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
        assert (await client.answer()).status == 200
    assert heads[0].startswith(b"GET /base/x%20y?q HTTP/1.1\r\n")
    assert b"\r\nX-Forwarded-Prefix: /app\r\n" in heads[0]


async def test_a_destinations_own_host_is_sent_instead_of_its_address():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there:
        live = LiveDestination("a", Destination(there.address, host="shop.example"))
        async with front(live) as proxy:
            assert (await proxy.fetch()).status == 200
            assert proxy.outcomes[0].destination == there.address
    assert b"\r\nHost: shop.example\r\n" in heads[0]


# -- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_bodies_pass_in_both_directions_with_their_framing(chunked):
    async def script(peer):
        head = await peer.head()
        if b"Transfer-Encoding: chunked" in head:
            body, _ = await peer.chunked()
            peer.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                % (len(body), body)
            )
        else:
            assert b"Content-Length: 11" in head
            body = await peer.exactly(11)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + body)

    body = b"6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n" if chunked else b"hello world"
    headers = "Transfer-Encoding: chunked\r\n" if chunked else "Content-Length: 11\r\n"
    async with destination(script) as there, front(there.address) as proxy:
        answer = await proxy.fetch("POST", "/", headers, body)
        outcome = await proxy.over()
    assert answer.body == b"hello world"
    assert (answer.get(b"transfer-encoding") is not None) == chunked
    assert (answer.get(b"content-length") is None) == chunked
    assert (outcome.kind, outcome.status, outcome.bytes_received, outcome.bytes_sent) == (
        Kind.FORWARDED,
        200,
        11,
        11,
    )


async def test_trailers_pass_in_both_directions():
    async def script(peer):
        assert b"\r\nTrailer: X-Sum\r\n" in await peer.head()
        body, trailers = await peer.chunked()
        assert (body, trailers) == (b"abc", [(b"X-Sum", b"42")])
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
        peer.send(b"2\r\nok\r\n0\r\nX-End: yes\r\nContent-Length: 9\r\n\r\n")

    async with destination(script) as there, front(there.address) as proxy:
        answer = await proxy.fetch(
            "POST",
            "/",
            "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
            b"3\r\nabc\r\n0\r\nX-Sum: 42\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
    assert (answer.body, answer.trailers) == (b"ok", [(b"X-End", b"yes")])


async def test_the_destination_may_answer_while_the_upload_goes_on():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            size = int(await peer.until(b"\r\n"), 16)
            piece = await peer.exactly(size + 2)
            peer.send(b"%x\r\n%s" % (size, piece.swapcase()))
        await peer.until(b"0\r\n\r\n")
        peer.send(b"0\r\n\r\n")

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Transfer-Encoding: chunked\r\n"))
        await client.head()
        for word in (b"one", b"two", b"three", b"four", b"five"):
            client.send(b"%x\r\n%s\r\n" % (len(word), word))
            assert await client.until(b"\r\n") == b"%x\r\n" % len(word)
            assert await client.exactly(len(word) + 2) == word.upper() + b"\r\n"
        client.send(b"0\r\n\r\n")
        assert await client.until(b"0\r\n\r\n") == b"0\r\n\r\n"
        assert (await proxy.over()).failure is None


class Watch:
    """The most bytes that ever waited in a transport of the proxy, and how often either side was held back."""

    def __init__(self, monkeypatch):
        self.most = 0
        self.pauses = 0
        self._transports = []
        for cls in (Http1UpstreamConnection, Connection):
            self._after(monkeypatch, cls, "connection_made", self._transports.append)
            self._after(monkeypatch, cls, "data_received", self._measure)
        for name in ("pause", "pause_writing"):
            self._after(monkeypatch, Transfer, name, self._paused)

    def _after(self, monkeypatch, cls, name, then):
        plain = getattr(cls, name)

        def wrapped(this, *arguments):
            plain(this, *arguments)
            then(*arguments)

        monkeypatch.setattr(cls, name, wrapped)

    def _measure(self, _data):
        self.most = max(self.most, *(transport.get_write_buffer_size() for transport in self._transports))

    def _paused(self):
        self.pauses += 1


SIZE = 100 << 20
BLOCK = b"0123456789abcdef" * (1 << 14)
FLAT = 1 << 20


async def test_a_large_answer_waits_in_no_buffer(monkeypatch):
    watch = Watch(monkeypatch)
    begun = asyncio.Event()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(BLOCK)):
            peer.send(BLOCK)
            begun.set()
            await peer.drain()

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await client.head()
        await begun.wait()
        got = 0
        while got < SIZE:
            got += len(await client.some(1 << 20))
        assert got == SIZE
        assert (await proxy.over()).bytes_sent == SIZE
    assert watch.most < FLAT
    assert watch.pauses


async def test_a_large_upload_waits_in_no_buffer(monkeypatch):
    watch = Watch(monkeypatch)

    async def script(peer):
        await peer.head()
        got = 0
        while got < SIZE:
            got += len(await peer.some(1 << 20))
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n%d" % got)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("PUT", "/", f"Content-Length: {SIZE}\r\n"))
        for _ in range(SIZE // len(BLOCK)):
            client.send(BLOCK)
            await client.drain()
        assert (await client.answer()).body == b"%d" % SIZE
        assert (await proxy.over()).bytes_received == SIZE
    assert watch.most < FLAT
    assert watch.pauses


@pytest.mark.parametrize(
    ("method", "answer", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"5000"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", b"77"),
    ],
)
async def test_answers_without_a_body_keep_both_connections(method, answer, length):
    async with (
        destination(answering(answer)) as there,
        front(there.address) as proxy,
        proxy.connect() as client,
    ):
        for _ in range(3):
            client.send(proxy.request(method))
            got = await client.answer(method)
            assert got.status == int(answer.split()[1])
            assert got.get(b"content-length") == length
            assert got.get(b"transfer-encoding") is None
            assert got.get(b"connection") is None
        assert there.connections == 1


async def test_an_empty_205_is_framed():
    script = answering(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")
    async with destination(script) as there, front(there.address) as proxy:
        got = await proxy.fetch()
        assert (got.status, got.body, got.complete) == (205, b"", True)


async def test_interim_answers_are_passed_on():
    early = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\nContent-Length: 3\r\n\r\n"
    )
    async with (
        destination(answering(early + b"HTTP/1.1 102 Processing\r\n\r\n" + OK)) as there,
        front(there.address) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request())
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        assert await client.head() == b"HTTP/1.1 102 Processing\r\n\r\n"
        assert (await client.answer()).body == b"ok"


async def test_an_http_1_0_client_gets_no_interim_answer_and_no_chunks():
    script = answering(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % proxy.host.encode())
        whole = await client.rest()
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body == b"ok"


async def test_an_http_1_0_client_may_keep_its_connection():
    async with destination(answering(OK)) as there, front(there.address) as proxy, proxy.connect() as client:
        for _ in range(2):
            client.send(b"GET / HTTP/1.0\r\nHost: %s\r\nConnection: keep-alive\r\n\r\n" % proxy.host.encode())
            got = await client.answer()
            assert (got.body, got.get(b"connection")) == (b"ok", b"keep-alive")
        assert there.connections == 1


async def test_an_answer_until_the_connection_ends_becomes_chunked():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nfirst ")
        await peer.drain()
        peer.send(b"second")

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        for _ in range(2):
            client.send(proxy.request())
            got = await client.answer()
            assert got.get(b"transfer-encoding") == b"chunked"
            assert got.body == b"first second"
        assert there.connections == 2


async def test_an_http_1_0_destination_that_keeps_its_connection_is_asked_again_on_it():
    answer = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    async with destination(answering(answer)) as there, front(there.address) as proxy:
        for _ in range(3):
            assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 1


# -- Expect: 100-continue -------------------------------------------------------------------------------------------


async def test_100_continue_comes_from_the_destination():
    async def script(peer):
        assert b"\r\nExpect: 100-continue\r\n" in await peer.head()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.exactly(4) == b"body"
        peer.send(OK)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n"))
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        got = await client.answer()
        assert got.body == b"ok"
        assert got.get(b"connection") is None


async def test_without_the_destinations_100_the_body_is_never_asked_for():
    rest = []

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        rest.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Content-Length: 4\r\nExpect: 100-continue\r\n"))
        got = await client.answer()
        assert (got.status, got.get(b"connection")) == (417, b"close")
        await proxy.over()
        # what the client sends now, if it does, is neither body nor request
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.rest() == b""
        await until(lambda: rest)
    assert rest == [b""]
    assert there.connections == 1


# -- connections ----------------------------------------------------------------------------------------------------


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


async def test_an_idle_connection_is_closed_after_its_limit(monkeypatch):
    monkeypatch.setattr(hostler.client.connector, "IDLE_TIMEOUT", 0.02)
    ends = []

    async def script(peer):
        await peer.head()
        peer.send(OK)
        ends.append(await peer.rest())

    async with destination(script) as there, front(there.address) as proxy:
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


# -- retries --------------------------------------------------------------------------------------------------------


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
        await until(lambda: proxy.seen[-1].stream._waiting)
        go.set()
        client.send(b"56789")
        assert (await client.answer()).body == b"ok"


# -- destinations that break ----------------------------------------------------------------------------------------


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


# -- time -----------------------------------------------------------------------------------------------------------


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


async def test_a_destination_that_takes_no_connection_is_504(deaf, monkeypatch):
    monkeypatch.setattr(hostler.client.connector, "CONNECT_TIMEOUT", 0.05)
    monkeypatch.setattr(hostler.client.forwarder, "CONNECT_TIMEOUT", 0.05)
    async with front(deaf) as proxy:
        got = await proxy.fetch()
        assert (got.status, proxy.failure) == (504, Reason.REQUEST_TIMED_OUT)


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


# -- upgrades -------------------------------------------------------------------------------------------------------

UPGRADE = "Connection: Upgrade, X-Hop\r\nUpgrade: echo/1\r\nX-Hop: 1\r\nTE: trailers\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\n"


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


# -- clients that go away -------------------------------------------------------------------------------------------


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


async def test_a_client_that_half_closes_still_gets_its_answer():
    async with destination(answering(OK)) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        client.end()
        assert (await client.rest()).endswith(b"\r\n\r\nok")


# -- smuggling ------------------------------------------------------------------------------------------------------

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


# -- TLS ------------------------------------------------------------------------------------------------------------


def presenting(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "certificates" / f"{name}.pem", HERE / "certificates" / f"{name}.key")
    return context


def trusting():
    return ssl.create_default_context(cafile=HERE / "certificates" / "ca.pem")


async def test_an_https_destination_of_a_trusted_authority():
    async def script(peer):
        while True:
            head = await peer.head()
            assert b"Host: localhost:" in head
            body = await peer.exactly(5)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
    ):
        for _ in range(2):
            assert (await proxy.fetch("POST", "/", "Content-Length: 5\r\n", b"hello")).body == b"hello"
        assert there.connections == 1


@pytest.mark.parametrize(
    ("address", "certificate", "context"),
    [
        ("https://127.0.0.1", "localhost", trusting()),
        ("https://localhost", "other", trusting()),
        ("https://localhost", "localhost", None),
    ],
    ids=["no address in it", "another name", "an authority that is not trusted"],
)
async def test_a_certificate_that_does_not_fit_is_502(address, certificate, context, caplog):
    async with (
        destination(answering(OK), context=presenting(certificate)) as there,
        front(f"{address}:{there.port}", context=context) as proxy,
    ):
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST
        assert "certificate" in caplog.text.lower()


async def test_a_destinations_host_is_the_name_that_its_certificate_must_have():
    async with destination(answering(OK), context=presenting("other")) as there:
        live = LiveDestination("a", Destination(f"https://localhost:{there.port}", host="other.example"))
        async with front(live, context=trusting()) as proxy:
            assert (await proxy.fetch()).body == b"ok"


async def test_dangerous_accept_any_server_certificate():
    client = HttpClient(dangerous_accept_any_server_certificate=True)
    async with (
        destination(answering(OK), context=presenting("other")) as there,
        front(f"https://127.0.0.1:{there.port}", client=client) as proxy,
    ):
        assert (await proxy.fetch()).body == b"ok"


async def test_a_plain_destination_under_https_is_502():
    async def script(peer):
        await peer.some()
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        destination(script) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
    ):
        assert (await proxy.fetch()).status == 502


async def test_an_upgraded_connection_over_tls_ends_when_the_client_ends_it():
    """TLS has no half-open connections: the end of one direction is the end of both."""
    ends = []

    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        ends.append(await peer.rest())

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        client.send(b"last words")
        client.end()
        assert await client.rest() == b""
        assert (await proxy.over()).failure is None
        await until(lambda: ends)
    assert ends == [b"last words"]


# -- by itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["", "example.com", "ftp://example.com", "http://", "http://a:b/", "http://ü/"]
)
async def test_what_is_no_address_is_the_callers_error(address, caplog):
    caplog.set_level(logging.CRITICAL, "hostler.server")
    errors = []
    forwarder = Forwarder()

    async def handler(exchange):
        with pytest.raises(ValueError) as caught:
            await forwarder.send(exchange, address)
        errors.append(str(caught.value))
        return await exchange.respond(200)

    async with serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await client.head()
    assert repr(address) in errors[0]
    assert "http://host[:port][/path]" in errors[0]


async def test_an_exchange_that_was_answered_cannot_be_forwarded():
    forwarder = Forwarder()

    async def handler(exchange):
        outcome = await exchange.respond(200)
        with pytest.raises(RuntimeError, match="has begun"):
            await forwarder.send(exchange, "http://127.0.0.1:1")
        return outcome

    async with serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.answer()).status == 200


async def test_what_a_stage_adds_to_the_answer_is_added_once():
    forwarder = Forwarder()

    async def handler(exchange):
        exchange.on_response(lambda headers: headers.append((b"X-Stage", b"1")))
        return await forwarder.send(exchange, there.address)

    async with (
        destination(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\n\r\n"
        assert (await client.answer()).get(b"x-stage") == b"1"
        forwarder.close()


async def test_a_stage_sees_and_changes_the_headers_of_the_answer():
    forwarder, seen = Forwarder(), []

    def change(headers):
        seen.extend(headers)
        headers[:] = [pair for pair in headers if pair[0] != b"Server"]
        headers.append((b"X-Stage", b"1"))

    async def handler(exchange):
        exchange.on_response(change)
        return await forwarder.send(exchange, there.address)

    answer = b"HTTP/1.1 200 OK\r\nServer: secret\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n\r\nok"
    async with (
        destination(answering(answer)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        got = await client.answer()
        forwarder.close()
    assert seen == [(b"Server", b"secret"), (b"Content-Length", b"2")]
    assert (got.body, got.get(b"server"), got.get(b"x-stage")) == (b"ok", None, b"1")


async def test_a_header_that_a_stage_adds_and_nobody_can_send_is_502():
    """Nothing of the answer leaks in front of the 502, however many pieces its body came in."""
    chunks = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n0\r\n\r\n"
    )
    forwarder, failures = Forwarder(), []

    async def handler(exchange):
        exchange.on_response(lambda headers: headers.append((b"X", b"1\r\nSet-Cookie: evil")))
        outcome = await forwarder.send(exchange, there.address)
        failures.append(outcome.failure.reason)
        return outcome

    async with (
        destination(answering(chunks)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert failures == [Reason.RESPONSE_HEADERS]
        forwarder.close()


async def test_a_cancelled_handler_closes_the_connection_to_the_destination():
    forwarder = Forwarder()
    got, ends = asyncio.Event(), []

    async def script(peer):
        await peer.head()
        got.set()
        ends.append(await peer.rest())

    async def handler(exchange):
        sending = asyncio.ensure_future(forwarder.send(exchange, there.address))
        await got.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        return await exchange.respond(503)

    async with destination(script) as there, serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.answer()).status == 503
        await until(lambda: ends)


async def test_a_cancellation_that_comes_too_late_leaves_the_connection_to_whoever_has_it_now():
    forwarder, taken = Forwarder(), []

    class Late(FakeStream):
        def end(self, trailers=None):
            super().end(trailers)
            ((_, pool),) = forwarder._pools.values()
            taken.append(pool.take())
            sending.cancel()

    async with destination(answering(OK)) as there:
        sending = asyncio.create_task(forwarder.send(exchange(stream=Late()), there.address))
        with pytest.raises(asyncio.CancelledError):
            await sending
        (connection,) = taken
        assert not connection.has_expired()
        connection.close()


async def test_a_request_that_a_stage_broke_is_502():
    forwarder = Forwarder()

    async def handler(exchange):
        if exchange.path == "/broken":
            exchange.request.headers.add("X", "1\r\nInjected: 2")
        outcomes.append(await forwarder.send(exchange, there.address))
        return outcomes[-1]

    outcomes = []
    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        for path, status in [(b"/", 200), (b"/broken", 502), (b"/", 200)]:
            client.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
            assert (await client.answer()).status == status
        assert outcomes[1].failure.reason is Reason.REQUEST_CREATION
        assert there.connections == 1
        forwarder.close()


async def test_a_client_that_goes_while_its_request_waits_for_a_connection_costs_no_connection():
    arrived, go, heads = asyncio.Event(), asyncio.Event(), []

    async def script(peer):
        while True:
            heads.append((await peer.head()).split()[1])
            arrived.set()
            await go.wait()
            peer.send(OK)

    async with (
        destination(script) as there,
        front(there.address, client=HttpClient(max_connections_per_server=1)) as proxy,
        proxy.connect() as first,
        proxy.connect() as second,
        proxy.connect() as third,
    ):
        first.send(proxy.request("GET", "/first"))
        await arrived.wait()
        second.send(proxy.request("GET", "/second"))
        await until(lambda: len(proxy.seen) == 2)
        third.send(proxy.request("GET", "/third"))
        await until(lambda: len(proxy.seen) == 3)
        second.reset()
        await until(lambda: proxy.seen[1].stream.closed)
        go.set()
        assert (await third.answer()).body == b"ok"
        await proxy.over(3)
        assert heads == [b"/first", b"/third"]
        assert there.connections == 1


async def test_a_stopping_server_lets_a_forward_finish():
    got, go = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        got.set()
        await go.wait()
        peer.send(OK)

    async with destination(script) as there, asyncio.TaskGroup() as group, connected_later() as later:
        async with front(there.address) as proxy:
            client = await later(proxy)
            client.send(proxy.request())
            await got.wait()
            group.create_task(set_soon(go))
        answer = await client.answer()
    assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")


async def set_soon(event):
    for _ in range(3):
        await asyncio.sleep(0)
    event.set()


class connected_later:  # noqa: N801 - reads like the function it stands for
    """A client that outlives the proxy it talks to."""

    async def __aenter__(self):
        self.peers = []
        return self._connect

    async def _connect(self, proxy):
        host, port = proxy.host.split(":")
        self.peers.append(Peer(*await asyncio.open_connection(host, int(port))))
        return self.peers[-1]

    async def __aexit__(self, *_):
        for peer in self.peers:
            peer.close()


async def test_a_stopping_server_aborts_a_forward_that_takes_too_long():
    got, ends = asyncio.Event(), []

    async def script(peer):
        await peer.head()
        got.set()
        ends.append(await peer.rest())

    async with destination(script) as there, connected_later() as later:
        async with front(there.address, grace=0.05) as proxy:
            client = await later(proxy)
            client.send(proxy.request())
            await got.wait()
        assert await client.rest() == b""
        await until(lambda: ends)


async def test_a_hundred_exchanges_under_way_while_their_destination_dies():
    """Each of them ends, and ends as what it is: whole, refused, or aborted."""
    under_way = asyncio.Semaphore(0)

    async def script(peer):
        number = peer.number
        await peer.head()
        if number % 3 == 0:
            under_way.release()
            await death.wait()
            peer.reset()
        elif number % 3 == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhal")
            under_way.release()
            await death.wait()
            peer.reset()
        else:
            peer.send(OK)
            under_way.release()

    death = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy:
        asked = [asyncio.create_task(proxy.fetch()) for _ in range(200)]
        for _ in asked:
            await under_way.acquire()
        death.set()
        answers = await asyncio.gather(*asked)
        await proxy.over(200)
    whole = [answer for answer in answers if answer.complete and answer.status == 200]
    refused = [answer for answer in answers if answer.status == 502]
    aborted = [answer for answer in answers if not answer.complete]
    assert all(answer.body == b"ok" for answer in whole)
    assert len(whole) + len(refused) + len(aborted) == 200
    assert len(refused) >= 60
    assert len(aborted) >= 60
    pools = [pool for _, pool in proxy.forwarder._pools.values()]
    assert all(connection.is_idle() for pool in pools for connection in pool._connections)


async def test_a_slow_client_counts_against_the_client():
    """A client that takes nothing is not its destination's fault."""

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            while True:
                peer.send(BLOCK)
                await peer.drain()
        except ConnectionError:
            pass

    options = ServerOptions(timeouts=Timeouts(send=30))
    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.3), options=options) as proxy,
        proxy.connect(limit=1024) as client,
    ):
        client.send(proxy.request())
        outcome = await proxy.over()
        assert outcome.failure.reason is Reason.RESPONSE_BODY_CLIENT


async def test_an_exchange_leaves_no_cycles_for_the_collector():
    """What runs for every request must not need the garbage collector, which is told to look seldom."""
    forwarder, left = Forwarder(), []

    async def handler(exchange):
        left.append(weakref.ref(exchange))
        return await forwarder.send(exchange, there.address)

    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        gc.disable()
        try:
            for _ in range(3):
                client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert (await client.answer()).body == b"ok"
            await until(lambda: all(item() is None for item in left))
        finally:
            gc.enable()
        forwarder.close()


async def test_a_body_that_a_stage_has_read_cannot_be_forwarded():
    forwarder = Forwarder()
    request = exchange("POST", "/", body=b"read", stream=FakeStream(b"read"))
    assert await request.read() == b"read"
    with pytest.raises(RuntimeError, match="read by a stage"):
        await forwarder.send(request, "http://127.0.0.1:9")
