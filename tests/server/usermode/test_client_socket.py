"""A client's socket in each of its states, on the event loops' own transports and on one for a lent descriptor."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys

import pytest

from hostler.server.usermode import client_socket
from hostler.server.usermode.addresses import borrow_socket
from hostler.server.usermode.client_socket import ClientSocket
from hostler.server.usermode.queues.lent_transport import LentTransport
from tests.client.transports import Pipe
from tests.server.usermode.peers import Client, eventually

LARGE = 3_000_000
"""More than the system takes of what is written at once."""


class Reader:
    """Whoever reads from the socket; keeps what it is told."""

    def __init__(self):
        self.data = b""
        self.told = []
        self.error = None

    def received(self, data):
        self.data += data

    def ended(self):
        self.told.append("ended")

    def lost(self, error):
        self.told.append("lost")
        self.error = error

    def writing_paused(self):
        pass

    def writing_resumed(self):
        pass

    def timed_out(self):
        self.told.append("timed out")


class Connected:
    """A client's socket, its reader, and the client; `copy` is what another process would have of the descriptor."""

    def __init__(self, kind, send_timeout):
        self.kind = kind
        self.reader = Reader()
        self.socket = ClientSocket(asyncio.get_running_loop(), lambda _: self.reader, send_timeout)

    async def open(self):
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = await Client.connect(listener.getsockname()[1], receive_buffer=4096)
            accepted, _ = listener.accept()
        accepted.setblocking(False)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.copy = accepted.dup()
        self.descriptor = accepted.fileno()
        if self.kind == "lent":
            transport = LentTransport(loop, accepted, self.socket)
            self.socket.connection_made(transport)
            transport.resume_reading()
        else:
            await loop.connect_accepted_socket(lambda: self.socket, accepted)
        return self

    async def over(self):
        """Wait until the reader was told that the connection is gone; the descriptor is closed then."""
        await eventually(lambda: "lost" in self.reader.told)
        assert self.reader.told.count("lost") == 1
        await eventually(lambda: not self.is_open())

    def is_open(self):
        try:
            return os.fstat(self.descriptor).st_ino == os.fstat(self.copy.fileno()).st_ino
        except OSError:
            return False

    async def reset_by_client(self):
        """Have the client reset, and the system know, before the event loop does."""
        self.client.reset()
        while self.copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\x07":
            pass

    def close(self):
        self.socket.reset()
        self.client.close()
        self.copy.close()


@pytest.fixture(params=["loop", "lent"])
async def connected(request):
    opened = []

    async def connect(send_timeout=60):
        opened.append(await Connected(request.param, send_timeout).open())
        return opened[-1]

    yield connect
    for here in opened:
        here.close()
        await here.over()


def ways_to_end():
    return pytest.mark.parametrize("end", ["close", "linger", "reset"])


# -- in order ---------------------------------------------------------------------------------------------------------


async def test_bytes_move_both_ways(connected):
    here = await connected()
    await here.client.send(b"question")
    await eventually(lambda: here.reader.data == b"question")
    here.socket.write(b"answer")
    assert await here.client.receive() == b"answer"
    assert here.reader.told == []


@pytest.mark.parametrize("end", ["close", "linger"])
@pytest.mark.parametrize("size", [0, 10, LARGE])
async def test_an_end_in_order_comes_behind_everything_that_was_written(connected, end, size):
    here = await connected()
    here.socket.write(bytes(size))
    getattr(here.socket, end)()
    here.socket.write(b"too late")
    here.socket.writelines([b"too", b"late"])
    assert len(await here.client.rest()) == size
    here.client.close()
    await here.over()


async def test_a_client_sees_the_end_although_a_copy_of_the_descriptor_is_open(connected):
    here = await connected()
    here.socket.close()
    assert await here.client.rest() == b""
    await here.over()
    assert here.copy.fileno() >= 0


async def test_what_a_client_sends_to_a_lingering_socket_is_discarded_until_it_stops(connected):
    here = await connected()
    here.socket.linger()
    await here.client.send(bytes(300_000))
    assert await here.client.rest() == b""
    assert here.is_open()
    here.client.shut()
    await here.over()
    assert (here.reader.data, here.reader.told) == (b"", ["lost"])


async def test_lingering_ends_by_itself(connected, monkeypatch):
    monkeypatch.setattr(client_socket, "LINGER", 0.05)
    here = await connected()
    here.socket.linger()
    await here.over()
    assert here.reader.told == ["lost"]


async def test_a_client_that_had_stopped_sending_is_not_lingered_for(connected):
    here = await connected()
    here.client.shut()
    await eventually(lambda: here.reader.told == ["ended"])
    here.socket.linger()
    await here.over()


async def test_sending_can_end_while_reading_goes_on(connected):
    here = await connected()
    here.socket.write(bytes(LARGE))
    here.socket.shut()
    here.socket.write(b"too late")
    assert len(await here.client.rest()) == LARGE
    await here.client.send(b"more")
    await eventually(lambda: here.reader.data == b"more")
    assert here.reader.told == []


async def test_the_end_of_the_client_is_told_once(connected):
    here = await connected()
    here.client.shut()
    await eventually(lambda: here.reader.told == ["ended"])
    here.socket.pause_reading()
    here.socket.resume_reading()
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert here.reader.told == ["ended"]


# -- by reset ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, LARGE])
async def test_a_reset_is_at_once(connected, size):
    here = await connected()
    here.socket.write(bytes(size))
    here.copy.close()
    here.socket.reset()
    await here.over()
    with pytest.raises(ConnectionResetError):
        await here.client.rest()


