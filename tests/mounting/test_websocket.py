"""WebSockets through a proxy inside FastAPI."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hostler.mounting.request import make_exchange
from hostler.testing import FakeStream
from tests.client.peers import destination
from tests.mounting.test_http import mounted


@asynccontextmanager
async def through(handler, **options):
    """Serve WebSockets behind a mounted proxy; gives the URL for a client."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        async with mounted(f"http://127.0.0.1:{port}") as url:
            yield url.replace("http://", "ws://") + "/shop/chat"


def client(url, **options):
    return connect(url, proxy=None, **options)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize(
    "message", ["text", "\u00fcnicode", "", b"binary\0", b"", "x" * 300_000, b"y" * 300_000]
)
async def test_a_message_comes_back(message):
    async with through(echo) as url, client(url, max_size=None) as connection:
        await connection.send(message)
        assert await connection.recv() == message


async def test_many_messages_in_both_directions():
    async with through(echo) as url, client(url) as connection:

        async def send():
            for number in range(500):
                await connection.send(str(number) * 100)

        sending = asyncio.create_task(send())
        assert [await connection.recv() for _ in range(500)] == [str(number) * 100 for number in range(500)]
        await sending


async def test_a_message_in_fragments_is_put_together():
    async def fragments(connection):
        await connection.send(["a", "b", "c"])
        await connection.wait_closed()

    async with through(fragments) as url, client(url) as connection:
        assert await connection.recv() == "abc"


async def test_the_handshake_is_passed_on():
    seen = []

    async def look(connection):
        seen.append((connection.request.path, connection.request.headers["Cookie"], connection.subprotocol))
        await connection.wait_closed()

    async with (
        through(look, subprotocols=["chat.2"]) as url,
        client(
            f"{url}?room=1", additional_headers={"Cookie": "a=b"}, subprotocols=["chat.1", "chat.2"]
        ) as connection,
    ):
        assert connection.subprotocol == "chat.2"
    assert seen == [("/chat?room=1", "a=b", "chat.2")]


def test_a_handshake_has_no_body_whatever_it_says():
    headers = [(b"host", b"a"), (b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "websocket", "path": "/", "headers": headers}
    request = make_exchange(scope, FakeStream()).request
    assert (request.framing, list(request.headers)) == (0, [("host", "a")])


async def test_a_destination_closes_with_a_code():
    async def close(connection):
        await connection.close(4001, "enough")

    async with through(close) as url, client(url) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")


async def test_a_client_closes_with_a_code():
    closed = asyncio.get_running_loop().create_future()

    async def wait(connection):
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason))

    async with through(wait) as url:
        async with client(url) as connection:
            await connection.close(4002, "bye")
        assert await asyncio.wait_for(closed, 10) == (4002, "bye")


async def test_a_refusal_is_passed_on():
    async def refuse(connection, request):
        return connection.respond(401, "who are you?\n")

    async with through(echo, process_request=refuse) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with client(url):
                pass
    assert (refused.value.response.status_code, bytes(refused.value.response.body)) == (
        401,
        b"who are you?\n",
    )


async def test_a_destination_that_vanishes_closes_the_clients_connection():
    async def vanish(connection):
        connection.transport.abort()
        await connection.wait_closed()

    async with through(vanish) as url, client(url) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1011


@pytest.mark.parametrize(
    "headers",
    [
        b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        b"",
    ],
)
async def test_a_destination_that_did_not_understand_the_handshake_is_502(headers):
    async def script(peer):
        await peer.head()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + headers
            + b"\r\n"
        )
        await peer.rest()

    async with destination(script) as there, mounted(there.address) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with client(url.replace("http://", "ws://") + "/shop/"):
                pass
    assert refused.value.response.status_code == 502


async def test_a_client_that_vanishes_ends_the_destinations_connection():
    closed = asyncio.get_running_loop().create_future()

    async def wait(connection):
        await connection.wait_closed()
        closed.set_result(True)

    async with through(wait) as url:
        async with client(url) as connection:
            connection.transport.abort()
        assert await asyncio.wait_for(closed, 10)
