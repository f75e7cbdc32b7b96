from __future__ import annotations

import asyncio

import pytest

from hostler.channel import Channel
from hostler.errors import Failure, Reason
from hostler.testing import FakeStream, exchange

GONE = Failure(Reason.REQUEST_BODY_CLIENT, "reset by peer")


def channel_of(stream):
    channel = Channel(stream)
    stream.attach(channel)
    return channel


async def blocked(coroutine):
    """Start a coroutine and let it run until it waits."""
    task = asyncio.create_task(coroutine)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


# -- receiving


async def test_what_arrived_is_received_in_pieces():
    channel = channel_of(FakeStream([b"a", b"b"]))
    assert [await channel.receive() for _ in range(4)] == [b"a", b"b", b"", b""]
    assert channel.ended


async def test_receiving_waits_for_the_client():
    stream = FakeStream(None)
    channel = channel_of(stream)
    task = await blocked(channel.receive())
    stream.client_sends(b"late")
    assert await task == b"late"


async def test_receiving_waits_for_the_end():
    stream = FakeStream(None)
    channel = channel_of(stream)
    task = await blocked(channel.receive())
    stream.client_ends([("x-sum", "1")])
    assert await task == b""
    assert channel.trailers == [(b"x-sum", b"1")]


async def test_a_lost_client_ends_receiving_with_an_error():
    stream = FakeStream(None)
    channel = channel_of(stream)
    task = await blocked(channel.receive())
    stream.client_leaves(GONE)
    with pytest.raises(ConnectionError, match="RequestBodyClient: reset by peer"):
        await task
    assert channel.failure is GONE


async def test_what_arrived_before_the_loss_is_received():
    stream = FakeStream(None)
    channel = channel_of(stream)
    stream.client_sends(b"a")
    stream.client_leaves(GONE)
    assert await channel.receive() == b"a"
    with pytest.raises(ConnectionError):
        await channel.receive()


async def test_a_complete_body_stays_complete_when_the_client_leaves():
    stream = FakeStream(b"")
    channel = channel_of(stream)
    stream.client_leaves()
    assert await channel.receive() == b""


async def test_a_receiver_and_a_watcher_wake_together():
    stream = FakeStream(None)
    channel = channel_of(stream)
    receiver, watcher = await blocked(channel.receive()), await blocked(channel.disconnected())
    stream.client_sends(b"a")
    assert await receiver == b"a"
    stream.client_leaves()
    await watcher


async def test_a_cancelled_receiver_loses_nothing():
    stream = FakeStream(None)
    channel = channel_of(stream)
    task = await blocked(channel.receive())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stream.client_sends(b"a")
    assert await channel.receive() == b"a"


async def test_the_body_is_stopped_above_64_kib_and_flows_again_below():
    stream = FakeStream([b"x" * 40_000] * 3)
    channel = channel_of(stream)
    assert (stream.paused, stream.bytes_received) == (True, 80_000)
    await channel.receive()
    assert (stream.paused, stream.bytes_received) == (True, 120_000)
    assert len(await channel.receive()) == 40_000
    assert not stream.paused
    assert channel.ended


async def test_64_kib_are_not_too_much():
    stream = FakeStream(None)
    channel = channel_of(stream)
    stream.client_sends(b"x" * 65_536)
    assert not stream.paused
    stream.client_sends(b"x")
    assert stream.paused
    await channel.receive()
    assert not stream.paused


# -- sending


async def test_a_client_that_keeps_up_is_not_waited_for():
    await Channel(FakeStream()).drained()


@pytest.mark.parametrize("how", ["client_reads", "client_leaves"])
async def test_writers_wait_for_the_client(how):
    stream = FakeStream()
    channel = channel_of(stream)
    stream.client_stalls()
    assert channel.paused
    writers = [await blocked(channel.drained()) for _ in range(2)]
    getattr(stream, how)()
    await asyncio.gather(*writers)
    assert not channel.paused


async def test_a_cancelled_writer_does_not_disturb_another():
    stream = FakeStream()
    channel = channel_of(stream)
    stream.client_stalls()
    one, other = [await blocked(channel.drained()) for _ in range(2)]
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    stream.client_reads()
    await other


# -- the client going away


async def test_disconnected_waits_for_the_client_to_leave():
    stream = FakeStream(None)
    channel = channel_of(stream)
    task = await blocked(channel.disconnected())
    stream.client_sends(b"a")
    stream.client_ends()
    await asyncio.sleep(0)
    assert not task.done()
    stream.client_leaves()
    await task


async def test_disconnected_waits_for_the_response_to_be_complete():
    stream = FakeStream()
    channel = channel_of(stream)
    task = await blocked(channel.disconnected())
    stream.closed = True
    channel.over()
    await task


async def test_disconnected_returns_at_once_when_it_is_all_over():
    stream = FakeStream()
    channel = channel_of(stream)
    stream.client_leaves()
    await channel.disconnected()


async def test_a_writer_whose_client_keeps_up_leaves_the_loop_its_turn_now_and_then():
    given = exchange(stream=FakeStream())
    await given.start(200)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    for _ in range(8):
        await given.write(b"x" * 65536)
    assert turns == [1]