async def test_a_reset_while_lent_is_for_every_copy(connected):
    here = await connected()
    here.socket.lend()
    here.socket.reset()
    # the copy stays open, and the client hears of it all the same
    if sys.platform == "linux":
        with pytest.raises(ConnectionResetError):
            await here.client.rest()
    else:
        assert await here.client.rest() == b""
    await here.over()


async def test_a_reset_in_a_loan_that_is_over_is_for_our_copy(connected):
    here = await connected()
    here.socket.lend()
    here.socket.regain()
    here.socket.write(b"ours again")
    assert await here.client.receive() == b"ours again"
    here.socket.reset()
    await here.over()
    here.copy.close()
    with pytest.raises(ConnectionResetError):
        await here.client.rest()


@pytest.mark.parametrize("end", ["close", "linger"])
async def test_a_reset_cuts_an_end_in_order_short(connected, end):
    here = await connected()
    here.socket.write(bytes(LARGE))
    getattr(here.socket, end)()
    here.copy.close()
    here.socket.reset()
    await here.over()
    with pytest.raises(ConnectionResetError):
        await here.client.rest()


async def test_a_client_that_takes_nothing_is_reset(connected):
    here = await connected(send_timeout=0.05)
    here.socket.write(bytes(LARGE))
    here.socket.close()
    await here.over()


# -- whatever the state -----------------------------------------------------------------------------------------------


@ways_to_end()
@pytest.mark.parametrize("size", [0, LARGE])
async def test_an_end_never_raises_when_the_client_was_faster(connected, end, size):
    here = await connected()
    here.socket.write(bytes(size))
    await here.reset_by_client()
    getattr(here.socket, end)()
    await here.over()


@ways_to_end()
async def test_sending_never_ends_with_an_error_when_the_client_was_faster(connected, end):
    here = await connected()
    await here.reset_by_client()
    here.socket.shut()
    getattr(here.socket, end)()
    await here.over()


@ways_to_end()
@pytest.mark.parametrize("again", ["close", "linger", "reset", "shut"])
async def test_ending_twice_is_ending_once(connected, end, again):
    here = await connected()
    getattr(here.socket, end)()
    getattr(here.socket, again)()
    here.client.close()
    await here.over()
    getattr(here.socket, again)()
    assert here.reader.told == ["lost"]


@ways_to_end()
async def test_nothing_happens_to_a_connection_that_is_gone(connected, end):
    here = await connected()
    here.client.reset()
    await here.over()
    getattr(here.socket, end)()
    here.socket.pause_reading()
    here.socket.resume_reading()
    here.socket.write(b"nobody")
    assert not await here.socket.flushed()
    told = []
    here.socket.when_flushed(lambda: told.append("flushed"))
    assert (told, here.reader.told) == (["flushed"], ["lost"])


# -- flow -------------------------------------------------------------------------------------------------------------


async def test_being_flushed_is_told_when_everything_is_with_the_system(connected):
    here = await connected()
    told = []
    here.socket.when_flushed(lambda: told.append("at once"))
    assert told == ["at once"]
    here.socket.write(bytes(LARGE))
    here.socket.when_flushed(lambda: told.append("later"))
    waiting = asyncio.ensure_future(here.socket.flushed())
    await asyncio.sleep(0)
    assert told == ["at once"]
    size = 0
    while size < LARGE:
        size += len(await here.client.receive())
    assert await waiting
    assert told == ["at once", "later"]
    assert not here.socket.write_paused


async def test_whoever_waits_for_the_flush_is_told_of_the_loss(connected):
    here = await connected()
    here.socket.write(bytes(LARGE))
    waiting = asyncio.ensure_future(here.socket.flushed())
    await asyncio.sleep(0)
    here.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    here.client.close()
    assert not await waiting


async def test_a_deadline_is_told_to_the_reader_alone(connected):
    here = await connected()
    here.socket.deadline.set(0.01)
    await eventually(lambda: here.reader.told)
    assert here.reader.told == ["timed out"]


async def test_a_deadline_does_not_outlive_the_end(connected):
    here = await connected()
    here.socket.deadline.set(0.01)
    here.socket.linger()
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert here.reader.told == []


async def test_a_socket_that_is_let_go_says_nothing(connected):
    here = await connected()
    here.socket.let_go()
    here.socket._transport.abort()
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert here.reader.told == []
    here.reader.lost(None)  # for the fixture


@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("", socket.AF_INET)]
)
def test_a_borrowed_socket_has_the_family_of_its_address_and_leaves_the_descriptor_as_it_is(address, family):
    with socket.socket(family) as sock:
        sock.setblocking(False)
        borrowed = borrow_socket(sock.fileno(), address)
        assert (borrowed.family, borrowed.type) == (family, socket.SOCK_STREAM)
        assert borrowed.detach() == sock.fileno()
        assert sock.gettimeout() == 0


async def test_a_large_read_is_followed_by_a_rest():
    sock, pipe = ClientSocket(asyncio.get_running_loop(), lambda _: Reader(), 1.0), Pipe()
    sock.connection_made(pipe)
    sock.data_received(bytes(1 << 18))
    assert not pipe.reading
    await asyncio.sleep(0)
    assert pipe.reading


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:7", "::ffff:7"),
    ],
)
async def test_an_ipv4_address_is_shown_as_one_on_a_socket_for_both_families(host, shown):
    sock, pipe = ClientSocket(asyncio.get_running_loop(), lambda _: Reader(), 1.0), Pipe()
    pipe.get_extra_info = {"peername": (host, 5, 0, 0), "sockname": (host, 80, 0, 0)}.get
    sock.connection_made(pipe)
    assert sock.addresses() == ((shown, 5), (shown, 80))
