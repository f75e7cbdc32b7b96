"""What is lent of a client over TLS, or on a Unix socket: how the lender keeps count, and what it does about liars.

What holds for every delegated request is in test_delegation.py, which has clients over TLS too.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import socket
import sys
import weakref

import pytest
from attrs import evolve

from hostler.asgi.application import Application
from hostler.errors import Reason
from hostler.outcome import Kind
from hostler.server.options import TlsOptions
from hostler.server.usermode.http1.connection import Phase
from hostler.server.usermode.queues import relay as relay_module
from hostler.server.usermode.queues.packets import Close, Departed, Done, GiveBack, Lend, Open
from hostler.server.usermode.queues.relay import Relay
from hostler.server.usermode.queues.tcp_info import bytes_waiting
from tests.certificates import authority, certificate, client_context
from tests.server.usermode.peers import (
    Client,
    Process,
    TlsClient,
    bare_member,
    eventually,
    options,
    over_tls,
    request,
    serving,
    working,
)

pytestmark = pytest.mark.usefixtures("runtime")

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
PREFIX = "http://*:80/"


class Delegating:
    """Delegates everything but /here; `outcomes` has what became of it."""

    def __init__(self):
        self.outcomes = []
        self.rule = None

    async def __call__(self, exchange):
        if exchange.path == "/here":
            return await exchange.respond(200, "here")
        outcome = await exchange.delegate(self.rule)
        self.outcomes.append(outcome)
        return outcome


@contextlib.asynccontextmanager
async def lending(settings=None):
    """A proxy over TLS that delegates, and a client of it."""
    proxy = Delegating()
    settings = settings or over_tls()
    async with serving(proxy, urls=["https://127.0.0.1:0/"], settings=settings) as server:
        proxy.rule, proxy.server = server.open_rule("q", PREFIX), server
        async with await TlsClient.connect(server.port) as client:
            yield proxy, client


class Hand:
    """A member that does by hand what the test says; `socket` is its end of the pair."""

    def __init__(self, peer):
        self.peer = peer
        self.socket = None

    async def lent(self):
        """Wait for a request."""
        while not isinstance(packet := await self.peer.next(), Lend):
            if isinstance(packet, Open):
                self.socket = socket.socket(fileno=self.peer.descriptors.pop())
                self.socket.setblocking(False)
        return packet

    async def receive(self, size):
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.socket, size)

    def answer(self, loan, data=ANSWER, *, reported=None, **done):
        self.socket.send(data)
        self.done(loan, len(data) if reported is None else reported, **done)

    def done(self, loan, written, **done):
        self.peer.link.send(Done(loan.loan, 200, bytes_written=written, **done))


@contextlib.asynccontextmanager
async def by_hand(settings=None):
    """A client over TLS of a proxy, and the member that it delegates to."""
    with bare_member() as connected:
        async with lending(settings) as (proxy, client):
            await client.send(request("GET", "/d"))
            hand = Hand(await connected())
            try:
                yield proxy, client, hand
            finally:
                if hand.socket is not None:
                    hand.socket.close()


# -- what is counted --------------------------------------------------------------------------------------------------


async def test_the_member_gets_an_end_of_a_pair_once_a_connection():
    async with by_hand() as (proxy, client, hand):
        for turn in range(3):
            hand.answer(await hand.lent())
            assert (await client.answer()).body == b"hi"
            if turn < 2:
                await client.send(request("GET", "/d"))
        assert hand.socket.family is socket.AF_UNIX
        await eventually(lambda: len(proxy.outcomes) == 3)
        assert {outcome.kind for outcome in proxy.outcomes} == {Kind.DELEGATED}


async def test_what_is_in_the_pair_when_the_member_reports_belongs_to_its_answer():
    async with by_hand() as (proxy, client, hand):
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000)
        loan = await hand.lent()
        sent = hand.socket.send(data)
        while sent < len(data):
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                sent += hand.socket.send(data[sent:])
        hand.done(loan, len(data))
        hand.peer.link.flush()
        assert len((await client.answer()).body) == 200_000
        assert (await client.get("/here")).body == b"here"
        assert proxy.outcomes[0].failure is None


@pytest.mark.logs_errors("the worker wrote 41 bytes to the client, and reported")
@pytest.mark.parametrize("reported", [0, 40, 42, 2**40])
async def test_a_member_that_reports_another_number_than_it_wrote_costs_its_own_client_the_connection(
    reported,
):
    async with by_hand() as (proxy, client, hand), await TlsClient.connect(proxy.server.port) as other:
        hand.answer(await hand.lent(), ANSWER + b" ", reported=reported)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.rest()
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_DESTINATION
        await nobody_else_notices(other, hand)


async def nobody_else_notices(other, hand):
    """Have another client's request answered by the same member."""
    await other.send(request("GET", "/d"))
    hand.socket.close()
    hand.answer(await hand.lent())
    assert (await other.answer()).body == b"hi"


