from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path

import pytest

from hostler.answering import begin_response, finish_response
from hostler.errors import DelegationError, QueueExistsError, Reason, Side
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.outcome import Kind
from hostler.server.base import QueueMode
from hostler.server.usermode.http1.connection import Phase
from hostler.server.usermode.queues import borrower, lent_transport
from hostler.server.usermode.queues import member as member_module
from hostler.server.usermode.queues.directory import QueueDirectory
from tests.server.usermode import peers
from tests.server.usermode.peers import (
    BodyCounter,
    Process,
    RecordingPump,
    TlsClient,
    chunked,
    drip,
    eventually,
    options,
    over_tls,
    request,
    working,
)

pytestmark = pytest.mark.usefixtures("runtime", "way")

Client = peers.Client
serving = peers.serving


def serving_over_tls(handler, *, settings=None):
    return peers.serving(handler, urls=["https://127.0.0.1:0/"], settings=over_tls(settings))


@pytest.fixture(params=["plain", "tls"])
def way(request, monkeypatch):
    """How the client is connected: every promise of this file holds for both."""
    if request.param == "tls":
        monkeypatch.setattr(sys.modules[__name__], "Client", TlsClient)
        monkeypatch.setattr(sys.modules[__name__], "serving", serving_over_tls)
    return request.param


plain_only = pytest.mark.parametrize("way", ["plain"], indirect=True)

PREFIX = "http://*:80/"


async def echo(exchange):
    return await exchange.respond(200, await exchange.read(1 << 26))


async def where(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}")


class Delegating:
    """A handler that delegates what is under /d and answers the rest itself; `outcomes` has what became of it."""

    def __init__(self, queue="q", prefix=PREFIX, headers=()):
        self.queue, self.prefix, self.headers = queue, prefix, headers
        self.outcomes = []
        self.rule = None

    async def __call__(self, exchange):
        if not exchange.path.startswith("/d"):
            return await exchange.respond(200, "here")
        for header in self.headers:
            exchange.on_response(lambda raw, header=header: raw.append(header))
        outcome = await exchange.delegate(self.rule)
        self.outcomes.append(outcome)
        return outcome

    @contextlib.asynccontextmanager
    async def serving(self, **kwargs):
        async with serving(self, **kwargs) as server:
            self.rule = server.open_rule(self.queue, self.prefix)
            yield server


@contextlib.asynccontextmanager
async def delegated(handler, *, receive_buffer=None, **kwargs):
    """A client of a proxy that delegates to a member with this handler; yields both, and the proxy's handler."""
    proxy = Delegating(**kwargs)
    async with (
        working(handler) as worker,
        proxy.serving() as server,
        await Client.connect(server.port, receive_buffer=receive_buffer) as client,
    ):
        client.server, client.worker = server, worker
        yield client, proxy


def connection_of(server):
    (connection,) = server._context.connections
    return connection


# -- answers ----------------------------------------------------------------------------------------------------------


async def test_a_delegated_request_is_answered_by_the_member():
    async with delegated(where) as (client, proxy):
        for _ in range(3):
            answer = await client.get("/d/x?y")
            assert (answer.status, answer.body) == (200, b"|/d/x")
        (outcome, *_) = proxy.outcomes
        assert (outcome.kind, outcome.status, outcome.destination) == (Kind.DELEGATED, 200, "q")
        assert (outcome.bytes_sent, outcome.failure) == (5, None)


async def test_head_and_statuses_without_a_body_are_delegated():
    async def handler(exchange):
        return await exchange.respond(204 if exchange.path == "/d/204" else 200, "body")

    async with delegated(handler) as (client, _):
        for _ in range(2):
            assert (await client.get("/d", method="HEAD")).body == b""
            assert (await client.get("/d/204")).status == 204
            assert (await client.get("/d")).body == b"body"


