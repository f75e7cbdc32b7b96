from __future__ import annotations

import asyncio
import fcntl
import os
import socket

import pytest

from hostler.server.usermode.queues.lent_transport import LentTransport
from tests.server.usermode.peers import eventually


class Protocol:
    """What a connection is to its transport."""

    def __init__(self):
        self.data = b""
        self.ends = self.losses = self.pauses = self.resumes = 0
        self.error = None

    def data_received(self, data):
        self.data += data

    def eof_received(self):
        self.ends += 1
        return True

    def pause_writing(self):
        self.pauses += 1

    def resume_writing(self):
        self.resumes += 1

    def connection_lost(self, error):
        self.losses += 1
        self.error = error


class Lent:
    """A transport on one end of a TCP connection, as in a member; `kept` is the lender's copy, `far` the client."""

    def __init__(self, small):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.socket()
            if small:
                self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.far.connect(listener.getsockname())
            self.kept, _ = listener.accept()
        self.far.setblocking(False)
        self.kept.setblocking(False)
        if small:
            self.kept.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.copy = self.kept.dup()
        self.protocol = Protocol()
        self.loop = asyncio.get_running_loop()
        self.transport = LentTransport(self.loop, self.copy, self.protocol)

    async def read(self, size):
        data = b""
        async with asyncio.timeout(10):
            while len(data) < size:
                more = await self.loop.sock_recv(self.far, 1 << 16)
                if not more:
                    break
                data += more
        return data

    def is_released(self):
        return self.copy.fileno() < 0

    def close(self):
        self.transport.abort()
        self.transport.release()
        self.far.close()
        self.kept.close()


@pytest.fixture
async def lent():
    made = Lent(small=False)
    yield made
    made.close()


@pytest.fixture
async def slow():
    """With a client that takes next to nothing."""
    made = Lent(small=True)
    yield made
    made.close()


# -- reading ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_read_before_it_is_wanted(lent):
    lent.far.send(b"body")
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert lent.protocol.data == b""
    assert not lent.transport.is_reading()
    lent.transport.resume_reading()
    await eventually(lambda: lent.protocol.data == b"body")
    lent.transport.pause_reading()
    lent.far.send(b"next")
    await eventually(lambda: peek(lent.kept))
    assert lent.protocol.data == b"body"


def peek(sock):
    try:
        return sock.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return None


async def test_the_end_of_the_client_is_told_once(lent):
    lent.transport.resume_reading()
    lent.far.shutdown(socket.SHUT_WR)
    await eventually(lambda: lent.protocol.ends)
    assert not lent.transport.is_reading()
    assert (lent.protocol.ends, lent.protocol.losses) == (1, 0)


async def test_watching_notices_the_end_of_the_client(lent):
    lent.transport.watch()
    lent.far.shutdown(socket.SHUT_WR)
    await eventually(lambda: lent.protocol.ends)
    assert lent.protocol.losses == 0


async def test_watching_notices_a_reset(lent):
    lent.transport.watch()
    lent.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    lent.far.close()
    await eventually(lambda: lent.protocol.losses)
    assert isinstance(lent.protocol.error, ConnectionResetError)


async def test_watching_takes_nothing(lent):
    lent.transport.watch()
    lent.far.send(b"the next request")
    await eventually(lambda: not lent.transport._watching)
    assert lent.protocol.data == b""
    assert lent.kept.recv(100) == b"the next request"


async def test_reading_goes_on_where_watching_was(lent):
    lent.transport.watch()
    lent.transport.resume_reading()
    lent.transport.watch()  # no need
    lent.far.send(b"body")
    await eventually(lambda: lent.protocol.data == b"body")


# -- writing ----------------------------------------------------------------------------------------------------------


async def test_what_is_written_is_sent_at_once(lent):
    lent.transport.write(b"ab")
    lent.transport.writelines([b"c", b"d"])
    assert lent.transport.get_write_buffer_size() == 0
    assert await lent.read(4) == b"abcd"