@pytest.mark.logs_errors("a worker wrote between two requests")
async def test_a_member_that_writes_after_its_report_costs_its_own_client_the_connection():
    async with by_hand() as (proxy, client, hand), await TlsClient.connect(proxy.server.port) as other:
        hand.answer(await hand.lent())
        assert (await client.answer()).body == b"hi"
        await eventually(lambda: proxy.outcomes)
        hand.socket.send(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.rest()
        await nobody_else_notices(other, hand)


@pytest.mark.logs_errors("a worker reads no more")
async def test_a_member_that_refuses_to_read_costs_its_own_client_the_connection():
    async with by_hand() as (proxy, client, hand), await TlsClient.connect(proxy.server.port) as other:
        hand.answer(await hand.lent())
        await client.answer()
        await client.send(request("POST", "/d", "Content-Length: 10"))
        await hand.lent()
        hand.socket.shutdown(socket.SHUT_RD)
        await client.send(b"x")
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.rest()
        await nobody_else_notices(other, hand)


async def test_a_member_that_keeps_its_end_has_nothing_of_it():
    async with by_hand() as (proxy, client, hand):
        hand.answer(await hand.lent())
        await client.answer()
        client.close()
        packets = []
        while not packets or not isinstance(packets[-1], Close):
            packets.append(await hand.peer.next())
        with pytest.raises(ConnectionResetError):
            hand.socket.recv(1)
        with pytest.raises(BrokenPipeError):
            hand.socket.send(b"x")
        await eventually(lambda: not proxy.server._context.connections)


async def test_what_a_member_left_unread_comes_in_its_order():
    behind = request("GET", "/here") * 3000  # more than the pair holds
    async with by_hand() as (_, client, hand):
        hand.answer(await hand.lent())
        await client.answer()
        await client.send(request("POST", "/d", "Content-Length: 4"))
        loan = await hand.lent()
        assert not loan.whole
        await client.send(b"body")
        sending = asyncio.create_task(client.send(behind))
        taken = b""
        while len(taken) < 1000:
            taken += await hand.receive(1000 - len(taken))
        assert taken.startswith(b"bodyGET")
        hand.answer(loan, unread=taken[4:])
        assert (await client.answer()).body == b"hi"
        for _ in range(3000):
            assert (await client.answer()).body == b"here"
        await sending


@pytest.mark.parametrize("touched", [b"", b"0123"])
async def test_a_body_that_a_member_gives_back_unread_is_all_there_for_the_next(touched):
    async with by_hand() as (proxy, client, hand):
        hand.answer(await hand.lent())
        await client.answer()
        await client.send(request("POST", "/d", "Content-Length: 10"))
        await hand.lent()
        await client.send(b"0123456789")
        await eventually(lambda: bytes_waiting(hand.socket) == 10)
        hand.socket.recv(len(touched))
        async with working(echo):
            await eventually(lambda: len(proxy.rule.target._members) == 2)
            hand.peer.link.close()  # as if it had been killed
            if touched:
                with pytest.raises((ConnectionResetError, EOFError)):
                    await client.rest()
            else:
                assert (await client.answer()).body == b"0123456789"


async def echo(exchange):
    return await exchange.respond(200, await exchange.read(1 << 20))


async def test_a_request_that_is_given_back_goes_to_another_on_the_same_pair():
    async with by_hand() as (proxy, client, hand):
        loan = await hand.lent()
        async with working(echo):
            await eventually(lambda: len(proxy.rule.target._members) == 2)
            hand.peer.link.send(GiveBack(loan.loan))
            assert (await client.answer()).status == 200
            assert (await client.get("/here")).body == b"here"


async def test_a_client_that_ends_its_side_is_seen_to_by_the_member_on_the_pair():
    async with by_hand() as (_, client, hand):
        hand.answer(await hand.lent())
        await client.answer()
        await client.send(request("POST", "/d", "Content-Length: 10"))
        loan = await hand.lent()
        await client.send(b"0123456789")
        client.shut()
        assert await hand.receive(100) == b"0123456789"
        assert await hand.receive(1) == b""
        hand.answer(loan)
        assert (await client.answer()).body == b"hi"


async def test_a_client_that_goes_is_reset_on_the_pair_and_told_of():
    async with by_hand() as (proxy, client, hand):
        loan = await hand.lent()
        client.reset()
        assert isinstance(await hand.peer.next(), Departed)
        with pytest.raises(ConnectionResetError):
            hand.socket.recv(1)
        hand.done(loan, 0, reason=Reason.REQUEST_CANCELED, keep_alive=False)
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.reason is Reason.REQUEST_CANCELED


# -- flow -------------------------------------------------------------------------------------------------------------


def relay_of(proxy):
    (accepted,) = proxy.server._context.connections
    return accepted._lent.socket


async def test_no_more_is_taken_from_a_member_than_the_client_takes():
    settings = options(send=5)
    async with by_hand(over_tls(settings)) as (proxy, client, hand):
        loan = await hand.lent()
        (accepted,) = proxy.server._context.connections
        sent = hand.socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n")
        while not relay_of(proxy)._is_held_back or sent < 1 << 20:
            with contextlib.suppress(BlockingIOError):
                sent += hand.socket.send(bytes(1 << 16))
            await asyncio.sleep(0)
        for _ in range(50):
            with contextlib.suppress(BlockingIOError):
                sent += hand.socket.send(bytes(1 << 16))
            await asyncio.sleep(0)
        assert accepted.socket.unsent < 1 << 19
        hand.done(loan, sent, keep_alive=False, reason=Reason.RESPONSE_BODY_DESTINATION)
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.rest()


@pytest.mark.parametrize(
    "end", [pytest.param("report", marks=pytest.mark.logs_errors("to the client, and reported")), "death"]
)
async def test_a_member_that_goes_on_writing_keeps_nobody_else_waiting(monkeypatch, end):
    taken = []

    class Eager(Relay):
        """Has the member write again whenever something is taken."""

        __slots__ = ()

        def _take(self):
            with contextlib.suppress(OSError):
                hand.socket.send(bytes(1 << 16))
            taken.append(1)
            assert len(taken) < 1000, "it would go on for as long as the member writes"
            return super()._take()

    monkeypatch.setattr(relay_module, "Relay", Eager)
    async with by_hand() as (proxy, client, hand):
        loan = await hand.lent()
        if end == "report":
            hand.done(loan, 1 << 40)
        else:
            hand.peer.link.close()
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.rest()
        await eventually(lambda: proxy.outcomes)
        assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_DESTINATION


async def test_no_more_is_taken_from_a_client_than_the_member_reads():
    async with by_hand() as (proxy, client, hand):
        hand.answer(await hand.lent())
        await client.answer()
        await client.send(request("POST", "/d", "Content-Length: 20000000"))
        loan = await hand.lent()
        sending = asyncio.create_task(client.send(bytes(20_000_000)))
        relay = relay_of(proxy)
        await eventually(lambda: relay._pending)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not sending.done()
        assert len(relay._pending) < 1 << 19
        size = 0
        while size < 20_000_000:
            with contextlib.suppress(BlockingIOError):
                size += len(hand.socket.recv(1 << 18))
            await asyncio.sleep(0)
        await sending
        hand.answer(loan)
        assert (await client.answer()).body == b"hi"


async def test_a_relay_does_not_wait_for_the_collector():
    made = []

    class Traced(Relay):
        __slots__ = ("__weakref__",)

        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    relay_module.Relay, original = Traced, relay_module.Relay
    gc.collect()
    gc.disable()
    try:
        async with working(echo), lending() as (proxy, client):
            assert (await client.get("/d")).status == 200
            client.close()
            await eventually(lambda: not proxy.server._context.connections)
            await eventually(lambda: made[0]() is None)
    finally:
        gc.enable()
        relay_module.Relay = original


# -- no room ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the descriptors of this process")
async def test_where_there_is_no_room_for_a_pair_the_request_gets_503_and_nothing_leaks():
    async with working(echo), lending() as (proxy, client):
        assert (await client.get("/here")).body == b"here"
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare.fileno() + 1, hard))
        spare.close()  # room for one of the two
        try:
            for body in (b"", b"body"):
                await client.send(request("POST", "/d", body=body))
                assert (await client.answer()).status == 503
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert proxy.outcomes[0].failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
        assert "no room to lend the connection" in proxy.outcomes[0].failure.detail
        await client.send(request("POST", "/d", body=b"body"))
        assert (await client.answer()).body == b"body"


