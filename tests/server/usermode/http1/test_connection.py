from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
from typing import Final

import pytest
from attrs import evolve

from hostler.answering import begin_response, finish_response
from hostler.http.headers import Headers
from hostler.http.heads import read_request
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED, Response
from hostler.outcome import Kind
from hostler.server.usermode.http1 import connection as connection_module
from hostler.server.usermode.http1.connection import UNREAD_LIMIT, Phase
from tests.server.usermode.peers import (
    HOST,
    Client,
    chunked,
    connected,
    eventually,
    options,
    request,
    serving,
)


async def hello(exchange):
    return await exchange.respond(200, f"hello {exchange.path}")


async def echo(exchange):
    return await exchange.respond(200, await exchange.read(1 << 26))


async def later(exchange):
    """Answer, but not at once."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await exchange.respond(200, f"hello {exchange.path}")


async def is_closed(client):
    """Whether the connection ended in order and without another byte."""
    return await client.rest() == b""


# -- one after the other ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [hello, later, echo])
async def test_a_connection_carries_one_request_after_the_other(handler):
    async with connected(handler) as client:
        for _ in range(5):
            answer = await client.get("/x")
            assert answer.status == 200
            assert "connection" not in answer.headers
            assert "date" in answer.headers


@pytest.mark.parametrize("handler", [hello, later])
async def test_pipelined_requests_are_answered_in_order(handler):
    async with connected(handler) as client:
        await client.send(b"".join(request("GET", f"/{number}") for number in range(1000)))
        for number in range(1000):
            assert (await client.answer()).body == b"hello /%d" % number


async def test_pipelined_bodies_go_to_their_own_requests():
    async with connected(echo) as client:
        await client.send(b"".join(request("POST", "/", body=b"%d" % number) for number in range(1, 300)))
        for number in range(1, 300):
            assert (await client.answer()).body == b"%d" % number


async def test_bodies_that_the_handler_ignores_are_read_over():
    async with connected(hello) as client:
        for path in ("/a", "/b"):
            await client.send(request("POST", path, body=b"x" * 300_000))
            await client.send(
                request("POST", path, "Transfer-Encoding: chunked") + chunked(b"y" * 100_000, b"z")
            )
        for path in ("/a", "/a", "/b", "/b"):
            assert (await client.answer()).body == f"hello {path}".encode()
        assert (await client.get("/c")).body == b"hello /c"


async def test_requests_cut_into_single_bytes_are_the_same_requests():
    async with connected(echo) as client:
        for byte in request("POST", "/", body=b"first") + request("GET", "/"):
            await client.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert [(await client.answer()).body for _ in range(2)] == [b"first", b""]


async def test_an_exchange_inherits_nothing_from_the_one_before_it():
    seen = contextvars.ContextVar("seen", default=None)

    async def handler(exchange):
        before = seen.get()
        seen.set(exchange.path)
        await asyncio.sleep(0)
        return await exchange.respond(200, str(before))

    async with connected(handler) as client:
        await client.send(request("GET", "/1") + request("GET", "/2") + request("GET", "/3"))
        assert [(await client.answer()).body for _ in range(3)] == [b"None"] * 3


@pytest.mark.parametrize(
    ("version", "lines", "kept"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: Close, x"], False),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], True),
    ],
)
async def test_a_connection_is_kept_as_the_client_asks(version, lines, kept):
    async with connected(hello) as client:
        answer = await client.get("/", *lines, version=version)
        assert answer.body == b"hello /"
        if kept:
            assert answer.headers.get("connection") == ("keep-alive" if version == "1.0" else None)
            assert (await client.get("/again")).body == b"hello /again"
        else:
            assert answer.headers["connection"] == "close"
            assert await is_closed(client)


async def test_what_follows_a_last_request_is_not_answered():
    async with connected(hello) as client:
        await client.send(request("GET", "/", "Connection: close") + request("GET", "/more"))
        assert (await client.answer()).body == b"hello /"
        assert await is_closed(client)


# -- half-closed clients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [hello, later, echo])
async def test_a_client_that_sends_no_more_gets_its_answer(handler):
    async with connected(handler) as client:
        await client.send(request("GET", "/"))
        client.shut()
        assert (await client.answer()).status == 200
        assert await is_closed(client)


@pytest.mark.parametrize("handler", [hello, later])
async def test_a_client_that_sends_no_more_gets_all_its_answers(handler):
    async with connected(handler) as client:
        await client.send(b"".join(request("GET", f"/{number}") for number in range(20)))
        client.shut()
        for number in range(20):
            assert (await client.answer()).body == b"hello /%d" % number
        assert await is_closed(client)


async def test_a_client_that_breaks_off_its_body_gets_400():
    async with connected(echo) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        client.shut()
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert await is_closed(client)


async def test_a_body_that_breaks_off_is_not_waited_for_when_nobody_reads_it():
    async with connected(hello) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        client.shut()
        assert (await client.answer()).status == 200
        assert await is_closed(client)


async def test_half_a_head_and_no_more_is_no_request():
    async with connected(hello) as client:
        await client.send(b"GET / HTTP/1.1\r\nHos")
        client.shut()
        assert await is_closed(client)


# -- clients that go away ---------------------------------------------------------------------------------------------


async def test_a_handler_learns_that_its_client_reset_the_connection():
    told = asyncio.get_running_loop().create_future()
    started = asyncio.Event()

    async def handler(exchange):
        started.set()
        await exchange.channel().disconnected()
        outcome = await exchange.respond(200)
        told.set_result(outcome)
        return outcome

    async with connected(handler) as client:
        await client.send(request("GET", "/"))
        await started.wait()
        client.reset()
        async with asyncio.timeout(5):
            await told


async def test_reading_the_body_of_a_client_that_is_gone_fails():
    told = asyncio.get_running_loop().create_future()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        try:
            await exchange.read()
        except ConnectionError as error:
            told.set_result(error)
        return await exchange.respond(200)

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("POST", "/", "Content-Length: 10"))
        await started.wait()
        client.reset()
        await eventually(lambda: not server._context.connections)
        go_on.set()
        async with asyncio.timeout(5):
            await told


# -- time -------------------------------------------------------------------------------------------------------------


async def test_an_idle_connection_is_closed_without_a_word():
    async with connected(hello, settings=options(idle_connection=0.05)) as client:
        assert await is_closed(client)


async def test_a_connection_that_idles_after_a_request_is_closed_too():
    async with connected(hello, settings=options(idle_connection=0.05)) as client:
        await client.get()
        assert await is_closed(client)


async def test_a_head_that_does_not_come_in_time_is_408():
    async with connected(hello, settings=options(header_wait=0.05)) as client:
        await client.send(b"GET / HTTP/1.1\r\n")
        assert (await client.answer()).status == 408
        assert await is_closed(client)


async def test_a_head_has_its_time_from_its_first_byte_however_many_follow():
    async with connected(hello, settings=options(header_wait=0.1)) as client:
        await client.send(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises((ConnectionError, TimeoutError)):
            async with asyncio.timeout(5):
                while not select_readable(client.socket):
                    await client.send(b"x")
                    await asyncio.sleep(0.01)
                raise TimeoutError
        assert (await client.answer()).status == 408


def select_readable(sock):
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def test_a_second_head_has_a_time_of_its_own():
    async with connected(hello, settings=options(header_wait=0.05)) as client:
        await client.send(request("GET", "/") + b"GET /again HT")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 408


async def test_a_body_that_stalls_is_408(caplog):
    async with connected(echo, settings=options(entity_body=0.05)) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await is_closed(client)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_body_that_stalls_behind_a_response_that_has_begun_is_a_broken_response():
    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"x")
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    async with connected(handler, settings=options(entity_body=0.05)) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_a_body_may_take_its_time_while_the_handler_does_not_want_it():
    async def handler(exchange):
        async for _ in exchange.chunks():
            break
        await asyncio.sleep(0.1)
        return await exchange.respond(200, b"%d" % len(await exchange.read(1 << 26)))

    async with connected(handler, settings=options(entity_body=0.05)) as client:
        await client.send(request("POST", "/", body=b"x" * 1_000_000))
        assert (await client.answer()).status == 200


async def test_a_body_that_is_not_read_over_in_time_ends_the_connection():
    async with connected(hello, settings=options(drain_entity_body=0.05)) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        assert (await client.answer()).status == 200
        assert await is_closed(client)


async def big(exchange):
    """Answer with a lot, whether the client takes it or not."""
    begin_response(exchange, Response(200, Headers(), CHUNKED))
    for _ in range(64):
        exchange.stream.write(bytes(1 << 20))
    finish_response(exchange)
    return exchange.outcome(Kind.RESPONDED)


async def streamed(exchange):
    """Answer with a lot, as fast as the client takes it."""
    await exchange.start(200)
    for _ in range(64):
        await exchange.write(bytes(1 << 20))
    return await exchange.end()


@pytest.mark.parametrize("handler", [big, streamed])
@pytest.mark.parametrize("line", ["Connection: close", "X-Kept: yes"])
async def test_a_client_that_takes_nothing_is_aborted(handler, line):
    settings = options(send=0.05, idle_connection=0.05)
    async with (
        serving(handler, settings=settings) as server,
        await Client.connect(server.port, receive_buffer=4096) as client,
    ):
        await client.send(request("GET", "/", line))
        await eventually(lambda: server._context.connections)
        await eventually(lambda: not server._context.connections)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_a_client_that_takes_nothing_of_a_small_rest_is_aborted_too():
    async def handler(exchange):
        # the system takes some of it, and the rest is less than would hold up a producer
        sock = exchange.stream._socket.raw()
        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        return await exchange.respond(200, bytes(size + 3_000_000))

    settings = options(send=0.05, idle_connection=0.05)
    async with (
        serving(handler, settings=settings) as server,
        await Client.connect(server.port, receive_buffer=4096) as client,
    ):
        await client.send(request("GET", "/", "Connection: close"))
        await eventually(lambda: server._context.connections)
        await eventually(lambda: not server._context.connections)


async def test_a_client_that_is_slow_but_takes_something_is_not_aborted():
    async with connected(streamed, receive_buffer=65536, settings=options(send=0.2)) as client:
        await client.send(request("GET", "/"))
        size = 0
        while size < 64 << 20:
            piece = await client.receive()
            assert piece
            size += len(piece)
            if size < 1 << 20:
                await asyncio.sleep(0.01)


async def test_a_connection_that_idles_after_a_large_answer_is_closed_too():
    async with connected(streamed, settings=options(idle_connection=0.3, send=5)) as client:
        await client.send(request("GET", "/"))
        assert len((await client.answer()).body) == 64 << 20
        assert await is_closed(client)


async def test_a_body_that_stalls_during_a_large_answer_is_noticed():
    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(bytes(1 << 24))
        async for _ in exchange.chunks():
            pass
        return await exchange.end()

    async with connected(handler, settings=options(entity_body=0.2, send=5)) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"short")
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_a_timeout_of_infinity_never_comes():
    forever = dict.fromkeys(
        ["header_wait", "entity_body", "drain_entity_body", "idle_connection", "send"], float("inf")
    )
    async with connected(echo, settings=options(**forever)) as client:
        await client.send(request("POST", "/", "Content-Length: 5"))
        await client.send(b"first")
        assert (await client.answer()).body == b"first"
        assert (await client.get()).status == 200


# -- what is no request -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: local host\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /../../x\\y HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"PRI * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET /" + b"x" * 500 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: x\r\n" * 20 + b"\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused_and_ends_the_connection(head, status):
    limits = Limits(request_line=200, head=1000, headers=10)
    async with connected(hello, settings=options(limits=limits)) as client:
        await client.send(head + request("GET", "/not-answered"))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert await is_closed(client)


async def test_what_is_no_request_is_refused_behind_one_that_was():
    async with connected(later) as client:
        await client.send(request("GET", "/") + b"nonsense\r\n\r\n")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert await is_closed(client)


async def test_a_refusal_reaches_a_client_that_is_still_sending():
    async with connected(hello) as client:
        await client.send(b"nonsense\r\n\r\n" + b"x" * 1_000_000)
        assert (await client.answer()).status == 400
        client.shut()
        assert await is_closed(client)


async def test_empty_lines_before_a_request_are_read_over():
    async with connected(hello) as client:
        await client.send(b"\r\n\r\n" + request("GET", "/"))
        assert (await client.answer()).status == 200


@pytest.mark.parametrize(
    ("url", "host", "path", "status"),
    [
        ("http://localhost:0/", "localhost", "/", 200),
        ("http://localhost:0/", "LOCALHOST:1", "/", 200),
        ("http://localhost:0/", "example.com", "/", 400),
        ("http://+:0/a/", "example.com", "/a/b", 200),
        ("http://+:0/a/", "example.com", "/a", 200),
        ("http://+:0/a/", "example.com", "/ab", 404),
        ("http://127.0.0.1:0/a/", "example.com", "/b", 404),
        ("http://0.0.0.0:0/a/", "example.com", "/b", 404),
    ],
)
async def test_a_request_is_placed_under_a_url_prefix_or_refused(url, host, path, status):
    async with connected(hello, urls=[url]) as client:
        await client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await client.answer()).status == status


async def test_an_exchange_says_where_it_came_from_and_what_for():
    seen = []

    async def handler(exchange):
        seen.append(exchange)
        return await exchange.respond(204)

    async with connected(handler, urls=["http://+:0/Base/"]) as client:
        await client.get("/base/a%20b?q", "X-Line: 1")
        (exchange,) = seen
        assert exchange.client == client.socket.getsockname()
        assert exchange.server == client.socket.getpeername()
        assert (exchange.path_base, exchange.path) == ("/base", "/a b")
        assert (exchange.host, exchange.port, exchange.scheme) == ("localhost", 80, "http")
        assert exchange.target.query == b"q"
        assert exchange.request.headers.get("x-line") == "1"


async def test_the_authority_of_an_absolute_target_counts_more_than_host():
    async def handler(exchange):
        return await exchange.respond(200, f"{exchange.host} {exchange.port} {exchange.path}")

    async with connected(handler, urls=["http://+:0/"]) as client:
        await client.send(b"GET http://other:81/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.answer()).body == b"other 81 /x"


# -- handlers that fail -----------------------------------------------------------------------------------------------


async def test_a_handler_that_raises_is_a_500(caplog):
    async def handler(exchange):
        raise LookupError("lost it")

    async with connected(handler) as client:
        assert (await client.get()).status == 500
        assert (await client.get()).status == 500
    assert "lost it" in caplog.text


async def test_a_handler_that_answers_nothing_is_a_500(caplog):
    async def handler(exchange):
        return None

    async with connected(handler) as client:
        assert (await client.get()).status == 500
    assert "unanswered" in caplog.text


@pytest.mark.logs_errors("failed in the handler")
async def test_a_handler_that_raises_in_the_middle_breaks_its_response():
    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"half")
        raise LookupError

    async with connected(handler) as client:
        await client.send(request("GET", "/", version="1.0"))
        # the client must not take this for the end of the body
        with pytest.raises(ConnectionResetError):
            await client.answer()


@pytest.mark.parametrize("how", ["raises", "answers nothing", "answers"])
@pytest.mark.logs_errors("its callbacks failed|failed in the handler|left it unanswered")
async def test_a_callback_that_fails_does_not_leave_the_client_waiting(how):
    def callback(headers):
        headers.append((b"x", b"a\r\nb: c"))

    async def handler(exchange):
        exchange.on_response(callback)
        if how == "raises":
            raise LookupError
        if how == "answers":
            return await exchange.respond(200)
        return None

    async with connected(handler) as client:
        await client.send(request("GET", "/"))
        try:
            answer = await client.answer()
        except (ConnectionResetError, EOFError):
            return
        assert answer.status == 500
        assert "b" not in answer.headers


# -- memory -----------------------------------------------------------------------------------------------------------


async def test_a_client_that_pipelines_and_reads_nothing_is_held_back():
    served = 0

    async def handler(exchange):
        nonlocal served
        served += 1
        return await exchange.respond(200, bytes(1 << 20))

    async with (
        serving(handler) as server,
        await Client.connect(server.port, receive_buffer=4096) as client,
    ):
        await client.send(b"".join(request("GET", f"/{number}") for number in range(1000)))
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket.write_paused)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert served < 30
        assert connection.socket.unsent < 4 << 20
        before = served
        size = 0
        while size < 20 << 20:
            size += len(await client.receive())
        assert served > before


async def test_a_client_that_sends_more_than_is_wanted_is_held_back():
    started = asyncio.Event()

    async def handler(exchange):
        started.set()
        await asyncio.Event().wait()

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("POST", "/", "Content-Length: 100000000"))
        await started.wait()
        sending = asyncio.create_task(client.send(bytes(50_000_000)))
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket._reading.paused)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert len(connection.connection._unread) < 1 << 20
        assert not sending.done()
        sending.cancel()
        await asyncio.wait([sending])


def pipeline(port):
    """Send requests for as long as they are taken, and read nothing; bounded."""
    with socket.create_connection(("127.0.0.1", port)) as client, contextlib.suppress(TimeoutError):
        client.settimeout(0.3)
        for _ in range(400):
            client.sendall(request("GET", "/") * 1000)


ONE_READ: Final = 1 << 18
"""The most that an event loop reads at once."""


@pytest.mark.parametrize("handler", [hello, later])
async def test_what_a_pipelining_client_may_have_unread_is_bounded(handler):
    most = 0
    async with serving(handler) as server:
        sending = asyncio.create_task(asyncio.to_thread(pipeline, server.port))
        while not sending.done():
            await asyncio.sleep(0.001)
            for owner in server._context.connections:
                most = max(most, len(owner.connection._unread))
        await sending
    assert 0 < most <= UNREAD_LIMIT + ONE_READ


async def test_an_exchange_keeps_the_bytes_of_its_head_and_no_others_of_that_read():
    seen = []

    async def handler(exchange):
        seen.append(exchange)
        return await exchange.respond(200, "ok")

    async with serving(handler) as server, await Client.connect(server.port) as client:
        one = request("POST", "/", "Content-Length: 100000")
        await client.send(one + bytes(100_000))
        await eventually(lambda: seen)
        kept = [part for part in seen[0].plain if isinstance(part, bytes)]
        assert max(kept, key=len) == one


async def test_a_head_is_judged_once_whether_it_is_plain(monkeypatch):
    judged = []

    def counted(data, *limits):
        judged.append(data)
        return read_request(data, *limits)

    monkeypatch.setattr(connection_module, "read_request", counted)
    async with serving(hello) as server, await Client.connect(server.port) as client:
        odd, plain = request("GET", "/odd", "Expect: nothing"), request("GET", "/plain")
        for whole in (odd, plain, odd + plain + odd):
            judged.clear()
            await client.send(whole)
            for _ in range(whole.count(b"\r\n\r\n")):
                assert (await client.answer()).status == 200
            assert len(judged) == whole.count(b"\r\n\r\n")


# -- stopping ---------------------------------------------------------------------------------------------------------


async def test_stopping_closes_idle_connections_at_once():
    async with serving(hello) as server, await Client.connect(server.port) as client:
        await client.get()
        await server.stop(5)
        assert await is_closed(client)


async def test_stopping_lets_an_exchange_finish_and_says_that_it_is_the_last():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "done")

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/"))
        await started.wait()
        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await refused(server.port)
        go_on.set()
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        assert await is_closed(client)
        await stopping


async def refused(port):
    """Connect until that is refused."""
    async with asyncio.timeout(5):
        while True:
            (await Client.connect(port)).close()
            await asyncio.sleep(0.001)


async def test_stopping_lets_a_slow_client_take_the_rest_of_its_answer():
    async with serving(big) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/"))
        await client.until(b"\r\n\r\n")
        stopping = asyncio.create_task(server.stop(10))
        size = 0
        while True:
            piece = await client.receive()
            size += len(piece)
            if not piece:
                break
        assert size > 64 << 20
        await stopping


async def test_stopping_aborts_an_exchange_that_is_not_over_in_time():
    started = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"half")
        started.set()
        await asyncio.Event().wait()

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/"))
        await started.wait()
        await server.stop(0.05)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_stopping_does_not_wait_for_a_client_that_reads_nothing():
    async with (
        serving(big) as server,
        await Client.connect(server.port, receive_buffer=4096) as client,
    ):
        await client.send(request("GET", "/"))
        await client.until(b"\r\n\r\n")
        async with asyncio.timeout(5):
            await server.stop(0.05)
        await eventually(lambda: not server._context.connections)


async def test_phases_are_left_in_order():
    async with serving(echo) as server, await Client.connect(server.port) as client:
        await client.send(request("POST", "/", "Content-Length: 2") + b"a")
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        connection = connection.connection
        await eventually(lambda: connection.phase is Phase.BODY)
        await client.send(b"b")
        await client.answer()
        assert connection.phase is Phase.IDLE
        client.close()
        await eventually(lambda: connection.phase is Phase.OVER)


# -- clients that are gone --------------------------------------------------------------------------------------------


HALF_CLOSING = evolve(options(half_closed=0.05), half_closing_clients=True)


async def test_a_client_that_closed_its_side_is_gone_and_what_is_answered_all_the_same_is_written():
    async def handler(exchange):
        await exchange.channel().disconnected()
        assert not exchange.stream.closed
        return await exchange.respond(200, str(exchange.stream.failure))

    async with connected(handler) as client:
        await client.send(request("POST", "/", body=b"all of it"))
        client.shut()
        answer = await client.answer()
        assert answer.body == b"RequestCanceled: the client ended its side of the connection"
        assert answer.headers["connection"] == "close"
        assert await is_closed(client)


async def test_a_handler_that_has_no_answer_for_a_client_that_is_gone_need_not_make_one_up():
    async def handler(exchange):
        await exchange.channel().disconnected()
        return exchange.outcome(Kind.FAILED)

    async with connected(handler) as client:
        await client.send(request("GET", "/"))
        client.shut()
        assert (await client.answer()).status == 400


async def test_a_client_is_gone_too_that_ends_its_side_in_the_middle_of_its_next_request():
    async def handler(exchange):
        await exchange.channel().disconnected()
        return await exchange.respond(200, exchange.path)

    async with connected(handler) as client:
        await client.send(request("GET", "/1") + b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        client.shut()
        assert (await client.answer()).body == b"/1"
        assert await is_closed(client)


async def test_a_client_that_closed_its_side_is_given_up_when_no_answer_begins():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        await exchange.channel().disconnected()
        told.set_result(exchange.stream.closed)
        return exchange.outcome(Kind.FAILED)

    async with connected(handler, settings=HALF_CLOSING) as client:
        await client.send(request("GET", "/"))
        client.shut()
        async with asyncio.timeout(5):
            assert await told


async def test_an_answer_that_has_begun_goes_on_for_a_client_that_closed_its_side():
    done = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"first ")
        await done.wait()
        await exchange.write(b"second")
        return await exchange.end()

    async with connected(handler, settings=HALF_CLOSING) as client:
        await client.send(request("GET", "/"))
        client.shut()
        asyncio.get_running_loop().call_later(0.1, done.set)
        assert (await client.answer()).body == b"first second"


async def test_what_follows_a_body_that_nobody_read_is_answered_for_a_client_that_sends_no_more():
    go = asyncio.Event()

    async def handler(exchange):
        await go.wait()
        return await exchange.respond(200, exchange.path)

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("POST", "/1", body=b"unread") + request("GET", "/2"))
        client.shut()
        await eventually(lambda: all(connection.socket.ended for connection in server._context.connections))
        go.set()
        assert (await client.answer()).body == b"/1"
        assert (await client.answer()).body == b"/2"
