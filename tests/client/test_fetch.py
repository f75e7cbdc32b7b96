"""Getting one small document from servers that do as they should, and from others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from hostler.client.fetch import fetch
from tests.client.forwarder.test_tls import presenting, trusting

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


@asynccontextmanager
async def serving(answer, *, piece=1 << 16, asked=None, tls=None):
    """Serve an answer to everybody: bytes, or what yields them."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head)
        try:
            for data in [answer] if isinstance(answer, bytes) else answer():
                for start in range(0, len(data), piece):
                    writer.write(data[start : start + piece])
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", ssl=tls)
    async with server:
        yield f"http{'' if tls is None else 's'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys?set=1"


@pytest.mark.parametrize("piece", [1, 1 << 16])
@pytest.mark.parametrize(
    "answer",
    [LENGTH, CHUNKS, ENDLESS + b"hello", b"HTTP/1.1 103 Early Hints\r\n\r\n" + LENGTH],
    ids=["length", "chunks", "close", "interim"],
)
async def test_a_document_comes_whole(answer, piece):
    async with serving(answer, piece=piece) as url:
        assert await fetch(url, max_size=5, timeout=5) == b"hello"


async def test_what_is_asked_for():
    asked = []
    async with serving(LENGTH, asked=asked) as url:
        await fetch(url, max_size=5, timeout=5, accept="application/json")
    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"GET /keys?set=1 HTTP/1.1"
    assert {b"Accept: application/json", b"Connection: close", b"Accept-Encoding: identity"} <= set(lines)
    assert b"Host: " + url.split("/")[2].encode() in lines


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "status is 302",
        ),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "status is 503"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "status is 204"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx", "broke off, or was not complete"),
        (CHUNKS.replace(b"0\r\n\r\n", b"1\r\n!\r\n0\r\n\r\n"), "more than 5 bytes"),
        (LENGTH[:-1], "broke off, or was not complete"),
        (CHUNKS[:-5], "broke off, or was not complete"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "not HTTP"),
        (b"", "closed the connection"),
    ],
)
async def test_any_other_answer_is_an_error(answer, message):
    async with serving(answer) as url:
        with pytest.raises(OSError, match=message):
            await fetch(url, max_size=5, timeout=5)


@pytest.mark.parametrize(
    ("host", "certificate", "context"),
    [
        ("127.0.0.1", "localhost", trusting()),
        ("localhost", "other", trusting()),
        ("localhost", "localhost", None),
    ],
    ids=["no address in it", "another name", "an authority that is not trusted"],
)
async def test_an_https_server_must_have_a_certificate_that_fits(host, certificate, context):
    async with serving(LENGTH, tls=presenting(certificate)) as url:
        with pytest.raises(OSError, match="the destination's certificate is"):
            await fetch(url.replace("127.0.0.1", host), max_size=5, timeout=5, context=context)


async def test_over_tls():
    async with serving(LENGTH, tls=presenting("localhost")) as url:
        assert (
            await fetch(url.replace("127.0.0.1", "localhost"), max_size=5, timeout=5, context=trusting())
            == b"hello"
        )


async def test_a_gigabyte_is_not_taken_in():
    sent = 0

    def gigabyte():
        nonlocal sent
        yield ENDLESS
        for _ in range(16_384):
            sent += 1 << 16
            yield bytes(1 << 16)

    async with serving(gigabyte) as url:
        with pytest.raises(OSError, match="more than 1048576 bytes"):
            await fetch(url, max_size=1 << 20, timeout=5)
    assert sent < 1 << 26


async def test_a_server_that_says_nothing_is_given_up():
    async def say_nothing(reader, writer):
        await reader.read()
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1")
    async with silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
        with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
            await fetch(url, max_size=5, timeout=0.1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://a..b/", "http://" + "x" * 70 + ".invalid/"])
async def test_nobody_is_there(url):
    with pytest.raises(OSError):
        await fetch(url, max_size=5, timeout=5)
