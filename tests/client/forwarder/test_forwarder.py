"""A forwarder by itself: what it refuses, cancellation, stopping, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from hostler import (
    Destination,
    Forwarder,
    HttpClient,
    HttpRequest,
    Reason,
    ServerOptions,
    Side,
    Timeouts,
    serving,
)
from hostler.fleet import LiveDestination
from hostler.testing import FakeStream, exchange
from tests.client.peers import BLOCK, OK, Peer, answering, connected, destination, front, until


@pytest.mark.parametrize(
    "address", ["", "example.com", "ftp://example.com", "http://", "http://a:b/", "http://ü/"]
)
async def test_what_is_no_address_is_the_callers_error(address, caplog):
    caplog.set_level(logging.CRITICAL, "hostler.server")
    errors = []
    forwarder = Forwarder()

    async def handler(exchange):
        with pytest.raises(ValueError) as caught:
            await forwarder.send(exchange, address)
        errors.append(str(caught.value))
        return await exchange.respond(200)

    async with serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await client.head()
    assert repr(address) in errors[0]
    assert "http://host[:port][/path]" in errors[0]


async def test_an_exchange_that_was_answered_cannot_be_forwarded():
    forwarder = Forwarder()

    async def handler(exchange):
        outcome = await exchange.respond(200)
        with pytest.raises(RuntimeError, match="has begun"):
            await forwarder.send(exchange, "http://127.0.0.1:1")
        return outcome

    async with serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.answer()).status == 200


async def test_what_a_stage_adds_to_the_answer_is_added_once():
    forwarder = Forwarder()

    async def handler(exchange):
        exchange.on_response(lambda headers: headers.append((b"X-Stage", b"1")))
        return await forwarder.send(exchange, there.address)

    async with (
        destination(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\n\r\n"
        assert (await client.answer()).get(b"x-stage") == b"1"
        forwarder.close()


async def test_a_stage_sees_and_changes_the_headers_of_the_answer():
    forwarder, seen = Forwarder(), []

    def change(headers):
        seen.extend(headers)
        headers[:] = [pair for pair in headers if pair[0] != b"Server"]
        headers.append((b"X-Stage", b"1"))

    async def handler(exchange):
        exchange.on_response(change)
        return await forwarder.send(exchange, there.address)

    answer = b"HTTP/1.1 200 OK\r\nServer: secret\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n\r\nok"
    async with (
        destination(answering(answer)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        got = await client.answer()
        forwarder.close()
    assert seen == [(b"Server", b"secret"), (b"Content-Length", b"2")]
    assert (got.body, got.get(b"server"), got.get(b"x-stage")) == (b"ok", None, b"1")


async def test_a_callback_that_fails_is_500_and_not_the_destinations_fault(caplog):
    def broken(headers):
        raise KeyError("x-missing")

    async def handler(exchange):
        exchange.on_response(broken)
        outcomes.append(await forwarder.send(exchange, there.address))
        return outcomes[-1]

    forwarder, outcomes = Forwarder(), []
    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.answer()).status == 500
        forwarder.close()
    assert outcomes[0].failure.side is Side.PROXY
    assert "a callback of on_response failed: KeyError('x-missing')" in caplog.text
    assert "in broken" in caplog.text


async def test_a_header_that_a_stage_adds_and_nobody_can_send_is_502():
    """Nothing of the answer leaks in front of the 502, however many pieces its body came in."""
    chunks = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n0\r\n\r\n"
    )
    forwarder, failures = Forwarder(), []

    async def handler(exchange):
        exchange.on_response(lambda headers: headers.append((b"X", b"1\r\nSet-Cookie: evil")))
        outcome = await forwarder.send(exchange, there.address)
        failures.append(outcome.failure.reason)
        return outcome

    async with (
        destination(answering(chunks)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert failures == [Reason.RESPONSE_HEADERS]
        forwarder.close()


async def test_a_cancelled_handler_closes_the_connection_to_the_destination():
    forwarder = Forwarder()
    got, ends = asyncio.Event(), []

    async def script(peer):
        await peer.head()
        got.set()
        ends.append(await peer.rest())

    async def handler(exchange):
        sending = asyncio.ensure_future(forwarder.send(exchange, there.address))
        await got.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        return await exchange.respond(503)

    async with destination(script) as there, serving(handler) as served, connected(served.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await client.answer()).status == 503
        await until(lambda: ends)


async def test_a_cancellation_that_comes_too_late_leaves_the_connection_to_whoever_has_it_now():
    forwarder, taken = Forwarder(), []

    class Late(FakeStream):
        def end(self, trailers=None):
            super().end(trailers)
            ((_, pool),) = forwarder._pools.values()
            taken.append(pool.take())
            sending.cancel()

    async with destination(answering(OK)) as there:
        sending = asyncio.create_task(forwarder.send(exchange(stream=Late()), there.address))
        with pytest.raises(asyncio.CancelledError):
            await sending
        (connection,) = taken
        assert not connection.has_expired()
        connection.close()


async def test_a_request_that_a_stage_broke_is_502():
    forwarder = Forwarder()

    async def handler(exchange):
        if exchange.path == "/broken":
            exchange.request.headers.add("X", "1\r\nInjected: 2")
        outcomes.append(await forwarder.send(exchange, there.address))
        return outcomes[-1]

    outcomes = []
    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        for path, status in [(b"/", 200), (b"/broken", 502), (b"/", 200)]:
            client.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
            assert (await client.answer()).status == status
        assert outcomes[1].failure.reason is Reason.REQUEST_CREATION
        assert there.connections == 1
        forwarder.close()


async def test_a_client_address_that_a_stage_broke_is_502():
    forwarder = Forwarder()

    async def handler(exchange):
        if exchange.path == "/broken":
            exchange.client = ("192.0.2.1\r\nInjected: 2", 1)
        outcomes.append(await forwarder.send(exchange, LiveDestination("d", Destination(there.address))))
        return outcomes[-1]

    outcomes = []
    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        for path, status in [(b"/broken", 502), (b"/", 200), (b"/broken", 502), (b"/", 200)]:
            client.send(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
            assert (await client.answer()).status == status
        assert outcomes[2].failure.reason is Reason.REQUEST_CREATION
        assert there.connections == 1
        forwarder.close()


async def test_a_client_that_goes_while_its_request_waits_for_a_connection_costs_no_connection():
    arrived, go, heads = asyncio.Event(), asyncio.Event(), []

    async def script(peer):
        while True:
            heads.append((await peer.head()).split()[1])
            arrived.set()
            await go.wait()
            peer.send(OK)

    async with (
        destination(script) as there,
        front(there.address, client=HttpClient(max_connections_per_server=1)) as proxy,
        proxy.connect() as first,
        proxy.connect() as second,
        proxy.connect() as third,
    ):
        first.send(proxy.request("GET", "/first"))
        await arrived.wait()
        second.send(proxy.request("GET", "/second"))
        await until(lambda: len(proxy.seen) == 2)
        third.send(proxy.request("GET", "/third"))
        await until(lambda: len(proxy.seen) == 3)
        second.reset()
        await until(lambda: proxy.seen[1].stream.closed)
        go.set()
        assert (await third.answer()).body == b"ok"
        await proxy.over(3)
        assert heads == [b"/first", b"/third"]
        assert there.connections == 1


async def test_a_stopping_server_lets_a_forward_finish():
    got, go = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        got.set()
        await go.wait()
        peer.send(OK)

    async with destination(script) as there, asyncio.TaskGroup() as group, connected_later() as later:
        async with front(there.address) as proxy:
            client = await later(proxy)
            client.send(proxy.request())
            await got.wait()
            group.create_task(set_soon(go))
        answer = await client.answer()
    assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")


async def set_soon(event):
    for _ in range(3):
        await asyncio.sleep(0)
    event.set()


class connected_later:  # noqa: N801 - reads like the function it stands for
    """A client that outlives the proxy it talks to."""

    async def __aenter__(self):
        self.peers = []
        return self._connect

    async def _connect(self, proxy):
        host, port = proxy.host.split(":")
        self.peers.append(Peer(*await asyncio.open_connection(host, int(port))))
        return self.peers[-1]

    async def __aexit__(self, *_):
        for peer in self.peers:
            peer.close()


async def test_a_stopping_server_aborts_a_forward_that_takes_too_long():
    got, ends = asyncio.Event(), []

    async def script(peer):
        await peer.head()
        got.set()
        ends.append(await peer.rest())

    async with destination(script) as there, connected_later() as later:
        async with front(there.address, grace=0.05) as proxy:
            client = await later(proxy)
            client.send(proxy.request())
            await got.wait()
        assert await client.rest() == b""
        await until(lambda: ends)


async def test_a_hundred_exchanges_under_way_while_their_destination_dies():
    """Each of them ends, and ends as what it is: whole, refused, or aborted."""
    under_way = asyncio.Semaphore(0)

    async def script(peer):
        number = peer.number
        await peer.head()
        if number % 3 == 0:
            under_way.release()
            await death.wait()
            peer.reset()
        elif number % 3 == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhal")
            under_way.release()
            await death.wait()
            peer.reset()
        else:
            peer.send(OK)
            under_way.release()

    death = asyncio.Event()
    async with destination(script) as there, front(there.address) as proxy:
        asked = [asyncio.create_task(proxy.fetch()) for _ in range(200)]
        for _ in asked:
            await under_way.acquire()
        death.set()
        answers = await asyncio.gather(*asked)
        await proxy.over(200)
    whole = [answer for answer in answers if answer.complete and answer.status == 200]
    refused = [answer for answer in answers if answer.status == 502]
    aborted = [answer for answer in answers if not answer.complete]
    assert all(answer.body == b"ok" for answer in whole)
    assert len(whole) + len(refused) + len(aborted) == 200
    assert len(refused) >= 60
    assert len(aborted) >= 60
    pools = [pool for _, pool in proxy.forwarder._pools.values()]
    assert all(connection.is_idle() for pool in pools for connection in pool._connections)


async def test_a_slow_client_counts_against_the_client():
    """A client that takes nothing is not its destination's fault."""

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            while True:
                peer.send(BLOCK)
                await peer.drain()
        except ConnectionError:
            pass

    options = ServerOptions(timeouts=Timeouts(send=30))
    async with (
        destination(script) as there,
        front(there.address, request=HttpRequest(activity_timeout=0.3), options=options) as proxy,
        proxy.connect(limit=1024) as client,
    ):
        client.send(proxy.request())
        outcome = await proxy.over()
        assert outcome.failure.reason is Reason.RESPONSE_BODY_CLIENT