async def test_what_the_system_does_not_take_is_kept_and_sent_in_order(slow):
    data = bytes(range(256)) * 4000
    for at in range(0, len(data), 10_000):
        slow.transport.write(data[at : at + 10_000])
    assert slow.transport.get_write_buffer_size() > 0
    assert slow.protocol.pauses == 1
    assert await slow.read(len(data)) == data
    await eventually(lambda: slow.protocol.resumes == 1)
    assert slow.transport.get_write_buffer_size() == 0


async def test_what_is_kept_stays_as_it_was_written(slow):
    data = bytearray(b"x" * 1_000_000)
    slow.transport.write(data)
    slow.transport.write(memoryview(data)[:10])
    assert slow.transport.get_write_buffer_size() > 0
    data[:] = b"y" * len(data)
    assert await slow.read(1_000_010) == b"x" * 1_000_010
    assert slow.transport.bytes_written == 1_000_010


async def test_limits_say_when_the_writer_is_held_back(slow):
    assert slow.transport.get_write_buffer_limits() == (1 << 14, 1 << 16)
    slow.transport.write(bytes(200_000))
    await slow.read(100_000)
    pauses = slow.protocol.pauses
    slow.transport.set_write_buffer_limits(0)
    assert slow.transport.get_write_buffer_limits() == (0, 0)
    assert slow.protocol.pauses >= pauses


async def test_writing_to_a_client_that_is_gone_is_a_loss(lent):
    lent.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    lent.far.close()
    await eventually(lambda: lent.transport.write(b"x") or lent.protocol.losses)
    lent.transport.write(b"x")
    assert lent.protocol.losses == 1
    assert lent.transport.is_closing()
    assert lent.is_released()


# -- ending -----------------------------------------------------------------------------------------------------------


async def test_closing_lets_go_of_the_copy_alone(lent):
    lent.transport.close()
    lent.transport.close()
    await eventually(lent.is_released)
    assert (lent.protocol.losses, lent.protocol.error) == (1, None)
    lent.kept.send(b"still here")
    assert await lent.read(10) == b"still here"


async def test_closing_waits_for_the_flush(slow):
    slow.transport.write(bytes(300_000))
    slow.transport.close()
    assert slow.transport.is_closing()
    assert not slow.is_released()
    await slow.read(300_000)
    await eventually(slow.is_released)
    assert slow.protocol.losses == 1


async def test_aborting_does_not_wait(slow):
    slow.transport.write(bytes(300_000))
    slow.transport.abort()
    slow.transport.abort()
    assert slow.protocol.losses == 0  # not in the middle of the caller
    await eventually(slow.is_released)
    assert slow.protocol.losses == 1


async def test_releasing_says_nothing(lent):
    lent.transport.watch()
    lent.transport.release()
    lent.transport.release()
    lent.transport.close()
    lent.transport.abort()
    lent.transport.resume_reading()
    lent.transport.watch()
    lent.transport.write(b"x")
    await asyncio.sleep(0)
    assert lent.protocol.losses == 0
    assert lent.is_released()
    lent.kept.send(b"still here")
    assert await lent.read(10) == b"still here"


async def test_the_descriptors_mode_is_never_changed(lent):
    before = fcntl.fcntl(lent.kept, fcntl.F_GETFL)
    lent.transport.resume_reading()
    lent.transport.write(b"x")
    lent.transport.release()
    assert fcntl.fcntl(lent.kept, fcntl.F_GETFL) == before
    assert before & os.O_NONBLOCK


async def test_it_keeps_its_protocol_and_shows_its_socket(lent):
    assert lent.transport.get_extra_info("socket") is lent.copy
    assert lent.transport.get_extra_info("peername", "?") == "?"
    assert lent.transport.get_protocol() is lent.protocol
    with pytest.raises(TypeError):
        lent.transport.set_protocol(lent.protocol)