@pytest.mark.parametrize("size", [0, 1, 100_000, 20 << 20])
async def test_uploads_are_delegated(size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    async with delegated(echo) as (client, proxy):
        for _ in range(2):
            sending = asyncio.create_task(
                client.send(request("POST", "/d", *([] if size else ["Content-Length: 0"]), body=body))
            )
            assert (await client.answer()).body == body
            await sending
            assert (await client.get("/here")).body == b"here"
        assert [(item.bytes_received, item.bytes_sent) for item in proxy.outcomes] == [(size, size)] * 2


@pytest.mark.parametrize("size", [0, 1, 100_000, 20 << 20])
async def test_uploads_in_chunks_are_delegated(size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    pieces = [body[at : at + 70_000] for at in range(0, size, 70_000)]
    async with delegated(echo) as (client, _):
        for _ in range(2):
            data = request("POST", "/d", "Transfer-Encoding: chunked") + chunked(*pieces)
            sending = asyncio.create_task(client.send(data))
            assert (await client.answer()).body == body
            await sending
            assert (await client.get("/here")).body == b"here"


async def test_a_large_answer_goes_straight_to_a_slow_client():
    async def handler(exchange):
        await exchange.start(200)
        for _ in range(64):
            await exchange.write(bytes(1 << 18))
        return await exchange.end()

    async with delegated(handler, receive_buffer=8192) as (client, _):
        await client.send(request("GET", "/d"))
        assert len((await client.answer()).body) == 1 << 24
        assert (await client.get("/here")).body == b"here"


async def test_expect_100_continue_is_the_members_to_answer():
    async with delegated(echo) as (client, _):
        await client.send(request("POST", "/d", "Expect: 100-continue", "Content-Length: 5"))
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"first")
        assert (await client.answer()).body == b"first"
        assert (await client.get("/here")).body == b"here"


async def test_a_large_body_behind_a_head_that_is_not_plain_is_the_members_to_read():
    body = b"0123456789abcdef" * (1 << 17)
    async with delegated(echo) as (client, _):
        await client.send(request("POST", "/d", "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sending = asyncio.create_task(client.send(body))
        assert (await client.answer()).body == body
        await sending
        assert (await client.get("/here")).body == b"here"


async def test_requests_behind_a_delegated_one_go_where_they_should():
    async with delegated(where) as (client, _):
        paths = ["/d/1", "/2", "/d/3", "/d/4", "/5", "/6", "/d/7"] * 20
        await client.send(b"".join(request("GET", path) for path in paths))
        for path in paths:
            expected = f"|{path}".encode() if path.startswith("/d") else b"here"
            assert (await client.answer()).body == expected


async def test_requests_behind_a_delegated_body_go_where_they_should():
    async with delegated(echo) as (client, _):
        data = b""
        for number in range(20):
            data += request("POST", "/d", body=b"x" * (number * 1000 + 1)) + request("GET", "/here")
            data += request("POST", "/d", "Transfer-Encoding: chunked") + chunked(b"y" * (number * 1000 + 1))
        sending = asyncio.create_task(client.send(data))
        for number in range(20):
            assert (await client.answer()).body == b"x" * (number * 1000 + 1)
            assert (await client.answer()).body == b"here"
            assert (await client.answer()).body == b"y" * (number * 1000 + 1)
        await sending


async def test_more_than_a_packet_of_requests_comes_back():
    async with delegated(where) as (client, _):
        # all of it is read with the first request, lent with it, and comes back as surplus
        paths = ["/d", *(f"/{number}" for number in range(8000))]
        sending = asyncio.create_task(client.send(b"".join(request("GET", path) for path in paths)))
        assert (await client.answer()).body == b"|/d"
        for _ in range(8000):
            assert (await client.answer()).body == b"here"
        await sending


async def test_a_body_that_the_member_ignores_is_read_over():
    async with delegated(where) as (client, _):
        await client.send(request("POST", "/d", body=b"x" * 500_000) + request("GET", "/here"))
        assert (await client.answer()).body == b"|/d"
        assert (await client.answer()).body == b"here"


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("http://*:80/", "/d/e", b"|/d/e"),
        ("http://*:80/d/", "/d/e", b"/d|/e"),
        ("http://localhost:9999/D/", "/d/e", b"/d|/e"),
        ("http://*:80/other/", "/d/e", b"|/d/e"),
    ],
)
async def test_the_prefix_of_the_rule_says_what_the_path_base_is(prefix, path, expected):
    async with delegated(where, prefix=prefix) as (client, _):
        assert (await client.get(path)).body == expected


async def test_headers_for_the_answer_travel_along():
    headers = [(b"set-cookie", b"a=b; path=/"), (b"x-empty", b""), (b"x-colon", b"a: b")]
    async with delegated(where, headers=headers) as (client, _):
        answer = await client.get("/d")
        assert answer.headers["set-cookie"] == "a=b; path=/"
        assert (answer.headers["x-empty"], answer.headers["x-colon"]) == ("", "a: b")
        assert "set-cookie" not in (await client.get("/here")).headers


async def test_a_proxys_strict_transport_security_goes_in_place_of_the_workers():
    async def answer(exchange):
        headers = [("Strict-Transport-Security", "max-age=1"), ("X-A", "a")]
        return await exchange.respond(200, headers=headers)

    async with delegated(answer, headers=[(b"strict-transport-security", b"max-age=60")]) as (client, _):
        headers = (await client.get("/d")).headers
        assert (headers["strict-transport-security"], headers["x-a"]) == ("max-age=60", "a")


async def test_too_many_headers_for_the_answer_are_refused():
    async with delegated(where, headers=[(b"x-large", b"x" * 200_000)]) as (client, proxy):
        await client.send(request("GET", "/d"))
        answer = await client.until(b"\r\n\r\n502 Bad Gateway\n")
        assert answer.count(b"x") > 200_000  # the failure is answered here, with all that was to be added
        assert proxy.outcomes[0].kind is Kind.FAILED
        assert (await client.get("/here")).body == b"here"


class Changing(Delegating):
    """A handler that lets `change` have the exchange before it delegates."""

    change = staticmethod(lambda exchange: None)

    async def __call__(self, exchange):
        self.change(exchange)
        return await super().__call__(exchange)


@contextlib.asynccontextmanager
async def changed(change, handler):
    """A client of a proxy that changes requests and delegates them to a member with this handler."""
    proxy = Changing()
    proxy.change = change
    async with working(handler), proxy.serving() as server, await Client.connect(server.port) as client:
        yield client


async def headers_of(exchange):
    lines = [f"{exchange.request.target.decode()} {exchange.path_base}|{exchange.path}"]
    return await exchange.respond(
        200, "\n".join(lines + [": ".join(pair) for pair in exchange.request.headers])
    )


async def test_the_largest_head_is_delegated():
    lines = [f"X-{number}: {'x' * 200}" for number in range(99)]
    path = "/d" + "|" * 8000
    async with delegated(headers_of) as (client, _):
        answer = await client.get(path, *lines)
        assert answer.status == 200
        assert answer.body.startswith(b"/d" + b"%7C" * 8000)


async def test_the_member_sees_the_path_that_forwarding_would_send():
    async with delegated(headers_of, prefix="http://*:80/d/") as (client, _):
        answer = await client.get("/d/./a/../x?q=/..")
        assert answer.body.splitlines()[0] == b"/d/x?q=/.. /d|/x"


@pytest.mark.parametrize(
    ("body", "lines"),
    [(b"0123456789", ["Content-Length: 10"]), (chunked(b"01234", b"56789"), ["Transfer-Encoding: chunked"])],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_body_follows_a_head_that_stages_changed(body, lines, together):
    async with changed(lambda exchange: exchange.request.headers.set("X-User", "me" * 500), echo) as client:
        for _ in range(2):
            head = (
                b"POST /d HTTP/1.1\r\nHost: here\r\n"
                + "".join(f"{line}\r\n" for line in lines).encode()
                + b"\r\n"
            )
            await client.send(head + body if together else head)
            if not together:
                await client.send(body)
            assert (await client.answer()).body == b"0123456789"
            assert (await client.get("/here")).body == b"here"


async def test_a_request_that_nobody_took_goes_on_with_its_body():
    async def handler(exchange):
        exchange.request.headers.set("X-User", "me" * 500)
        return await exchange.delegate(rule)

    async with serving(handler) as server, await Client.connect(server.port) as client:
        rule = server.open_rule("nobody", PREFIX)
        await client.send(request("POST", "/d", body=b"0123456789") + request("GET", "/d"))
        assert [(await client.answer()).status for _ in range(2)] == [503, 503]


async def test_a_request_that_stages_made_longer_than_its_body_is_not_delegated():
    async with changed(lambda exchange: exchange.request.headers.set("Content-Length", "5"), echo) as client:
        await client.send(request("POST", "/d", body=b"GET /d HTTP/1.1\r\n\r\n"))
        assert (await client.answer()).status == 502
        assert (await client.get("/here")).body == b"here"


@pytest.mark.logs_errors("failed in the handler")
async def test_headers_for_the_answer_are_lines_of_their_own():
    async with delegated(where, headers=[(b"x-a", b"1\r\nset-cookie: evil")]) as (client, proxy):
        assert (await client.get("/d")).status == 500
        assert not proxy.outcomes


async def test_no_client_says_in_a_trailer_who_it_is():
    seen = []

    async def handler(exchange):
        pump = RecordingPump()
        exchange.stream.attach(pump)
        await eventually(lambda: pump.ends)
        seen.append(pump.trailers)
        exchange.stream.detach()
        return await exchange.respond(204)

    async with delegated(handler) as (client, _):
        head = request("POST", "/d", "Transfer-Encoding: chunked")
        forged = b"X-Forwarded-For: evil\r\nforwarded: for=evil\r\nX-Sum: 1\r\n"
        for gap in (False, True):
            await client.send(head if gap else head + b"1\r\na\r\n0\r\n" + forged + b"\r\n")
            if gap:
                await client.send(b"1\r\na\r\n0\r\n" + forged + b"\r\n")
            assert (await client.answer()).status == 204
    assert seen == [[(b"X-Sum", b"1")]] * 2


async def test_the_member_sees_the_client():
    seen = []

    async def handler(exchange):
        seen.append(exchange)
        return await exchange.respond(204)

    async with delegated(handler) as (client, _):
        await client.get("/d")
        (exchange,) = seen
        assert exchange.client == client.socket.getsockname()
        assert exchange.server == client.socket.getpeername()
        port = {"http": 80, "https": 443}[client.scheme]
        assert (exchange.scheme, exchange.host, exchange.port) == (client.scheme, "localhost", port)


@plain_only
async def test_the_member_sees_that_the_client_came_by_https():
    seen = []

    async def handler(exchange):
        seen.append((exchange.scheme, exchange.port))
        return await exchange.respond(204)

    async with delegated(handler) as (client, _):
        await client.get("/here")
        connection_of(client.server).connection.scheme = "https"
        connection_of(client.server).placing = Anywhere()
        await client.get("/d")
        assert seen == [("https", 443)]


class Anywhere:
    def place(self, scheme, host, server, path):
        return "", path


@pytest.mark.parametrize("line", ["Connection: close", "X: y"])
async def test_http_1_0_and_connection_close_are_honoured_by_the_member(line):
    async with delegated(where) as (client, _):
        answer = await client.get("/d", line, version="1.0" if line == "X: y" else "1.1")
        assert (answer.body, answer.headers["connection"]) == (b"|/d", "close")
        assert await client.rest() == b""


async def test_a_half_closed_client_gets_its_delegated_answer():
    async with delegated(where) as (client, _):
        await client.send(request("GET", "/here") + request("GET", "/d") + request("GET", "/here"))
        client.shut()
        assert [(await client.answer()).body for _ in range(3)] == [b"here", b"|/d", b"here"]
        assert await client.rest() == b""


async def test_an_upgrade_is_delegated():
    class Upper(RecordingPump):
        def feed(self, data):
            super().feed(data)
            self.stream.write(data.upper())

        def lost(self, failure):
            super().lost(failure)

    pump = Upper()

    async def handler(exchange):
        pump.stream = exchange.stream
        exchange.stream.attach(pump)
        begin_response(exchange, Response(101, Headers([(b"Connection", b"upgrade"), (b"Upgrade", b"raw")])))
        await pump.until(lambda pump: pump.ends == 2 or pump.losses)
        return exchange.outcome(Kind.RESPONDED)

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d", "Connection: upgrade", "Upgrade: raw") + b"early ")
        assert (await client.answer()).status == 101
        await client.send(b"bird")
        assert await client.until(b"BIRD") == b"EARLY BIRD"
        client.shut()
        assert await client.rest() == b""
        await eventually(lambda: proxy.outcomes)
        assert (proxy.outcomes[0].status, proxy.outcomes[0].failure) == (101, None)
        assert (pump.ends, pump.losses) == (2, 0)


async def test_a_tunnel_that_its_handler_ends_is_over_whatever_its_client_does_then():
    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        exchange.stream.start(Response(101, Headers([(b"Connection", b"upgrade"), (b"Upgrade", b"raw")])))
        exchange.stream.write(b"bye")
        return exchange.outcome(Kind.RESPONDED)

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d", "Connection: upgrade", "Upgrade: raw"))
        assert (await client.answer()).status == 101
        await client.until(b"bye")
        client.reset()
        await eventually(lambda: proxy.outcomes)
        assert (proxy.outcomes[0].status, proxy.outcomes[0].failure) == (101, None)


@pytest.mark.logs_errors("failed in the handler")
async def test_a_handler_that_fails_in_the_member_is_a_500():
    async def handler(exchange):
        raise LookupError

    async with delegated(handler) as (client, proxy):
        for _ in range(2):
            assert (await client.get("/d")).status == 500
        assert proxy.outcomes[0].status == 500


@pytest.mark.logs_errors("failed in the handler")
async def test_a_response_that_the_member_breaks_off_is_aborted():
    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"half")
        raise LookupError

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d", version="1.0"))
        with pytest.raises(ConnectionResetError):
            await client.answer()
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].kind is Kind.FAILED
        assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_DESTINATION


