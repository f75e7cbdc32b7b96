"""A proxy inside FastAPI: what destinations get, and what clients do."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from hostler import (
    Cluster,
    Destination,
    LifespanError,
    Mounted,
    Proxy,
    Route,
    UnsupportedError,
    queue,
    serving,
)
from hostler.asgi import Application
from hostler.channel import Channel
from tests.client.peers import OK, answering, connected, destination, until
from tests.wire.peers import free_port


@asynccontextmanager
async def mounted(address, **route):
    """Serve a FastAPI application with a proxy for one address at /shop; gives its URL."""
    proxy = Proxy([Route("/{**rest}", "c", **route)], [Cluster("c", [address])])
    inside = Mounted(proxy)
    app = FastAPI(lifespan=inside.lifespan)

    @app.get("/health")
    def health():
        return "well"

    app.mount("/shop", inside)
    async with serving(Application(app)) as served:
        yield served.url.rstrip("/")


def client(url):
    return httpx.AsyncClient(base_url=url, trust_env=False)


async def test_a_request_goes_to_the_destination_without_the_path_it_is_mounted_at():
    heads = []

    async def script(peer):
        while True:
            heads.append(await peer.head())
            peer.send(OK)

    async with destination(script) as there, mounted(there.address) as url, client(url) as ask:
        assert (await ask.get("/shop/a%2Fb/c?d=%20e", headers={"X-Tenant": "red"})).text == "ok"
        assert (await ask.get("/health")).json() == "well"
        assert (await ask.get("/shop/")).text == "ok"
    head = heads[0].lower()
    assert head.startswith(b"get /a%2fb/c?d=%20e http/1.1\r\n")
    assert b"\r\nx-tenant: red\r\n" in head
    assert b"\r\nx-forwarded-prefix: /shop\r\n" in head
    assert b"\r\nx-forwarded-for: 127.0.0.1\r\n" in head
    assert heads[1].startswith(b"GET / HTTP/1.1\r\n")


async def _digest(exchange):
    digest = hashlib.sha256()
    async for piece in exchange.chunks():
        digest.update(piece)
    return await exchange.respond(200, digest.hexdigest())


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_streams_to_the_destination(chunked):
    body = bytes(range(256)) * 8192

    async def pieces():
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with serving(_digest) as there, mounted(there.url) as url, client(url) as ask:
        answer = await ask.post("/shop/", content=pieces() if chunked else body)
    assert answer.text == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_held_to_the_limit_of_its_route(chunked):
    async def pieces():
        for _ in range(10):
            yield b"x" * 50

    async with (
        serving(_digest) as there,
        mounted(there.url, max_request_body_size=499) as url,
        client(url) as ask,
    ):
        answer = await ask.post("/shop/", content=pieces() if chunked else b"x" * 500)
        assert answer.status_code == 413
        assert (await ask.post("/shop/", content=b"x" * 499)).status_code == 200


@pytest.mark.parametrize("length", [None, 10 << 20])
async def test_a_body_streams_to_the_client(length):
    piece = bytes(range(256)) * 256

    async def large(exchange):
        await exchange.start(200, length=length)
        for _ in range((10 << 20) // len(piece)):
            await exchange.write(piece)
        return await exchange.end()

    async with serving(large) as there, mounted(there.url) as url, client(url) as ask:
        answer = await ask.get("/shop/")
    assert len(answer.content) == 10 << 20
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(piece * 160).digest()


async def test_a_client_that_does_not_read_stops_the_destination():
    sent = []

    async def endless(exchange):
        await exchange.start(200)
        for _ in range(1000):
            await exchange.write(b"x" * 65536)
            sent.append(1)
        return await exchange.end()

    async with serving(endless, grace=0) as there, mounted(there.url) as url:
        async with connected(url) as peer:
            peer.writer.transport.pause_reading()
            peer.send(b"GET /shop/ HTTP/1.1\r\nHost: a\r\n\r\n")
            before = -1
            while len(sent) != before:
                before = len(sent)
                await asyncio.sleep(0.2)
        assert 0 < len(sent) < 900


async def test_pieces_count_for_the_memory_that_they_take():
    gate, written = asyncio.Event(), 0

    async def drip(exchange):
        nonlocal written
        await exchange.start(200)
        while written < 10_000:
            written += 1
            await exchange.write(b"x")
        return await exchange.end()

    asked = Asked()
    send = asked.send

    async def slowly(message):
        await gate.wait()
        await send(message)

    asked.send = slowly
    answering = asyncio.create_task(asked.answered_by(drip))
    for _ in range(100):
        await asyncio.sleep(0)
    assert 0 < written < 1000
    gate.set()
    await answering
    assert sum(len(message.get("body", b"")) for message in asked.sent) == 10_000


async def test_the_ends_of_messages_without_a_body():
    async def script(exchange):
        if exchange.path == "/empty":
            return await exchange.respond(204)
        return await exchange.respond(200, "body", headers={"X-Method": exchange.method})

    async with serving(script) as there, mounted(there.url) as url, client(url) as ask:
        assert (await ask.get("/shop/empty")).status_code == 204
        head = await ask.head("/shop/a")
        assert (head.headers["content-length"], head.headers["x-method"], head.content) == ("4", "HEAD", b"")
        assert (await ask.get("/shop/a")).text == "body"


async def test_a_destination_that_cannot_be_reached_is_502():
    async with mounted(f"http://127.0.0.1:{free_port()}") as url, client(url) as ask:
        answer = await ask.get("/shop/")
    assert (answer.status_code, answer.text) == (502, "502 Bad Gateway\n")


@pytest.mark.logs_errors("the answer broke off")
async def test_an_answer_that_breaks_off_is_not_completed():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await peer.drain()
        peer.reset()

    async with destination(script) as there, mounted(there.address) as url, client(url) as ask:
        with pytest.raises(httpx.TransportError):
            await ask.get("/shop/")


async def test_a_client_that_leaves_takes_its_request_back():
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        arrived.set()
        await peer.rest()
        gone.set()

    async with destination(script) as there, mounted(there.address) as url:
        async with connected(url) as peer:
            peer.send(b"GET /shop/ HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(arrived.wait(), 10)
        await asyncio.wait_for(gone.wait(), 10)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /shop/..%2Fadmin HTTP/1.1", 400), ("GET /shop/%zz HTTP/1.1", 400), ("FOO /shop/ HTTP/1.1", 200)],
)
async def test_targets_and_methods_are_judged_as_by_hostlers_own_server(request_line, status):
    async with destination(answering(OK)) as there, mounted(there.address) as url, connected(url) as peer:
        peer.send(f"{request_line}\r\nHost: a\r\n\r\n".encode())
        assert (await peer.answer()).status == status


async def test_routes_and_prefix_of_a_proxy_that_is_the_whole_application():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there:
        proxy = Proxy([Route("/a/{**rest}", "c")], [Cluster("c", [there.address])])
        async with serving(Application(Mounted(proxy))) as served, client(served.url) as ask:
            assert (await ask.get("/a/b")).text == "ok"
            assert (await ask.get("/b")).status_code == 404
    assert b"prefix" not in heads[0].lower()


async def test_delegating_is_refused_when_it_starts():
    proxy = Proxy([Route("/", "c")], [Cluster("c", [queue("q", "http://*:80/")])])
    with pytest.raises(UnsupportedError, match="a mounted handler cannot delegate to the queue q: "):
        async with Mounted(proxy).lifespan():
            pass
    with pytest.raises(LifespanError, match="cannot delegate to the queue q"):
        async with serving(Application(Mounted(proxy))):
            pass


async def test_a_handler_whose_lifespan_was_forgotten_says_what_to_do():
    async def nothing(message=None):
        return {}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match=r"FastAPI\(lifespan=mounted.lifespan\)"):
        await Mounted(Proxy())(scope, nothing, nothing)


class Asked:
    """A server outside, by hand: one request, and what was sent for it."""

    def __init__(self, *messages, **scope):
        self.scope = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
        self._messages = list(messages)
        self.sent = []

    async def receive(self):
        if self._messages:
            return self._messages.pop(0)
        return await asyncio.get_running_loop().create_future()

    async def send(self, message):
        self.sent.append(message)

    async def answered_by(self, handler):
        made = Mounted(handler)
        async with made.lifespan():
            await made(self.scope, self.receive, self.send)
        return self


GONE = {"type": "http.disconnect"}


def _piece(body, *, more):
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("messages", "scope"),
    [
        ([_piece(b"", more=False), GONE], {}),
        ([_piece(b"a" * 10, more=False), GONE], {"method": "POST", "headers": [(b"content-length", b"10")]}),
        ([_piece(b"a", more=True), GONE], {"method": "POST", "headers": [(b"content-length", b"10")]}),
        ([*[_piece(b"a", more=True)] * 999, GONE], {"http_version": "2", "method": "POST"}),
    ],
)
async def test_a_client_that_leaves_while_its_request_waits_is_noticed(messages, scope):
    async def wait(exchange):
        left = asyncio.Event()
        exchange.stream.when_departed(lambda _: left.set())
        await asyncio.wait_for(left.wait(), 5)
        assert exchange.stream.closed
        return exchange.outcome("x")

    assert (await Asked(*messages, **scope).answered_by(wait)).sent == []


@pytest.mark.parametrize("expect", [False, True])
async def test_of_a_body_that_waits_little_is_taken_and_nothing_before_100_continue(expect):
    asked = Asked(http_version="2", method="POST", headers=[(b"expect", b"100-continue")] * expect)
    asked._messages = [*[_piece(b"a" * 1000, more=True)] * 1000, _piece(b"", more=False)]
    taken = []

    async def wait(exchange):
        exchange.stream.when_departed(print)
        for _ in range(2000):
            await asyncio.sleep(0)
        taken.append(1001 - len(asked._messages))
        exchange.stream.when_departed(None)
        return await exchange.respond(200, str(len(await exchange.read(1 << 20))))

    await asked.answered_by(wait)
    assert taken == [0 if expect else 66]
    assert asked.sent[1]["body"] == b"1000000"


async def test_a_pump_that_is_full_of_what_waited_gets_no_more():
    asked = Asked(http_version="2", method="POST")
    asked._messages = [_piece(b"a" * 70_000, more=True) for _ in range(10)]
    fed = []

    async def wait(exchange):
        stream = exchange.stream
        stream.when_departed(print)
        await until(lambda: len(asked._messages) == 9)

        class Full(Channel):
            def feed(self, data):
                fed.append(len(data))
                if len(fed) == 1:
                    stream.pause()

        stream.attach(Full(stream))
        for _ in range(100):
            await asyncio.sleep(0)
        return await exchange.respond(200)

    await asked.answered_by(wait)
    assert fed == [70_000]


class MiddlewareError(Exception):
    pass


@pytest.mark.parametrize("which", ["receive", "send"])
async def test_what_the_application_around_it_raises_is_raised_to_it_and_ends_the_exchange(which):
    """A middleware that counts bytes raises in `receive`, one that checks answers in `send`."""

    async def fail(*_):
        raise MiddlewareError

    async def write(exchange):
        await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(b"x" * 65536)
        return exchange.outcome("x")

    async def read(exchange):
        with pytest.raises(ConnectionError):
            await exchange.read()
        return exchange.outcome("x")

    asked = Asked(http_version="2", method="POST")
    setattr(asked, which, fail)
    with pytest.raises(MiddlewareError):
        await asyncio.wait_for(asked.answered_by(read if which == "receive" else write), 5)
    assert asked.sent == []


async def _path(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}|{exchange.client[0]}")


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ({"path": "/a b"}, "|/a b|unknown"),
        ({"path": "/a", "root_path": "/r", "client": ("192.0.2.1", 5)}, "|/a|192.0.2.1"),
        ({"path": "/r/a", "root_path": "/r", "client": ("192.0.2.1", None)}, "/r|/a|192.0.2.1"),
        ({"path": "/a", "client": ("::ffff:192.0.2.1", 5)}, "|/a|192.0.2.1"),
        ({"path": "/a", "client": ("2001:db8::1", 5)}, "|/a|2001:db8::1"),
        ({"path": "/a", "client": ("fe80::1%eth0", 5)}, "|/a|fe80::1%eth0"),
        ({"path": "/a", "client": ("unix:/tmp/socket", None)}, "|/a|unknown"),
        ({"path": "/rest", "root_path": "/r"}, "|/rest|unknown"),
        ({"path": "/r", "root_path": "/r/"}, "/r||unknown"),
        ({"path": "/x", "raw_path": b"/r/%41?q", "root_path": "/r"}, "/r|/A|unknown"),
    ],
)
async def test_where_servers_put_the_path(scope, text):
    asked = await Asked(**scope).answered_by(_path)
    assert asked.sent[0]["status"] == 200
    assert b"".join(message.get("body", b"") for message in asked.sent) == text.encode()


async def _cookies(exchange):
    return await exchange.respond(200, "|".join(exchange.request.headers.get_all("cookie")))


async def test_cookies_that_come_on_several_lines_go_on_as_one():
    headers = [(b"cookie", b"a=1"), (b"accept", b"*/*"), (b"cookie", b"b=2")]
    asked = await Asked(http_version="2", headers=headers).answered_by(_cookies)
    assert asked.sent[1]["body"] == b"a=1; b=2"


async def _length(exchange):
    return await exchange.respond(200, f"{exchange.request.framing} {len(await exchange.read())}")


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ({"http_version": "2", "method": "POST"}, "-1 5"),
        ({"http_version": "2", "method": "GET"}, "0 0"),
        ({"http_version": "1.1", "method": "POST"}, "0 0"),
        ({"method": "POST", "headers": [(b"content-length", b"5")]}, "5 5"),
        ({"method": "GET", "headers": [(b"transfer-encoding", b"chunked")]}, "-1 5"),
    ],
)
async def test_how_long_a_body_is(scope, text):
    body = {"type": "http.request", "body": b"hello", "more_body": False}
    asked = await Asked(body, **scope).answered_by(_length)
    assert b"".join(message.get("body", b"") for message in asked.sent) == text.encode()


LENGTH, CHUNKS = (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")
HEAD = b" / HTTP/1.1\r\nHost: there\r\nX-Forwarded-For: unknown\r\nX-Forwarded-Proto: http\r\n"


@pytest.mark.parametrize(
    ("scope", "body", "expected"),
    [
        (  # as uvicorn with h11 has it
            {"method": "POST", "headers": [LENGTH, CHUNKS]},
            b"hello world",
            b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
        ),
        (
            {"method": "POST", "headers": [LENGTH, LENGTH]},
            b"hello",
            b"POST" + HEAD.replace(b"X-", b"content-length: 5\r\nX-", 1) + b"\r\nhello",
        ),
        ({"http_version": "2"}, b"GET /smuggled HTTP/1.1\r\n\r\n", b"GET" + HEAD + b"\r\n"),
        ({"method": "POST", "headers": [LENGTH]}, b"hello world", None),
        ({"method": "POST", "headers": [LENGTH]}, b"hell", None),
    ],
)
async def test_destinations_read_bodies_as_the_server_outside_does(scope, body, expected):
    got = []

    async def script(peer):
        got.append(await peer.some())
        if expected is None:
            got.append(await peer.rest())
            return
        while len(got[0]) < len(expected):
            got[0] += await peer.some()
        peer.send(OK)
        got.append(await peer.rest())

    async with destination(script) as there:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [Destination(there.address, host="there")])])
        message = {"type": "http.request", "body": body, "more_body": False}
        asked = await Asked(message, **scope).answered_by(proxy)
        await until(lambda: len(got) != 1)
    assert asked.sent[0]["status"] == (400 if expected is None else 200)
    if expected is not None:
        assert b"".join(got) == expected
    else:
        assert b"world" not in b"".join(got)


@pytest.mark.parametrize("value", [b"", b"-1", b"5, 5", b"1" * 19])
async def test_a_length_that_is_none_is_400(value):
    asked = await Asked(method="POST", headers=[(b"content-length", value)]).answered_by(_length)
    assert asked.sent[0]["status"] == 400


async def test_a_client_that_is_gone_when_something_is_sent():
    async def send(message):
        raise OSError("gone")

    asked = Asked()
    asked.send = send
    await asked.answered_by(_path)


@pytest.mark.parametrize("unanswered", [lambda exchange: asyncio.sleep(0, exchange.outcome("x"))])
async def test_an_exchange_that_nobody_answered_is_500(unanswered):
    asked = await Asked().answered_by(unanswered)
    assert asked.sent[0]["status"] == 500
