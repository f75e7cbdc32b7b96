"""A whole server inside Windows CPython: what is left of it when it stops, and when nobody stops it."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.prefix import UrlPrefix
from tests.wine.inside.native_queue import free_port
from tests.wine.inside.windows_process import handles

RECEIVES = 8
COMPLETIONS = ("auto", "proactor", "thread")


@pytest.fixture(params=COMPLETIONS)
def make_server(request, windows):
    """Make a server whose completions arrive in the one way or the other."""
    own = HttpSysOptions(completion=request.param, receives=RECEIVES)
    return lambda handler: HttpSysServer(handler, ServerOptions(httpsys=own), windows=windows)


async def hello(exchange):
    return await exchange.respond(200, "hello")


async def listening(server):
    """Listen on a port; gives it."""
    (prefix,) = await server.listen([UrlPrefix.parse(f"http://127.0.0.1:{free_port()}/")])
    return prefix.port


async def ask(port, target="/"):
    """Send a request, and keep the connection; gives its writer and the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        return writer, head.splitlines()[0], await reader.readexactly(5)


def test_nothing_is_left_of_servers_that_stopped(make_server):
    async def main():
        server = make_server(hello)
        port = await listening(server)
        for _ in range(3):
            writer, status, body = await ask(port)
            assert (status, body) == (b"HTTP/1.1 200 OK", b"hello")
            writer.close()
        await server.stop(5)
        assert not server._port.operations

    def once():
        asyncio.run(main())
        gc.collect()
        return handles(), threading.active_count()

    once()
    before = once()
    for _ in range(5):
        after = once()
    assert after == before


def test_a_loop_closes_with_receives_pending(make_server):
    kept = {}

    async def main():
        server = kept["server"] = make_server(hello)
        port = await listening(server)
        writer, _, body = await ask(port)
        assert body == b"hello"
        assert len(server._port.operations) == RECEIVES
        writer.close()

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "hostler-completions":
            thread.join(10)
            assert not thread.is_alive()
    assert not kept["server"]._port.operations


def test_a_loop_closes_with_an_exchange_under_way(make_server):
    kept = {}
    begun = []

    async def never(exchange):
        begun.append(exchange)
        kept["begun"].set()
        await asyncio.Event().wait()

    async def main():
        kept["begun"] = asyncio.Event()
        server = kept["server"] = make_server(never)
        port = await listening(server)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            await kept["begun"].wait()
        writer.close()

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "hostler-completions":
            thread.join(10)
    assert not kept["server"]._port.operations


def test_stopping_twice_and_stopping_what_never_listened(make_server):
    async def main():
        server = make_server(hello)
        await server.stop(1)
        await server.stop(1)
        other = make_server(hello)
        await listening(other)
        await other.stop(1)
        await other.stop(1)

    asyncio.run(main())