async def test_an_exchange_leaves_no_cycles_for_the_collector():
    """What runs for every request must not need the garbage collector, which is told to look seldom."""
    forwarder, left = Forwarder(), []

    async def handler(exchange):
        left.append(weakref.ref(exchange))
        return await forwarder.send(exchange, there.address)

    async with (
        destination(answering(OK)) as there,
        serving(handler) as served,
        connected(served.url) as client,
    ):
        gc.disable()
        try:
            for _ in range(3):
                client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert (await client.answer()).body == b"ok"
            await until(lambda: all(item() is None for item in left))
        finally:
            gc.enable()
        forwarder.close()


def fail(headers):
    raise KeyError("x-missing")


@pytest.mark.parametrize(
    ("answer", "prepare", "reason"),
    [
        (b"SSH-2.0\r\n\r\n", lambda given: None, Reason.REQUEST),
        (b"", lambda given: None, Reason.REQUEST),
        (OK[:-1], lambda given: None, Reason.RESPONSE_BODY_DESTINATION),
        (OK, lambda given: given.on_response(fail), Reason.RESPONSE_HEADERS),
        (OK, lambda given: given.request.headers.add("X", "1\r\n"), Reason.REQUEST_CREATION),
        (None, lambda given: given.stream.client_leaves(), Reason.REQUEST_CANCELED),
        (None, lambda given: None, Reason.REQUEST_TIMED_OUT),
    ],
    ids=["not http", "closed", "broken off", "callback", "request", "departure", "timeout"],
)
async def test_a_failed_exchange_leaves_no_cycles_for_the_collector(answer, prepare, reason, caplog):
    """A cycle of an exception, its traceback and a frame would keep whatever the exchange holds."""
    caplog.set_level(logging.CRITICAL + 1)  # what is logged is kept

    async def script(peer):
        await peer.head()
        if answer is None:
            await peer.rest()
        else:
            peer.send(answer)

    async def send():
        given = exchange()
        prepare(given)
        outcome = await forwarder.send(given, there.address)
        assert outcome.failure.reason is reason
        return weakref.ref(given)

    forwarder = Forwarder(None, HttpRequest(activity_timeout=0.1))
    async with destination(script) as there:
        gc.disable()
        try:
            left = await send()
            async with asyncio.timeout(1):
                await until(lambda: left() is None)
        finally:
            gc.enable()
            forwarder.close()


async def test_a_body_that_a_stage_has_read_cannot_be_forwarded():
    forwarder = Forwarder()
    request = exchange("POST", "/", body=b"read", stream=FakeStream(b"read"))
    assert await request.read() == b"read"
    with pytest.raises(RuntimeError, match="read by a stage"):
        await forwarder.send(request, "http://127.0.0.1:9")


async def test_a_destination_without_connections_is_not_remembered():
    async with destination(answering(OK)) as there, front(there.address) as proxy:
        await proxy.fetch()
        assert len(proxy.forwarder._pools) == 1
        for peer in there.peers:
            peer.writer.close()
        await until(lambda: not proxy.forwarder._pools)
        assert (await proxy.fetch()).status == 200


async def test_a_destination_that_is_not_there_is_not_remembered():
    async with front("http://127.0.0.1:1") as proxy:
        assert (await proxy.fetch()).status == 502
        assert not proxy.forwarder._pools
