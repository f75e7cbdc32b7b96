"""A member of a queue, and a lender on a bare link in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

import pytest
from attrs import evolve

from hostler.answering import begin_response
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.server.usermode.queues import borrower as borrower_module
from hostler.server.usermode.queues import link as link_module
from hostler.server.usermode.queues.directory import QueueDirectory, connect
from hostler.server.usermode.queues.link import KIND
from hostler.server.usermode.queues.packets import (
    Begun,
    Close,
    Data,
    Done,
    GiveBack,
    Leaving,
    Lend,
    Open,
    encode,
)
from hostler.server.usermode.queues.tcp_info import bytes_written
from tests.server.usermode.peers import Peer, eventually, lendable, request, working

pytestmark = pytest.mark.usefixtures("runtime")


def lender_of(queue="q"):
    (path,) = QueueDirectory(queue).members()
    return Peer(connect(path, KIND))


def opening(number=1):
    return Open(number, ("127.0.0.1", 1), ("127.0.0.1", 2))


def lend(loan=1, path="/", *lines, connection=1, prefix="http://*:80/"):
    return Lend(loan, connection, prefix, b"", request("GET", path, *lines))


async def returned(lender):
    """Return the next packet, a DONE, but for the bytes that were written, which stand in no test."""
    packet = await lender.next()
    assert packet.bytes_written > packet.bytes_sent
    return evolve(packet, bytes_written=0)


class Handler:
    """Answers at once, or when it is let; /half begins before."""

    def __init__(self):
        self.paths = []
        self.go_on = asyncio.Event()

    async def __call__(self, exchange):
        self.paths.append(exchange.path)
        if exchange.path == "/half":
            begin_response(exchange, Response(200, Headers(), CHUNKED), b"half")
        if exchange.path != "/":
            await self.go_on.wait()
        if exchange.path == "/half":
            exchange.stream.write(b" and half")
            return await exchange.end()
        return await exchange.respond(200, exchange.path)

    async def until(self, *paths):
        await eventually(lambda: self.paths == list(paths))


async def ends(client, sock):
    """Whether no copy of the connection is left but this, which is closed now."""
    sock.close()
    return await client.rest() == b""


async def test_a_connection_is_opened_once_and_lent_as_often_as_need_be():
    async with working(Handler()), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            for number in range(1, 5):
                lender.link.send(lend(number))
                assert (await client.answer()).body == b"/"
                assert await returned(lender) == Done(number, 200, 0, 1)
            assert lender.packets == []


async def test_all_that_is_written_is_counted():
    async def handler(exchange):
        exchange.stream.inform(103, [])
        await exchange.start(200)
        for _ in range(20):
            await exchange.write(bytes(100_000))
        return await exchange.end()

    async with working(handler), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            before = 0
            for number in (1, 2):
                lender.link.send(lend(number))
                assert len((await client.answer()).body) == 2_000_000
                await eventually(lambda: lender.packets)
                before += lender.packets.pop().bytes_written
                assert bytes_written(sock) in {before, None}


async def test_connections_are_told_apart_by_their_numbers():
    handler = Handler()
    async with working(handler), lendable() as (one, one_sock), lendable() as (other, other_sock):
        with lender_of() as lender:
            lender.link.open(opening(7), one_sock.fileno())
            lender.link.open(opening(8), other_sock.fileno())
            lender.link.send(lend(1, "/one", connection=7))
            lender.link.send(lend(2, "/other", connection=8))
            handler.go_on.set()
            assert (await one.answer()).body == b"/one"
            assert (await other.answer()).body == b"/other"


async def test_an_answer_that_takes_a_while_is_announced_with_its_status():
    go_on = asyncio.Event()

    async def handler(exchange):
        await exchange.start(206)
        await exchange.write(b"half")
        await go_on.wait()
        return await exchange.end()

    async with working(handler), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            for number in (1, 2):
                lender.link.send(lend(number))
                await eventually(lambda: lender.begun)
                assert lender.begun.pop() == Begun(number, 206)
                go_on.set()
                assert (await client.answer()).body == b"half"
                assert await returned(lender) == Done(number, 206, 0, 4)
                go_on.clear()


async def test_an_interim_response_is_no_answer():
    go_on = asyncio.Event()

    async def handler(exchange):
        exchange.stream.inform(103, [])
        await go_on.wait()
        return await exchange.respond(200, "ok")

    async with working(handler), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(1))
            await client.until(b"103")
            go_on.set()
            assert await returned(lender) == Done(1, 200, 0, 2)
            assert lender.begun == []


async def test_data_that_goes_ahead_belongs_to_its_loan():
    async with working(Handler()), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(Data(1, b"GET / HTT"))
            lender.link.send(Lend(1, 1, "http://*:80/", b"", b"P/1.1\r\nHost: a\r\n\r\n"))
            assert (await client.answer()).body == b"/"
            lender.link.send(lend(2))
            assert (await client.answer()).body == b"/"


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("size", [0, 1, 100_000])
@pytest.mark.parametrize("early", [0, 1, 5])
async def test_a_body_of_known_length_is_read_to_its_last_byte_and_no_further(read, size, early):
    asked = asyncio.Event()

    async def handler(exchange):
        asked.set()
        return await exchange.respond(200, str(len(await exchange.read())) if read else "unread")

    body, behind = b"x" * size, request("GET", "/next") * 3000
    early = body[:early]
    async with working(handler), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            for number in (1, 2):
                asked.clear()
                head = request("POST", "/", f"Content-Length: {size}")
                lender.link.send(Lend(number, 1, "http://*:80/", b"", head + early))
                await asked.wait()
                await client.send(body[len(early) :] + behind)
                assert (await client.answer()).body == (b"%d" % size if read else b"unread")
                assert await returned(lender) == Done(
                    number, 200, size if read else 0, len(str(size)) if read else 6
                )
                left = b""
                while len(left) < len(behind):
                    with contextlib.suppress(BlockingIOError):
                        left += sock.recv(len(behind) - len(left))
                    await asyncio.sleep(0)
                assert left == behind


@pytest.mark.parametrize("how", ["close", "hang up", "leave", "done"])
async def test_an_idle_copy_is_closed(how):
    async with working(Handler()) as worker, lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(1, "/", *(["Connection: close"] if how == "done" else [])))
            assert (await client.answer()).body == b"/"
            assert (await lender.next()).keep_alive is (how != "done")
            if how == "close":
                lender.link.send(Close(1))
            elif how == "hang up":
                lender.link.close()
            elif how == "leave":
                worker.queue.leave()
                assert await lender.next() == Leaving()
            assert await ends(client, sock)
            assert lender.losses == (how == "hang up")


@pytest.mark.parametrize("path", ["/slow", "/half"])
@pytest.mark.parametrize("how", ["close", "hang up", "leave"])
async def test_a_request_under_way_is_answered_before_its_copy_is_closed(how, path):
    handler = Handler()
    async with working(handler) as worker, lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(1, path))
            await handler.until(path)
            if how == "close":
                lender.link.send(Close(1))
                lender.link.flush()
            elif how == "hang up":
                lender.link.close()
                await eventually(lambda: not worker.queue._links)
            else:
                worker.queue.leave()
                assert await lender.next() == Leaving()
            handler.go_on.set()
            assert (await client.answer()).body == (b"/slow" if path == "/slow" else b"half and half")
            if how != "hang up":
                assert (await lender.next()).status == 200
            assert await ends(client, sock)
            await eventually(lambda: not worker.queue.answering)


async def test_closing_what_is_not_open_is_nothing():
    async with working(Handler()), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.send(Close(1))
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend())
            assert (await client.answer()).body == b"/"


async def test_a_number_may_be_opened_again_when_it_was_closed():
    async with working(Handler()), lendable() as (one, one_sock), lendable() as (other, other_sock):
        with lender_of() as lender:
            for client, sock in ((one, one_sock), (other, other_sock)):
                lender.link.open(opening(), sock.fileno())
                lender.link.send(lend())
                assert (await client.answer()).body == b"/"
                lender.link.send(Close(1))
                assert await ends(client, sock)


async def test_a_leaving_member_gives_back_what_comes_too_late():
    handler = Handler()
    async with working(handler) as worker, lendable() as (client, sock), lendable() as (busy, busy_sock):
        with lender_of() as lender:
            lender.link.open(opening(1), busy_sock.fileno())
            lender.link.send(lend(1, "/slow"))
            await handler.until("/slow")
            worker.queue.leave()
            lender.link.open(opening(2), sock.fileno())
            lender.link.send(lend(2, connection=2))
            assert [await lender.next(), await lender.next()] == [Leaving(), GiveBack(2)]
            assert await ends(client, sock)
            handler.go_on.set()
            assert (await busy.answer()).body == b"/slow"


@pytest.mark.parametrize("lenders", ["stopped", "gone"])
async def test_a_member_that_waits_notices_itself_that_the_client_is_gone(monkeypatch, lenders):
    if lenders == "stopped":
        monkeypatch.setattr(borrower_module, "WATCH_INTERVAL", 0.01)
    started, told = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        started.set()
        await exchange.channel().disconnected()
        told.set()
        return await exchange.respond(200, "too late")

    async with working(handler) as worker, lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(Lend(1, 1, "http://*:80/", b"", request("GET", "/"), whole=True))
            await started.wait()
            if lenders == "gone":
                lender.link.close()
                await eventually(lambda: not worker.queue._links)
            client.reset()
            async with asyncio.timeout(5):
                await told.wait()
            await eventually(lambda: not worker.queue.answering)


# -- lenders that break the rules -------------------------------------------------------------------------------------


BREAKING = {
    "unknown": lend(9, connection=9),
    "lent twice": lend(9),
    "no prefix": lend(9, connection=2, prefix="nonsense"),
    "no text": encode(lend(9, connection=2, prefix="abc")).replace(b"abc", b"a\xffc"),
}


@pytest.mark.parametrize("packet", BREAKING.values(), ids=BREAKING)
@pytest.mark.logs_errors("the link with process .* is closed")
async def test_a_lender_that_breaks_the_rules_is_hung_up_on_and_may_come_back(packet):
    handler = Handler()
    async with working(handler), lendable() as (busy, busy_sock), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(1), busy_sock.fileno())
            lender.link.open(opening(2), sock.fileno())
            lender.link.send(lend(1, "/half"))
            await handler.until("/half")
            lender.link.write(packet if isinstance(packet, bytes) else encode(packet))
            await eventually(lambda: lender.losses)
            handler.go_on.set()
            assert (await busy.answer()).body == b"half and half"
        with lender_of() as lender:
            lender.link.open(opening(2), sock.fileno())
            lender.link.send(lend(1, connection=2))
            assert (await client.answer()).body == b"/"


@pytest.mark.logs_errors("the link with process .* is closed")
async def test_what_was_not_begun_for_a_lender_that_broke_the_rules_is_not_answered():
    # the lender cannot know that we live, and gives the request to somebody else
    handler = Handler()
    async with working(handler) as worker, lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(1, "/slow"))
            await handler.until("/slow")
            lender.link.send(lend(2, connection=2))
            await eventually(lambda: lender.losses)
            handler.go_on.set()
            await eventually(lambda: not worker._context.handling.tasks and not worker.queue.answering)
            assert await ends(client, sock)


@pytest.mark.logs_errors("the link with process .* is closed")
async def test_opening_a_connection_twice_breaks_the_rules_and_leaves_no_copy():
    async with working(Handler()), lendable() as (client, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.open(opening(), sock.fileno())
            await eventually(lambda: lender.losses)
            assert await ends(client, sock)


# -- members that are full --------------------------------------------------------------------------------------------


async def test_a_member_without_room_gives_the_request_back_and_says_so_once(monkeypatch, caplog):
    receive = link_module._receive_with
    full = True

    def receiving(sock, buffer):
        size, descriptors, flags = receive(sock, buffer)
        if full and descriptors:
            for descriptor in descriptors:
                socket.close(descriptor)
            return size, [], flags | socket.MSG_CTRUNC
        return size, descriptors, flags

    handler = Handler()
    async with working(handler), lendable() as (client, sock), lendable() as (busy, busy_sock):
        with lender_of() as lender:
            full = False
            lender.link.open(opening(2), busy_sock.fileno())
            lender.link.send(lend(1, "/slow", connection=2))
            await handler.until("/slow")
            full = True
            monkeypatch.setattr(link_module, "_receive_with", receiving)
            for number in (2, 3):
                lender.link.open(opening(), sock.fileno())
                lender.link.send(lend(number))
                assert await lender.next() == GiveBack(number)
            lender.link.open(opening(3), sock.fileno())
            lender.link.send(Close(3))
            full = False
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(4))
            assert (await client.answer()).body == b"/"
            handler.go_on.set()
            assert (await busy.answer()).body == b"/slow"
    assert [record.message for record in caplog.records if "no room" in record.message] == [
        "queue q: there is no room for another connection; raise the limit of open files"
    ]


class Full:
    """A listening socket that cannot accept the first `times` that it is asked."""

    def __init__(self, listener, times):
        self._listener, self._times, self.asked = listener, times, 0

    def accept(self):
        self.asked += 1
        if self.asked <= self._times:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def fileno(self):
        return self._listener.fileno()

    def close(self):
        self._listener.close()


async def test_a_member_that_can_accept_nobody_looks_again_now_and_then(monkeypatch, caplog):
    monkeypatch.setattr(borrower_module, "ACCEPT_RETRY_INTERVAL", 0.01)
    async with working(Handler()) as worker, lendable() as (client, sock):
        full = worker.queue._listener = Full(worker.queue._listener, 5)
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend())
            assert (await client.answer()).body == b"/"
        assert full.asked == 6
    assert len([record for record in caplog.records if "cannot be accepted" in record.message]) == 1


@pytest.mark.logs_errors("a lender cannot be accepted")
async def test_a_member_that_can_accept_nobody_can_leave():
    async with working(Handler()) as worker:
        full = worker.queue._listener = Full(worker.queue._listener, 99)
        with lender_of() as lender:
            await eventually(lambda: worker.queue._again)
            worker.queue.leave()
            await eventually(lambda: lender.losses)
            assert full.asked == 1


async def test_a_member_that_leaves_gives_back_what_crosses_until_its_lender_hangs_up():
    async with working(Handler(), grace=10) as worker, lendable() as (_, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            await eventually(lambda: worker.queue._links)
            leaving = asyncio.create_task(worker.queue.close())
            assert await lender.next() == Leaving()
            lender.link.send(lend(1))  # sent before LEAVING was read
            assert await lender.next() == GiveBack(1)
            assert not leaving.done()
            lender.link.close()
            await leaving


async def test_a_lender_that_nobody_has_accepted_yet_is_told_that_the_member_leaves():
    async with working(Handler(), grace=10) as worker, lendable() as (_, sock):
        with lender_of() as lender:
            lender.link.open(opening(), sock.fileno())
            lender.link.send(lend(1))
            lender.link.flush()
            worker.queue.leave()  # before the loop has seen the connection
            assert [await lender.next(), await lender.next()] == [Leaving(), GiveBack(1)]
