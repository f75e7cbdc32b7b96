"""Bodies: framing, trailers, back-pressure, 100 Continue, interim responses."""

from __future__ import annotations

import pytest

from hostler import Kind
from tests.client.forwarder.watch import FLAT, Watch
from tests.client.peers import BLOCK, OK, answering, destination, front, until


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


async def test_the_small_chunks_of_one_read_are_passed_on_as_one():
    small, one = b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n"

    async def script(peer):
        await peer.head()
        assert await peer.exactly(len(one)) == one
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + small)

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request("POST", "/", "Transfer-Encoding: chunked\r\n") + small)
        await client.head()
        assert await client.exactly(len(one)) == one


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


SIZE = 100 << 20


async def test_a_large_answer_waits_in_no_buffer(monkeypatch):
    watch = Watch(monkeypatch)

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(BLOCK)):
            peer.send(BLOCK)
            await peer.drain()

    async with destination(script) as there, front(there.address) as proxy, proxy.connect() as client:
        client.send(proxy.request())
        await client.head()
        await until(lambda: watch.pauses)
        got = 0
        while got < SIZE:
            got += len(await client.some(1 << 20))
        assert got == SIZE
        assert (await proxy.over()).bytes_sent == SIZE
    assert watch.most < FLAT


async def test_a_large_upload_waits_in_no_buffer(monkeypatch):
    watch = Watch(monkeypatch)

    async def script(peer):
        await peer.head()
        await until(lambda: watch.pauses)
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


# -- Expect: 100-continue -----------------------------------------------------------------------------------


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