async def test_a_body_that_breaks_the_rules_is_refused_by_the_member():
    async with delegated(echo) as (client, _):
        await client.send(request("POST", "/d", "Transfer-Encoding: chunked") + b"zz\r\n")
        assert (await client.answer()).status == 400
        client.shut()
        assert await client.rest() == b""


async def test_a_body_that_stalls_is_the_members_408():
    proxy = Delegating()
    async with (
        working(echo, settings=options(entity_body=0.05)),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        await client.send(request("POST", "/d", "Content-Length: 10") + b"short")
        assert (await client.answer()).status == 408


async def test_a_body_that_drips_is_the_members_408(clock):
    reader, proxy = BodyCounter(), Delegating()
    async with working(reader), proxy.serving() as server, await Client.connect(server.port) as client:
        await client.send(request("POST", "/d", "Content-Length: 1000"))
        await drip(client, clock, reader, 5)
        assert (await client.answer()).status == 408


# -- refusals ---------------------------------------------------------------------------------------------------------


async def test_what_was_read_cannot_be_delegated():
    told = []

    async def handler(exchange):
        await exchange.read()
        try:
            await exchange.delegate(rule)
        except DelegationError as error:
            told.append(str(error))
            return await exchange.respond(500)

    async with serving(handler) as server, await Client.connect(server.port) as client:
        rule = server.open_rule("q", PREFIX)
        assert (await client.get("/d")).status == 500
    assert "its body was read" in told[0]


async def test_what_was_answered_cannot_be_delegated():
    told = []

    async def handler(exchange):
        outcome = await exchange.respond(200)
        try:
            await exchange.delegate(rule)
        except DelegationError as error:
            told.append(str(error))
        return outcome

    async with serving(handler) as server, await Client.connect(server.port) as client:
        rule = server.open_rule("q", PREFIX)
        assert (await client.get("/d")).status == 200
        await eventually(lambda: told)
    assert "its response has begun" in told[0]


async def test_what_was_delegated_cannot_be_delegated_on():
    told = []

    async def handler(exchange):
        try:
            await exchange.delegate(None)
        except DelegationError as error:
            told.append(str(error))
        return await exchange.respond(200)

    async with delegated(handler) as (client, _):
        assert (await client.get("/d")).status == 200
    assert "cannot delegate" in told[0]


# -- queues that are not there, or have nobody ------------------------------------------------------------------------


async def test_no_such_queue_is_503_until_there_is_one():
    proxy = Delegating()
    async with proxy.serving() as server, await Client.connect(server.port) as client:
        for _ in range(2):
            answer = await client.get("/d")
            assert answer.status == 503
            assert "connection" not in answer.headers
        assert proxy.outcomes[0].failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
        async with working(where):
            assert (await client.get("/d")).body == b"|/d"
        assert (await client.get("/d")).status == 503
        async with working(where):
            assert (await client.get("/d")).body == b"|/d"
            assert (await client.get("/here")).body == b"here"


async def test_the_body_of_a_request_that_nobody_takes_is_read_over():
    proxy = Delegating()
    async with proxy.serving() as server, await Client.connect(server.port) as client:
        sending = asyncio.create_task(client.send(request("POST", "/d", body=bytes(1 << 20))))
        assert (await client.answer()).status == 503
        await sending
        assert (await client.get("/here")).body == b"here"


@contextlib.contextmanager
def held(queue="q"):
    """A queue that exists, without a member."""
    handle = QueueDirectory(queue).open(QueueMode.CREATE)
    try:
        yield handle
    finally:
        handle.release()


async def test_a_request_waits_for_a_member_to_come():
    proxy = Delegating()
    with held():
        async with proxy.serving() as server, await Client.connect(server.port) as client:
            await client.send(request("GET", "/d"))
            await eventually(lambda: proxy.rule.target._waiting)
            async with working(where):
                assert (await client.answer()).body == b"|/d"


async def test_requests_wait_in_order_up_to_the_queues_length():
    proxy = Delegating()
    with held():
        async with (
            proxy.serving(settings=options(queue_limit=2)) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            clients = [await stack.enter_async_context(await Client.connect(server.port)) for _ in range(3)]
            for waiting, client in enumerate(clients[:2], 1):
                await client.send(request("GET", "/d"))
                await eventually(lambda waiting=waiting: len(proxy.rule.target._waiting) == waiting)
            assert (await clients[2].get("/d")).status == 503
            assert "full" in proxy.outcomes[0].failure.detail
            async with working(where):
                assert [(await client.answer()).status for client in clients[:2]] == [200, 200]


async def test_a_request_waits_only_so_long():
    proxy = Delegating()
    with held():
        async with (
            proxy.serving(settings=options(request_queue=0.05)) as server,
            await Client.connect(server.port) as client,
        ):
            assert (await client.get("/d")).status == 503
            assert "0.05 s" in proxy.outcomes[0].failure.detail
            assert not proxy.rule.target._waiting


async def test_requests_that_wait_are_let_go_when_the_queue_is():
    proxy = Delegating()
    async with proxy.serving() as server, await Client.connect(server.port) as client:
        with held():
            await client.send(request("GET", "/d"))
            await eventually(lambda: proxy.rule.target._waiting)
        assert (await client.answer()).status == 503


async def test_a_rule_that_is_given_back_while_a_request_waits_leaves_nothing_behind(runtime):
    proxy = Delegating()
    with held():
        async with (
            proxy.serving(settings=options(request_queue=0.2)) as server,
            await Client.connect(server.port) as client,
        ):
            await client.send(request("GET", "/d"))
            await eventually(lambda: proxy.rule.target._waiting)
            server.close_rule(proxy.rule)
            assert (await client.answer()).status == 503
            assert not list(runtime.glob("q/watch-*"))


async def test_a_queue_that_is_reset_is_opened_anew():
    async with delegated(where) as (client, proxy):
        for _ in range(3):
            assert (await client.get("/d")).status == 200
            proxy.rule.reset()


async def test_a_reset_lets_what_is_lent_come_back():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "done")

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d"))
        await started.wait()
        proxy.rule.reset()
        go_on.set()
        assert (await client.answer()).body == b"done"
        assert (await client.get("/here")).body == b"here"


async def test_a_queue_is_created_once():
    async with working(where) as worker:
        with pytest.raises(QueueExistsError):
            await worker.join("q", QueueMode.CREATE)


# -- members that come, go and die ------------------------------------------------------------------------------------


async def test_members_share_the_load():
    go_on = asyncio.Event()
    counts = [0, 0, 0]

    def counting(number):
        async def handler(exchange):
            counts[number] += 1
            await go_on.wait()
            return await exchange.respond(200)

        return handler

    proxy = Delegating()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(3):
            await stack.enter_async_context(working(counting(number)))
        server = await stack.enter_async_context(proxy.serving())
        clients = [await stack.enter_async_context(await Client.connect(server.port)) for _ in range(9)]
        for sent, client in enumerate(clients, 1):
            await client.send(request("GET", "/d"))
            await eventually(lambda sent=sent: sum(counts) == sent)
        assert counts == [3, 3, 3]
        go_on.set()
        for client in clients:
            assert (await client.answer()).status == 200


async def test_a_member_that_leaves_finishes_what_it_has_and_gets_no_more():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def first(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "first")

    proxy = Delegating()
    async with working(first) as worker, proxy.serving() as server, await Client.connect(server.port) as busy:
        await busy.send(request("GET", "/d"))
        await started.wait()
        async with working(where), await Client.connect(server.port) as client:
            leaving = asyncio.create_task(worker.queue.close())
            for _ in range(5):
                assert (await client.get("/d")).body == b"|/d"
            assert not leaving.done()
            go_on.set()
            assert (await busy.answer()).body == b"first"
            await leaving
            assert (await busy.get("/d")).body == b"|/d"


async def test_a_member_that_stops_in_the_middle_breaks_the_answer():
    started = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"half")
        started.set()
        await asyncio.Event().wait()

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d"))
        await started.wait()
        await client.worker.stop(0)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].kind is Kind.FAILED


