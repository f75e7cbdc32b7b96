"""A proxy on Windows CPython, in front of a destination on Linux."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest

from hostler import serving
from tests.wine.limits import FEW_CLIENTS, MAX_BODY
from tests.wine.program import PATIENCE, curl, free_port


class Destination:
    """What the proxy forwards to; served by the test's own event loop."""

    def __init__(self):
        self.lost = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, exchange):
        kind = exchange.path.strip("/")
        if kind == "echo":
            await exchange.start(200)
            async for piece in exchange.chunks():
                await exchange.write(piece)
            return await exchange.end()
        if kind == "streamed":
            await exchange.start(200)
            await exchange.write(b"first")
            await self.go.wait()
            await exchange.write(b"second")
            return await exchange.end()
        if kind == "large":
            return await exchange.respond(200, b"x" * 2_000_000)
        body = await exchange.read()
        headers = [[name.decode(), value.decode()] for name, value in exchange.request.headers.pairs()]
        said = {
            "method": exchange.request.method,
            "target": exchange.request.target.decode(),
            "headers": headers,
            "body": body.decode(),
        }
        return await exchange.respond(203, json.dumps(said), headers=[("x-a", "1"), ("x-a", "2")])


@pytest.fixture
def proxied(serve):
    """Give a context in which a destination is served and a program forwards to it."""

    @contextlib.asynccontextmanager
    async def proxied(destination):
        async with serving(destination) as there, contextlib.AsyncExitStack() as stack:
            running = serve(what="proxy", address=there.url)
            program = await asyncio.to_thread(running.__enter__)
            stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
            yield program.ready["url"]

    return proxied


def client():
    limits = httpx.Limits(max_connections=FEW_CLIENTS)
    return httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits)


async def test_requests_and_answers_pass_through(proxied):
    destination = Destination()
    async with proxied(destination) as url, client() as session:
        for method in ("GET", "POST", "PUT", "DELETE", "PURGE"):
            content = "hello" if method in {"POST", "PUT"} else None
            answer = await session.request(
                method, f"{url}/a%2Fb?c=d", content=content, headers={"X-Own": "1"}
            )
            got = answer.json()
            assert (answer.status_code, answer.headers.get_list("x-a")) == (203, ["1", "2"])
            assert (got["method"], got["target"], got["body"]) == (method, "/a%2Fb?c=d", content or "")
            headers = {name.lower(): value for name, value in got["headers"]}
            assert headers["x-own"] == "1"
            assert headers["x-forwarded-for"] == "127.0.0.1"

        body = b"0123456789" * (MAX_BODY // 10)
        assert (await session.post(f"{url}/echo", content=body)).content == body
        assert (await session.get(f"{url}/large")).content == b"x" * 2_000_000

        async with session.stream("GET", f"{url}/streamed") as answer:
            coming = answer.aiter_raw()
            assert await anext(coming) == b"first"
            destination.go.set()
            assert await anext(coming) == b"second"

        answers = await asyncio.gather(
            *[session.post(f"{url}/echo", content=b"%d" % number * 100) for number in range(100)]
        )
        assert [answer.content for answer in answers] == [b"%d" % number * 100 for number in range(100)]


def test_a_destination_that_is_not_there_is_502(serve):
    with serve(what="proxy", address=f"http://127.0.0.1:{free_port()}") as program:
        status = curl("-o", "/dev/null", "-w", "%{http_code}", program.ready["url"])
    assert status == b"502"
