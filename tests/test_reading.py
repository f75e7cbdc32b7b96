"""Pausing a transport for two reasons at once, and letting others have their turn."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hostler.reading import LARGE_READ, Reading
from tests.client.peers import until
from tests.client.transports import Pipe
from tests.loops import LOOPS


@pytest.fixture
async def pipe():
    return Pipe()


@pytest.fixture
async def reading(pipe):
    return Reading(asyncio.get_running_loop(), pipe)


async def test_a_rest_ends_with_the_turn(pipe, reading):
    reading.rest()
    assert not pipe.reading
    await asyncio.sleep(0)
    assert pipe.reading


async def test_what_is_paused_meanwhile_stays_so_after_a_rest(pipe, reading):
    reading.rest()
    reading.pause()
    await asyncio.sleep(0)
    assert not pipe.reading
    reading.resume()
    assert pipe.reading


async def test_what_is_resumed_meanwhile_waits_for_the_end_of_a_rest(pipe, reading):
    reading.rest()
    reading.pause()
    reading.resume()
    assert not pipe.reading
    await asyncio.sleep(0)
    assert pipe.reading


async def test_what_is_paused_needs_no_rest(pipe, reading):
    reading.pause()
    reading.rest()
    await asyncio.sleep(0)
    assert not pipe.reading


async def test_a_transport_that_is_closed_meanwhile_is_left_alone(pipe, reading):
    reading.rest()
    pipe.close()
    await asyncio.sleep(0)
    assert not pipe.reading


class Greedy(asyncio.Protocol):
    """Counts its reads in each turn of the loop."""

    def __init__(self, loop):
        self._loop = loop
        self.now = self.most = self.size = 0

    def connection_made(self, transport):
        self._reading = Reading(self._loop, transport)

    def data_received(self, data):
        if not self.now:
            self._loop.call_soon(self._turn)
        self.now += 1
        self.size += len(data)
        self.most = max(self.most, self.now)
        if len(data) > LARGE_READ:
            self._reading.rest()

    def _turn(self):
        self.now = 0


@pytest.mark.parametrize("name", LOOPS)
def test_one_large_read_a_turn(name):
    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        assert runner.run(most_reads_in_a_turn()) == 1


async def most_reads_in_a_turn():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        theirs.setblocking(False)
        sent = 0
        while sent < 8 * LARGE_READ:
            try:
                sent += theirs.send(bytes(LARGE_READ))
            except BlockingIOError:
                break
        transport, greedy = await loop.connect_accepted_socket(lambda: Greedy(loop), ours)
        await until(lambda: greedy.size == sent)
        transport.close()
    return greedy.most