@contextlib.asynccontextmanager
async def processes(count):
    async with contextlib.AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(Process("worker", "q")) for _ in range(count)]
        for worker in workers:
            assert await worker.line() == "ready"
        yield workers


async def test_another_process_answers():
    proxy = Delegating()
    async with (
        processes(1) as (worker,),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        assert int((await client.get("/d")).body) == worker.pid
        assert (await client.get("/here")).body == b"here"
        body = bytes(range(256)) * 10_000
        sending = asyncio.create_task(client.send(request("POST", "/d", body=body)))
        assert (await client.answer()).body == body
        await sending


@contextlib.asynccontextmanager
async def clients(port, count):
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await Client.connect(port)) for _ in range(count)]


async def test_a_process_that_is_killed_while_it_idles_is_not_missed():
    proxy = Delegating()
    async with (
        processes(2) as workers,
        proxy.serving() as server,
        clients(server.port, 4) as several,
    ):
        pids = {int((await client.get("/d")).body) for client in several}
        assert pids == {worker.pid for worker in workers}
        await eventually(lambda: len(proxy.outcomes) == 4)
        # it held copies of connections, which go on
        await workers[0].kill()
        for client in several:
            assert int((await client.get("/d")).body) == workers[1].pid
        await eventually(lambda: len(proxy.outcomes) == 8)
        await workers[1].kill()
        for client in several:
            assert (await client.get("/d")).status == 503
            assert (await client.get("/here")).body == b"here"


