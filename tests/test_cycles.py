"""No exchange leaves a cycle of ours behind: memory comes back by itself, however an exchange ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import struct
from collections import Counter

import pytest

from hostler import Cluster, Proxy, Route, serving
from hostler.asgi import Application
from tests.client.peers import until

ROUNDS = 5
RESET = struct.pack("ii", 1, 0)


class Ballast:
    """What an application holds while it answers."""


def app_that(act):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        ballast = Ballast()
        await act(receive, send)
        del ballast

    return Application(app)


async def answer(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def raise_at_once(receive, send):
    raise LookupError("a bug")


async def raise_in_the_middle(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    raise LookupError("a bug")


async def raise_from_another(receive, send):
    try:
        await raise_at_once(receive, send)
    except LookupError as error:
        raise ValueError("another") from error


async def leave_undone(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def wait_for_the_client(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def write_for_ever(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


async def read_the_body(receive, send):
    while (await receive()).get("more_body"):
        pass
    await answer(receive, send)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
WHOLE = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


async def ask(url, request, *, stays):
    """Send a request, wait for the first of its answer or its end, and leave."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    if stays:
        await reader.read(65536)
    else:
        await asyncio.sleep(0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def ours(thing):
    module = type(thing).__module__
    return module.startswith("hostler") or isinstance(thing, (Ballast, BaseException))


async def left_behind(handler, request, *, stays=True):
    """Count what the collector alone could free after a number of exchanges."""
    async with serving(handler, grace=1) as served:
        await ask(served.url, request, stays=stays)  # what is made once is made now
        await idle(served)
        gc.collect()
        gc.disable()
        logging.disable()  # pytest keeps what is logged, exceptions and all
        try:
            for _ in range(ROUNDS):
                await ask(served.url, request, stays=stays)
            await idle(served)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            return Counter(type(thing).__qualname__ for thing in gc.garbage if ours(thing))
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            logging.disable(logging.NOTSET)


async def idle(served):
    """Wait until the server has noticed that its clients are gone."""
    context = served.server._context
    await until(lambda: not context.connections and not context.handling.tasks)
    await asyncio.sleep(0)


@pytest.mark.logs_errors("the application (raised|returned)", sometimes=True)
@pytest.mark.parametrize(
    ("act", "request_"),
    [
        (answer, GET),
        (raise_at_once, GET),
        (raise_in_the_middle, GET),
        (raise_from_another, GET),
        (leave_undone, GET),
        (wait_for_the_client, GET),
        (write_for_ever, GET),
        (read_the_body, WHOLE),
        (raise_at_once, HALF),
    ],
)
async def test_an_application_leaves_nothing(act, request_):
    assert await left_behind(app_that(act), request_) == {}


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing():
    assert await left_behind(app_that(read_the_body), HALF, stays=False) == {}


@pytest.mark.parametrize("request_", [GET, WHOLE, HALF])
async def test_a_forwarded_request_leaves_nothing(request_):
    async with serving(app_that(answer)) as destination:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [destination.url])])
        assert await left_behind(proxy, request_) == {}


async def test_a_destination_that_is_not_there_leaves_nothing():
    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", ["http://127.0.0.1:1"])])
    assert await left_behind(proxy, GET) == {}


async def test_a_client_that_leaves_a_forwarded_request_leaves_nothing():
    async with serving(app_that(write_for_ever)) as destination:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [destination.url])])
        assert await left_behind(proxy, GET) == {}