# -- what the member knows of the encryption --------------------------------------------------------------------------


async def test_the_member_knows_of_the_encryption_what_the_proxy_knows(tmp_path):
    seen = []

    async def handler(exchange):
        seen.append((exchange.tls, await exchange.connection.client_certificate()))
        return await exchange.respond(204)

    async def app(scope, receive, send):
        seen.append(scope["extensions"]["tls"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    own = certificate(tmp_path, "client@example.org")
    (tmp_path / "ca.pem").write_bytes(authority().cert_pem.bytes())
    tls = TlsOptions(
        certificate=certificate(tmp_path), client_certificates="RequireCertificate",
        client_ca=str(tmp_path / "ca.pem"),
    )  # fmt: skip
    settings = evolve(options(), tls=tls)
    for answering in (handler, Application(app)):
        for delegated in (True, False):
            proxy = Delegating()
            urls = ["https://127.0.0.1:0/"]
            async with (
                working(answering),
                serving(proxy if delegated else answering, urls=urls, settings=settings) as server,
            ):
                proxy.rule = server.open_rule("q", PREFIX)
                async with await TlsClient.connect(server.port, context=client_context(own)) as client:
                    assert (await client.get("/d")).status == 204
    direct, proxied = seen[1], seen[0]
    assert proxied == direct
    assert proxied[0].client_certificate is not None
    assert (proxied[0].server_name, proxied[0].version) == ("localhost", "TLSv1.3")
    assert seen[2] == seen[3]
    assert len(seen[2]["client_cert_chain"]) >= 1


# -- Unix sockets -----------------------------------------------------------------------------------------------------


async def test_a_client_on_a_unix_socket_is_delegated_too(tmp_path):
    path = tmp_path / "s"
    proxy = Delegating()
    url = "http+unix://" + str(path).replace("/", "%2F") + "/"
    async with working(echo) as worker, serving(proxy, urls=[url]) as server:
        proxy.rule = server.open_rule("q", PREFIX)
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, str(path))
        async with Client(sock) as client:
            for size in (0, 10, 1_000_000):
                sending = asyncio.create_task(client.send(request("POST", "/d", body=bytes(size))))
                assert (await client.answer()).body == bytes(size)
                await sending
                assert (await client.get("/here")).body == b"here"
            assert worker is not None
            (accepted,) = server._context.connections
            assert isinstance(accepted._lent.socket, Relay)


# -- deaths -----------------------------------------------------------------------------------------------------------

STEPS = {
    "before it answered": ("GET", "/hang", b"", "/hang", 200),
    "before it read a body": ("POST", "/hang", b"x" * 10, "/hang", 200),
    "in the middle of a body": ("POST", "/half-read", b"x" * 10, "/half-read", None),
    "in the middle of its answer": ("GET", "/half", b"", "/half", None),
}


@pytest.mark.timeout(60)  # it starts four processes
@pytest.mark.parametrize("step", STEPS)
async def test_deaths_over_tls_cost_what_they_cost_without(step):
    method, path, body, says, expected = STEPS[step]
    proxy = Delegating()
    async with serving(
        proxy, urls=["https://127.0.0.1:0/"], settings=over_tls(options(queue_restart=20))
    ) as server:
        proxy.rule = server.open_rule("q", PREFIX)
        async with await TlsClient.connect(server.port) as client:
            for death in range(3):
                async with Process("worker", "q") as worker:
                    assert await worker.line() == "ready"
                    if not death:
                        head = request(method, path, *([f"Content-Length: {len(body)}"] if body else []))
                        await client.send(head)
                        await eventually(lambda: phase_of(server) is Phase.LENT)
                        if path != "/half-read":
                            await client.send(body)
                    assert await worker.line() == says
                    if path == "/half-read":
                        await client.send(body[:5])
                        assert await worker.line() == "read"
                    elif path == "/half":
                        assert b"first half" in await client.until(b"first half")
                if expected is None:
                    with pytest.raises((ConnectionResetError, EOFError)):
                        await client.rest()
                    await eventually(lambda: proxy.outcomes)
                    assert proxy.outcomes[0].failure.reason is Reason.RESPONSE_BODY_DESTINATION
                    return
            async with working(echo):
                answer = await client.answer()
                assert (answer.status, answer.body) == (expected, body)


def phase_of(server):
    (accepted,) = server._context.connections
    return accepted.connection.phase