async def test_a_connection_stays_with_the_process_that_has_it_while_others_are_no_less_busy():
    proxy = Delegating()
    async with processes(2), proxy.serving() as server, clients(server.port, 4) as several:
        for client in several:
            assert len({(await client.get("/d")).body for _ in range(5)}) == 1


@pytest.mark.parametrize("before", [0, 1, 2])
async def test_a_request_survives_the_process_that_had_not_begun_to_answer(before):
    proxy = Delegating(prefix="http://*:80/d/")
    async with (
        processes(1) as (first,),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        for _ in range(before):
            assert (await client.get("/here")).body == b"here"
        await client.send(request("GET", "/d/hang"))
        assert await first.line() == "/hang"
        async with processes(1) as (second,):
            await first.kill()
            assert await second.line() == "/hang"
            await second.kill()
        # now there is no member, and no queue
        assert (await client.answer()).status == 503
        assert (await client.get("/here")).body == b"here"


@pytest.mark.parametrize("path", ["/half", "/until-close"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_answer_does_not_survive_its_process(path, version):
    proxy = Delegating(prefix="http://*:80/d/")
    async with (
        processes(2) as workers,
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        await client.send(request("GET", f"/d{path}", version=version))
        begun = await client.until(b"first half")
        assert b"200 OK" in begun
        await eventually(
            lambda: any(
                loan.status
                for member in proxy.rule.target._members.values()
                for loan in member.loans.values()
            )
        )
        for worker in workers:
            await worker.kill()
        # not an end: what came was not all of it
        with pytest.raises(ConnectionResetError):
            await client.rest()
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_DESTINATION
        assert proxy.outcomes[0].status == 200  # the worker said so before it died
        assert proxy.outcomes[0].failure.side is Side.DESTINATION


async def test_a_body_that_was_read_in_part_does_not_go_to_another_process():
    proxy = Delegating(prefix="http://*:80/d/")
    async with (
        processes(2) as workers,
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        await client.send(request("POST", "/d/half-read", "Content-Length: 10"))
        worker = await first_line_of(workers)
        await client.send(b"12345")
        assert await worker.line() == "read"
        await worker.kill()
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def first_line_of(workers):
    """Return the process that writes the next line."""
    outs = [worker.process.stdout for worker in workers]
    ready, _, _ = await asyncio.to_thread(select.select, outs, [], [], 20)
    worker = workers[outs.index(ready[0])]
    assert await worker.line() == "/half-read"
    return worker


async def test_a_body_that_nobody_has_read_goes_to_another_process():
    proxy = Delegating(prefix="http://*:80/d/")
    async with (
        processes(1) as (first,),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        await client.send(request("POST", "/d/hang", body=b"x" * 10))
        assert await first.line() == "/hang"
        async with working(where):
            await first.kill()
            assert (await client.answer()).body == b"/d|/hang"
            assert (await client.get("/here")).body == b"here"


async def test_a_process_that_is_told_to_stop_finishes_its_answer():
    proxy = Delegating(prefix="http://*:80/d/")
    async with (
        processes(1) as (worker,),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        await client.send(request("GET", "/d/slow"))
        assert await worker.line() == "/slow"
        assert await worker.line() == "waiting"
        stopping = asyncio.create_task(worker.terminate())
        await asyncio.sleep(0.05)
        os.kill(worker.pid, signal.SIGUSR1)
        assert int((await client.answer()).body) == worker.pid
        assert await stopping == 0
        assert (await client.get("/d/x")).status == 503


@plain_only  # the proxy makes an encrypted connection's records
async def test_a_client_gets_its_answer_although_the_proxy_was_killed():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "done")

    async with (
        working(handler),
        Process("proxy", "q") as proxy,
        await Client.connect(int(await proxy.line())) as client,
    ):
        await client.send(request("GET", "/"))
        await started.wait()
        await proxy.kill()
        go_on.set()
        assert (await client.answer()).body == b"done"
        assert await client.rest() == b""


# -- clients that go away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_vanishes_is_noticed_by_the_member(how):
    told = asyncio.get_running_loop().create_future()
    started = asyncio.Event()

    async def handler(exchange):
        started.set()
        if how == "reset":
            await exchange.channel().disconnected()
        await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(bytes(1 << 16))
        told.set_result(True)
        return exchange.outcome(Kind.FAILED)

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d"))
        await started.wait()
        getattr(client, how)()
        async with asyncio.timeout(5):
            await told
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.side is Side.CLIENT
        await eventually(lambda: not client.server._context.connections)
        assert not client.worker.queue.answering


def errors_in(caplog):
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_client_that_has_gone_before_its_request_is_delegated_is_no_error(caplog):
    started, go_on = asyncio.Event(), asyncio.Event()
    outcomes = []

    async def handler(exchange):
        started.set()
        await go_on.wait()
        outcomes.append(await exchange.delegate(rule))
        return outcomes[-1]

    async with working(where), serving(handler) as server, await Client.connect(server.port) as client:
        rule = server.open_rule("q", PREFIX)
        await client.send(request("GET", "/d") * 20)
        await started.wait()
        client.reset()
        await eventually(lambda: not server._context.connections)
        go_on.set()
        await eventually(lambda: outcomes and not server._context.handling.tasks)
    assert [outcome.failure.side for outcome in outcomes] == [Side.CLIENT]
    assert not errors_in(caplog)


async def test_a_client_that_leaves_while_its_request_is_delegated_leaves_nothing_open(caplog):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "too late")

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d"))
        await started.wait()
        client.close()
        await asyncio.sleep(0.02)  # the end has been seen, and what is sent now is answered with a reset
        go_on.set()
        await eventually(lambda: proxy.outcomes)
        async with asyncio.timeout(5):
            await client.server.stop(20)
        assert not client.server._context.connections
    assert not errors_in(caplog)


@pytest.mark.parametrize("how", ["shut", "close", "reset"])
@pytest.mark.parametrize("body", [b"", b"body"])
@pytest.mark.parametrize("behind", [b"", b"G"])
async def test_a_member_that_waits_learns_that_the_client_is_gone(monkeypatch, how, body, behind):
    monkeypatch.setattr(lent_transport, "LOOK_INTERVAL", 0.02)
    told, started = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def handler(exchange):
        await exchange.read()
        started.set()
        await exchange.channel().disconnected()
        told.set_result(exchange.stream.failure.side)
        return await exchange.respond(200, "too late")

    async with delegated(handler) as (client, proxy):
        head = request("POST", "/d", f"Content-Length: {len(body)}")
        await client.send(head + body[:2])
        if body:
            await eventually(lambda: proxy.rule and client.worker.queue.answering)
            await client.send(body[2:])
        await started.wait()
        if behind:
            await client.send(behind)
            await asyncio.sleep(0.05)  # it has been seen
        getattr(client, how)()
        async with asyncio.timeout(5):
            assert await told is Side.CLIENT
        await eventually(lambda: proxy.outcomes and not client.worker.queue.answering)
        await eventually(lambda: not client.server._context.connections)


async def test_a_client_is_read_from_again_once_what_it_sent_ahead_is_lent(monkeypatch):
    monkeypatch.setattr(borrower, "WATCH_INTERVAL", 1000)
    started, go_on, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        if exchange.request.method == "GET":
            await go_on.wait()
            return await exchange.respond(200, "first")
        await exchange.read()
        await exchange.channel().disconnected()
        told.set()
        return await exchange.respond(200, "too late")

    async with delegated(handler) as (client, _):
        await client.send(request("GET", "/d"))
        await started.wait()
        started.clear()
        await client.send(request("POST", "/d", body=bytes(60_000)) + b"G" * 10_000)
        (accepted,) = client.server._context.connections
        await eventually(lambda: accepted.connection._full)  # more than is kept
        go_on.set()
        await started.wait()
        client.close()
        async with asyncio.timeout(5):
            await told.wait()
        await eventually(lambda: not client.worker.queue.answering)


async def test_a_client_that_vanishes_after_its_body_is_noticed_by_the_member():
    told = asyncio.get_running_loop().create_future()
    started = asyncio.Event()

    async def handler(exchange):
        await exchange.read()
        started.set()
        await exchange.channel().disconnected()
        told.set_result(True)
        return exchange.outcome(Kind.FAILED)

    async with delegated(handler) as (client, _):
        await client.send(request("POST", "/d", "Content-Length: 10"))
        await client.send(b"0123456789")
        await started.wait()
        client.reset()
        async with asyncio.timeout(5):
            await told


@pytest.mark.parametrize("size", [40_000, 4_000_000])
async def test_a_client_that_vanishes_before_it_has_its_tail_gives_the_connection_back(size):
    answered = asyncio.Event()

    async def handler(exchange):
        # more than the system takes, all at once, and the handler is done with it
        sock = exchange.stream._socket.raw()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        outcome = await exchange.respond(200, bytes(size))
        answered.set()
        return outcome

    async with delegated(handler, receive_buffer=4096) as (client, proxy):
        await client.send(request("GET", "/d"))
        await answered.wait()
        client.reset()
        await eventually(lambda: proxy.outcomes)
        await eventually(lambda: not client.worker.queue.answering)
        await eventually(lambda: not client.server._context.connections)


async def test_a_client_that_takes_nothing_of_a_delegated_tail_is_aborted():
    async def handler(exchange):
        return await exchange.respond(200, bytes(8_000_000))

    proxy = Delegating()
    async with (
        working(handler, settings=options(send=0.05)) as worker,
        proxy.serving() as server,
        await Client.connect(server.port, receive_buffer=4096) as client,
    ):
        await client.send(request("GET", "/d"))
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_CLIENT
        await eventually(lambda: not worker.queue.answering)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_a_slow_client_of_a_delegated_answer_is_held_against_the_member():
    written = 0

    async def handler(exchange):
        nonlocal written
        await exchange.start(200)
        while written < 1 << 25:
            await exchange.write(bytes(1 << 17))
            written += 1 << 17
        return await exchange.end()

    async with delegated(handler, receive_buffer=8192) as (client, _):
        await client.send(request("GET", "/d"))
        await eventually(lambda: client.worker._context.connections)
        connection = connection_of(client.worker)
        await at_rest(lambda: written)
        assert connection.socket.write_paused
        assert written < 1 << 24
        assert connection.socket.unsent < 1 << 20
        assert connection_of(client.server).socket.unsent < 1 << 20
        assert len((await client.answer()).body) == 1 << 25


async def at_rest(look):
    """Let the loop run until what `look` returns changes no more."""
    same = 0
    while same < 30:
        before = look()
        await asyncio.sleep(0.001)
        same = same + 1 if look() == before else 0


async def test_a_client_that_resets_while_a_request_without_a_body_is_lent_is_noticed_by_the_proxy():
    started, told = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await exchange.channel().disconnected()
        told.set()
        return exchange.outcome(Kind.FAILED)

    async with delegated(handler) as (client, proxy):
        await client.send(request("GET", "/d"))
        await started.wait()
        client.reset()
        await eventually(lambda: not client.server._context.connections)
        await eventually(lambda: proxy.outcomes)
        assert told.is_set()
        assert proxy.outcomes[0].failure.side is Side.CLIENT
        await eventually(lambda: not client.worker.queue.answering)


async def test_a_request_whose_client_resets_while_it_waits_goes_to_no_member():
    paths = []

    async def handler(exchange):
        paths.append(exchange.path)
        return await exchange.respond(200)

    proxy = Delegating()
    with held():
        async with (
            proxy.serving(settings=options(queue_limit=1)) as server,
            await Client.connect(server.port) as client,
            await Client.connect(server.port) as other,
        ):
            await client.send(request("GET", "/d/gone"))
            await eventually(lambda: proxy.rule.target._waiting)
            client.reset()
            await eventually(lambda: proxy.outcomes)
            assert proxy.outcomes[0].failure.reason is Reason.REQUEST_CANCELED
            assert not proxy.rule.target._waiting
            await other.send(request("GET", "/d/other"))
            await eventually(lambda: proxy.rule.target._waiting)
            async with working(handler):
                assert (await other.answer()).status == 200
            assert paths == ["/d/other"]


@pytest.mark.parametrize("count", [1, 20])
async def test_what_follows_a_request_without_a_body_is_kept_while_that_is_lent(count):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        if exchange.path == "/d/slow":
            started.set()
            await go_on.wait()
        return await exchange.respond(200, exchange.path)

    async with delegated(handler) as (client, _):
        await client.send(request("GET", "/d/slow"))
        await started.wait()
        for number in range(count):
            await client.send(request("GET", f"/d/{number}") + request("GET", "/here"))
            await asyncio.sleep(0.001)
        go_on.set()
        assert (await client.answer()).body == b"/d/slow"
        for number in range(count):
            assert (await client.answer()).body == b"/d/%d" % number
            assert (await client.answer()).body == b"here"


async def test_what_follows_a_request_that_has_all_come_does_not_travel_with_it():
    # by the queue, and by the borrower's copy of the descriptor: none of it
    taken = []

    async def handler(exchange):
        (borrowed,) = working_server._context.connections
        taken.append(borrowed.connection._unread)
        return await exchange.respond(200, await exchange.read())

    bodies = [b"", b"body", b"last"]
    async with delegated(handler) as (client, _):
        working_server = client.worker
        await client.send(
            b"".join(
                [
                    request("GET", "/d"),
                    request("POST", "/d", body=b"body"),
                    request("POST", "/d", "Transfer-Encoding: chunked") + chunked(b"la", b"st"),
                    request("GET", "/here") * 1000,
                ]
            )
        )
        assert [(await client.answer()).body for _ in bodies] == bodies
        for _ in range(1000):
            assert (await client.answer()).body == b"here"
    assert [len(unread) for unread in taken] == [0, 4, len(chunked(b"la", b"st"))]


@pytest.mark.parametrize("outcome", [200, 503])
async def test_what_is_kept_while_a_request_is_lent_is_bounded_and_read_on_afterwards(outcome):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        if exchange.path == "/d/slow":
            started.set()
            await go_on.wait()
        return await exchange.respond(200, exchange.path)

    proxy = Delegating()
    with held() if outcome == 503 else contextlib.nullcontext():
        async with contextlib.AsyncExitStack() as stack:
            if outcome == 200:
                await stack.enter_async_context(working(handler))
            timeouts = options(request_queue=0.3) if outcome == 503 else None
            server = await stack.enter_async_context(proxy.serving(settings=timeouts))
            client = await stack.enter_async_context(await Client.connect(server.port))
            await client.send(request("GET", "/d/slow"))
            await eventually(lambda: server._context.connections)
            connection = connection_of(server)
            await eventually(lambda: connection.connection.phase is Phase.LENT)
            # more than the system keeps for it
            sending = asyncio.create_task(client.send(request("GET", "/here", f"X: {'x' * 3000}") * 7000))
            await eventually(lambda: connection.socket._reading.paused)
            if outcome == 200:
                # it stays so, and small
                for _ in range(20):
                    await asyncio.sleep(0.001)
                assert connection.socket._reading.paused
                assert not sending.done()
                assert len(connection.connection._unread) < 1 << 19
            go_on.set()
            assert (await client.answer()).status == outcome
            for _ in range(300):
                assert (await client.answer()).body == b"here"
            sending.cancel()
            client.reset()


async def test_a_client_that_shuts_its_side_behind_a_slow_request_gets_all_its_answers():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        if exchange.path == "/d/slow":
            started.set()
            await go_on.wait()
            body = await exchange.read()
            return await exchange.respond(200, body or "slow")
        return await exchange.respond(200, exchange.path)

    for body in (b"", b"body"):
        started.clear()
        go_on.clear()
        async with delegated(handler) as (client, _):
            await client.send(
                request("POST", "/d/slow", body=body) + request("GET", "/d") + request("GET", "/h")
            )
            client.shut()
            await started.wait()
            await asyncio.sleep(0.02)
            go_on.set()
            assert [(await client.answer()).body for _ in range(3)] == [body or b"slow", b"/d", b"here"]
            assert await client.rest() == b""


# -- copies between requests ------------------------------------------------------------------------------------------

proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="descriptors are counted in /proc")


def descriptors(process):
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


@proc
async def test_a_process_has_one_copy_of_each_connection_until_its_client_leaves():
    proxy = Delegating()
    async with (
        processes(1) as (worker,),
        proxy.serving() as server,
        await Client.connect(server.port) as first,
    ):
        await first.get("/d")
        with_one = descriptors(worker)
        async with clients(server.port, 10) as several:
            for _ in range(3):
                for client in several:
                    await client.get("/d")
            assert descriptors(worker) == with_one + 10
            several[0].reset()
            several[1].close()
            await several[2].get("/d", "Connection: close")
            await several[3].get("/d", version="1.0")
            await several[4].get("/here", "Connection: close")
            await eventually(lambda: descriptors(worker) == with_one + 5)
        await eventually(lambda: descriptors(worker) == with_one)
        proxy.rule.reset()
        # the link too
        await eventually(lambda: descriptors(worker) == with_one - 2)
        assert int((await first.get("/d")).body) == worker.pid


@proc
@plain_only  # the proxy that is killed has no certificate
async def test_a_process_lets_go_of_its_copies_when_the_proxy_is_killed():
    async with processes(1) as (worker,):
        before = descriptors(worker)
        async with Process("proxy", "q") as proxy, clients(int(await proxy.line()), 5) as several:
            for client in several:
                assert int((await client.get("/")).body) == worker.pid
            assert descriptors(worker) == before + 6
            await proxy.kill()
            for client in several:
                assert await client.rest() == b""
            await eventually(lambda: descriptors(worker) == before)


@proc
async def test_a_process_that_has_no_room_answers_on_what_it_has_and_the_rest_when_it_has_room():
    proxy = Delegating(prefix="http://*:80/d/")
    async with processes(1) as (worker,), proxy.serving() as server, clients(server.port, 3) as several:
        old, busy, new = several
        await old.get("/d/x")
        await busy.send(request("GET", "/d/slow"))
        for line in ("/x", "/slow", "waiting"):
            assert await worker.line() == line
        limits = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (descriptors(worker), limits[1]))
        await new.send(request("GET", "/d/x"))
        await eventually(lambda: proxy.rule.target._waiting)
        assert int((await old.get("/d/x")).body) == worker.pid
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, limits)
        assert int((await new.answer()).body) == worker.pid
        # nobody answered twice
        os.kill(worker.pid, signal.SIGUSR1)
        assert int((await busy.answer()).body) == worker.pid
        for client in several:
            assert (await client.get("/here")).body == b"here"


@contextlib.contextmanager
def stopped(process):
    """A process that does nothing, and closes nothing."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.mark.parametrize("how", ["idle", "stop", "draining"])
async def test_a_client_learns_at_once_that_its_connection_is_closed_whoever_has_a_copy(how):
    proxy = Delegating()
    timeouts = options(idle_connection=0.1) if how == "idle" else None
    async with (
        processes(1) as (worker,),
        proxy.serving(settings=timeouts) as server,
        await Client.connect(server.port) as client,
    ):
        assert int((await client.get("/d")).body) == worker.pid
        await eventually(lambda: proxy.outcomes)
        with stopped(worker):
            if how == "stop":
                await server.stop(0)
            elif how == "draining":
                stopping = asyncio.create_task(server.stop(10))
            # no more than the end of the connection: what the copy's process does, does not matter
            async with asyncio.timeout(5):
                with contextlib.suppress(ConnectionResetError):
                    assert await client.rest() == b""
            if how == "draining":
                client.close()
                await stopping


async def test_a_client_that_sends_no_more_learns_that_its_connection_is_closed_whoever_has_a_copy():
    proxy = Delegating()
    async with (
        processes(1) as (worker,),
        proxy.serving() as server,
        await Client.connect(server.port) as client,
    ):
        assert int((await client.get("/d")).body) == worker.pid
        await eventually(lambda: proxy.outcomes)
        with stopped(worker):
            client.shut()
            async with asyncio.timeout(5):
                assert await client.rest() == b""


@proc
async def test_more_connections_than_a_member_keeps_copies_of(monkeypatch):
    monkeypatch.setattr(member_module, "MAX_IDLE_COPIES", 3)
    proxy = Delegating()
    async with processes(1) as (worker,), proxy.serving() as server, clients(server.port, 8) as several:
        await several[0].get("/d")
        with_one = descriptors(worker)
        for _ in range(3):
            for client in several:
                assert int((await client.get("/d")).body) == worker.pid
                assert (await client.get("/here")).body == b"here"
        await eventually(lambda: descriptors(worker) == with_one + 2)


# -- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_proxy_that_stops_waits_for_what_it_lent():
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await go_on.wait()
        return await exchange.respond(200, "done")

    async with delegated(handler) as (client, _):
        await client.send(request("GET", "/d"))
        await started.wait()
        assert connection_of(client.server).connection.phase is Phase.LENT
        stopping = asyncio.create_task(client.server.stop(10))
        await asyncio.sleep(0)
        go_on.set()
        assert (await client.answer()).body == b"done"
        client.close()
        await stopping


async def test_a_proxy_that_stops_at_once_cuts_off_what_it_lent():
    started = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"half")
        started.set()
        await exchange.channel().disconnected()
        return exchange.outcome(Kind.FAILED)

    async with delegated(handler) as (client, _):
        await client.send(request("GET", "/d"))
        await started.wait()
        await client.server.stop(0)
        with pytest.raises(
            ConnectionResetError if sys.platform == "linux" else (ConnectionResetError, EOFError)
        ):
            await client.answer()


async def test_a_rule_may_be_given_back_after_its_server_stopped():
    proxy = Delegating()
    async with working(where), proxy.serving() as server, await Client.connect(server.port) as client:
        await client.get("/d")
        await server.stop(0)
        server.close_rule(proxy.rule)


async def test_a_response_in_chunks_is_delegated_with_its_trailers():
    async def handler(exchange):
        begin_response(exchange, Response(200, Headers(), CHUNKED), b"abc")
        finish_response(exchange, [(b"x-sum", b"1")])
        return exchange.outcome(Kind.RESPONDED)

    async with delegated(handler) as (client, _):
        answer = await client.get("/d")
        assert (answer.body, answer.trailers) == (b"abc", [(b"x-sum", b"1")])


@pytest.mark.parametrize("count", [1, 40])
async def test_a_client_that_resets_with_delegated_requests_pipelined_leaves_no_traceback(count, caplog):
    go_on, seen = asyncio.Event(), []

    async def handler(exchange):
        seen.append(exchange.path)
        await go_on.wait()
        return await exchange.respond(200, "x")

    proxy = Delegating()
    async with working(handler), proxy.serving() as server:
        async with await Client.connect(server.port) as client:
            await client.send(request("GET", "/d") * (1 + count))
            await eventually(lambda: seen)
            go_on.set()
            client.reset()
        await eventually(lambda: not server._context.connections)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
