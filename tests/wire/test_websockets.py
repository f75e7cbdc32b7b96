"""WebSocket through a proxy: the `websockets` client on one side, its server on the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from hostler import Cluster, HttpRequest, Proxy, Route, queue, serving
from hostler.asgi import Application
from tests.server.usermode.peers import Client, eventually, request
from tests.wire.peers import proxied


@asynccontextmanager
async def through_a_proxy(handler, *, cluster=None, **options):
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, max_size=None, **options) as server:
        port = server.sockets[0].getsockname()[1]
        async with proxied(f"http://127.0.0.1:{port}", **(cluster or {})) as url:
            yield url.replace("http", "ws", 1)


def client(url, **options):
    return connect(url, ping_interval=None, max_size=None, proxy=None, **options)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def test_text_and_binary_messages():
    async with through_a_proxy(echo) as url, client(f"{url}/chat?room=1") as socket:
        for message in ("hello", "", "ü" * 1000, b"bytes", b"", bytes(range(256))):
            await socket.send(message)
            assert await socket.recv() == message


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_messages_of_a_mebibyte(compression):
    message = bytes(range(256)) * 4096
    async with (
        through_a_proxy(echo, compression=compression) as url,
        client(url, compression=compression) as socket,
    ):
        for _ in range(4):
            await socket.send(message)
            assert await socket.recv() == message


async def test_both_sides_speak_at_once():
    async def handler(connection):
        async def talk():
            for number in range(200):
                await connection.send(f"server {number}")

        talking = asyncio.create_task(talk())
        heard = [await connection.recv() for _ in range(200)]
        await talking
        await connection.send(f"heard {heard == [f'client {number}' for number in range(200)]}")

    async with through_a_proxy(handler) as url, client(url) as socket:
        for number in range(200):
            await socket.send(f"client {number}")
        assert [await socket.recv() for _ in range(200)] == [f"server {number}" for number in range(200)]
        assert await socket.recv() == "heard True"


async def test_pings_from_both_sides():
    async def handler(connection):
        await (await connection.ping())
        await connection.send("alive")
        await connection.wait_closed()

    async with through_a_proxy(handler) as url, client(url) as socket:
        assert await socket.recv() == "alive"
        async with asyncio.timeout(5):
            await (await socket.ping(b"payload"))


async def test_a_server_closes_with_a_code():
    async def handler(connection):
        await connection.close(4001, "enough")

    async with through_a_proxy(handler) as url, client(url) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "enough")


async def test_a_client_closes_with_a_code():
    closed = asyncio.get_running_loop().create_future()

    async def handler(connection):
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason))

    async with through_a_proxy(handler) as url:
        async with client(url) as socket:
            await socket.close(4002, "bye")
        async with asyncio.timeout(5):
            assert await closed == (4002, "bye")


async def test_a_client_that_vanishes_ends_the_servers_connection():
    closed = asyncio.get_running_loop().create_future()

    async def handler(connection):
        await connection.wait_closed()
        closed.set_result(connection.close_code)

    async with through_a_proxy(handler) as url, client(url) as socket:
        socket.transport.abort()
        async with asyncio.timeout(5):
            assert await closed == 1006


async def test_a_server_that_vanishes_ends_the_clients_connection():
    async def handler(connection):
        connection.transport.abort()

    async with through_a_proxy(handler) as url, client(url) as socket:
        with pytest.raises(ConnectionClosedError) as caught:
            await socket.recv()
    assert caught.value.rcvd is None


async def test_a_subprotocol_is_agreed():
    async with (
        through_a_proxy(echo, subprotocols=["b", "c"]) as url,
        client(url, subprotocols=["a", "b"]) as socket,
    ):
        assert socket.subprotocol == "b"


async def test_headers_of_the_handshake_pass():
    async def handler(connection):
        request = connection.request
        await connection.send(
            f"{request.path} {request.headers['X-Forwarded-For']} {request.headers['X-Own']}"
        )

    async with (
        through_a_proxy(handler) as url,
        client(f"{url}/a?b", additional_headers={"X-Own": "1"}) as socket,
    ):
        assert await socket.recv() == "/a?b 127.0.0.1 1"


async def test_a_refused_handshake_is_an_answer_like_any_other():
    def refuse(connection, request):
        return connection.respond(403, "not you\n")

    async with through_a_proxy(echo, process_request=refuse) as url:
        with pytest.raises(InvalidStatus) as caught:
            await client(url)
    assert caught.value.response.status_code == 403
    assert caught.value.response.body == b"not you\n"


@pytest.mark.logs_errors("connection handler failed")
async def test_an_idle_connection_is_closed_after_the_activity_timeout():
    async with (
        through_a_proxy(echo, cluster={"http_request": HttpRequest(activity_timeout=0.1)}) as url,
        client(url) as socket,
    ):
        await socket.send("still here")
        assert await socket.recv() == "still here"
        with pytest.raises(ConnectionClosedError):
            async with asyncio.timeout(5):
                await socket.recv()


async def test_fifty_at_once():
    async def talk(url, number):
        async with client(url) as socket:
            for turn in range(5):
                await socket.send(f"{number} {turn}")
                assert await socket.recv() == f"{number} {turn}"

    async with through_a_proxy(echo) as url:
        await asyncio.gather(*[talk(url, number) for number in range(50)])


@pytest.mark.parametrize("delegated", [False, True])
async def test_a_server_that_stops_says_so_and_does_not_wait(delegated):
    told = asyncio.get_running_loop().create_future()

    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})
        told.set_result(await receive())

    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [queue("going", "http://*:80/")])])
    async with contextlib.AsyncExitStack() as stack:
        ends = await stack.enter_async_context(contextlib.AsyncExitStack())
        worker = await ends.enter_async_context(
            serving(Application(app), queue="going" if delegated else None, grace=60)
        )
        front = await stack.enter_async_context(serving(proxy, grace=60)) if delegated else worker
        url = front.url.replace("http", "ws", 1)
        socket = await stack.enter_async_context(connect(url, proxy=None))
        async with asyncio.timeout(10):
            await ends.aclose()
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
        assert caught.value.rcvd.code == 1012
        assert (await told)["code"] == 1012


@pytest.mark.parametrize("delegated", [False, True])
async def test_a_websocket_that_is_accepted_after_a_stop_began_is_told_too(delegated):
    shaking, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            raise NotImplementedError
        await receive()
        shaking.set()
        await go_on.wait()
        await send({"type": "websocket.accept"})
        await receive()

    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [queue("going", "http://*:80/")])])
    async with contextlib.AsyncExitStack() as stack:
        ends = await stack.enter_async_context(contextlib.AsyncExitStack())
        worker = await ends.enter_async_context(
            serving(Application(app), queue="going" if delegated else None, grace=60)
        )
        front = await stack.enter_async_context(serving(proxy, grace=60)) if delegated else worker
        connecting = asyncio.create_task(connect(front.url.replace("http", "ws", 1), proxy=None).__aenter__())
        await shaking.wait()
        stopping = asyncio.create_task(ends.aclose())
        await eventually(lambda: worker.server._context.stopping)
        go_on.set()
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed) as caught:
                await (await connecting).recv()
            await stopping
        assert caught.value.rcvd.code == 1012


CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A client's close frame, code 1000."""


@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("slow", [False, True])
async def test_a_delegated_websocket_whose_client_hangs_up_behind_its_close_frame_has_not_failed(first, slow):
    over = asyncio.Event()

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        if first == "server":
            await send({"type": "websocket.close"})
        await receive()
        if slow:
            await over.wait()

    lines = []
    handshake = request(
        "GET", "/", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==",
    )  # fmt: skip
    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [queue("chat", "http://*:80/")])])
    async with (
        serving(Application(application), [], queue="chat"),
        serving(proxy, write_line=lines.append, log_format="json") as served,
        await Client.connect(urlsplit(served.url).port) as peer,
    ):
        await peer.send(handshake)
        assert (await peer.answer()).status == 101
        if first == "server":
            await peer.until(b"\x88")
        await peer.send(CLOSE)
        peer.close()
        await asyncio.sleep(
            0.05
        )  # the reset has come that answers what the server sends to a client that is gone
        over.set()
        await eventually(lambda: lines)
    entry = json.loads(lines[0])
    assert (entry["status"], entry["outcome"], entry["failure"]) == (101, "delegated", None)
