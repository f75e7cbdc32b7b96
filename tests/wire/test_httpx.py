"""httpx through a proxy: forwarded to a handler, and delegated to one."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.wire.peers import BOTH, forwarded

MEGABYTE = 1 << 20


async def echo(exchange):
    """Send the body back as it comes."""
    await exchange.start(200, [("content-type", "application/octet-stream")])
    async for piece in exchange.chunks():
        await exchange.write(piece)
    return await exchange.end()


async def pieces(count, size):
    for number in range(count):
        yield bytes([65 + number % 26]) * size


@BOTH
async def test_a_body_comes_back_as_it_was_sent(behind):
    body = b"".join(bytes([65 + number % 26]) * 65536 for number in range(64))
    async with behind(echo) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(url, content=body)).content == body
        assert (await client.post(url, content=pieces(64, 65536))).content == body


@BOTH
async def test_a_hundred_at_once(behind):
    async with behind(echo) as url, httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answers = await asyncio.gather(
            *[client.post(url, content=b"%d" % number * 100) for number in range(100)]
        )
    assert [answer.content for answer in answers] == [b"%d" % number * 100 for number in range(100)]


@BOTH
async def test_one_connection_carries_all_kinds_of_requests_in_turn(behind):
    async def handler(exchange):
        if exchange.path == "/empty":
            return await exchange.respond(204)
        if exchange.path == "/unread":
            return await exchange.respond(200, "unread")
        return await echo(exchange)

    limits = httpx.Limits(max_connections=1)
    async with behind(handler) as url, httpx.AsyncClient(trust_env=False, limits=limits) as client:
        for _ in range(3):
            assert (await client.get(f"{url}/empty")).status_code == 204
            assert (await client.head(f"{url}/x")).content == b""
            assert (await client.post(f"{url}/unread", content=b"x" * 100_000)).text == "unread"
            assert (await client.put(url, content=pieces(3, 10))).content == b"A" * 10 + b"B" * 10 + b"C" * 10
            assert (await client.post(url, content=b"")).content == b""


@BOTH
async def test_an_answer_streams(behind):
    more = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"first")
        await more.wait()
        await exchange.write(b"second")
        return await exchange.end()

    async with (
        behind(handler) as url,
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        coming = answer.aiter_raw()
        assert await anext(coming) == b"first"
        more.set()
        assert await anext(coming) == b"second"


@BOTH
async def test_cookies_stay_apart(behind):
    async def handler(exchange):
        headers = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/")]
        return await exchange.respond(200, exchange.request.headers.get("cookie", ""), headers=headers)

    async with behind(handler) as url, httpx.AsyncClient(trust_env=False) as client:
        first = await client.get(url)
        assert first.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
        assert (await client.get(url)).text == "a=1; b=2"


async def test_a_compressed_answer_is_passed_on_as_it_is():
    import gzip  # noqa: PLC0415 - for this test only

    packed = gzip.compress(b"hello" * 1000)

    async def handler(exchange):
        return await exchange.respond(200, packed, headers=[("content-encoding", "gzip")])

    async with forwarded(handler) as url, httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("GET", url) as answer:
            assert b"".join([piece async for piece in answer.aiter_raw()]) == packed
        assert (await client.get(url)).content == b"hello" * 1000


async def test_redirects_are_the_clients_business():
    async def handler(exchange):
        return await exchange.respond(302, headers=[("location", "http://elsewhere.invalid/")])

    async with forwarded(handler) as url, httpx.AsyncClient(trust_env=False) as client:
        got = await client.get(url)
        assert (got.status_code, got.headers["location"]) == (302, "http://elsewhere.invalid/")


@pytest.mark.timeout(5)
@BOTH
async def test_a_client_that_times_out_leaves_the_proxy_in_order(behind):
    async def handler(exchange):
        if exchange.path == "/slow":
            await asyncio.sleep(0.3)
        return await exchange.respond(200, "ok")

    async with behind(handler) as url, httpx.AsyncClient(trust_env=False) as client:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{url}/slow", timeout=0.05)
            assert (await client.get(url)).text == "ok"
