"""Permits and the line in front of them: in order, bounded, timed, and counted exactly."""

from __future__ import annotations

import asyncio
import random

import pytest

from hostler import ConcurrencyDefinition, Reason
from hostler.stages.permits import Entry, Permits
from hostler.testing import FakeClock, FakeStream

ONE = ConcurrencyDefinition(1, queue_limit=3, queue_timeout=5)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def ask(permits, definition=ONE, stream=None):
    """Ask for a permit; returns the task that does."""
    task = asyncio.create_task(permits.acquire(definition, stream or FakeStream()))
    await settle()
    return task


async def test_so_many_are_admitted_at_once():
    permits, two = Permits(), ConcurrencyDefinition(2)
    assert [await permits.acquire(two, FakeStream()) for _ in range(4)] == [
        Entry.ADMITTED, Entry.ADMITTED, Entry.FULL, Entry.FULL,
    ]  # fmt: skip
    permits.release()
    assert await permits.acquire(two, FakeStream()) is Entry.ADMITTED
    assert permits.taken == 2


async def test_the_others_wait_in_order_up_to_the_lines_length():
    permits = Permits()
    await permits.acquire(ONE, FakeStream())
    waiting = [await ask(permits) for _ in range(3)]
    assert (await (await ask(permits)), permits.waiting) == (Entry.FULL, 3)
    for number, task in enumerate(waiting):
        assert not task.done()
        permits.release()
        assert await task is Entry.ADMITTED
        assert (permits.taken, permits.waiting) == (1, 2 - number)


async def test_whoever_comes_later_does_not_overtake():
    permits = Permits()
    await permits.acquire(ONE, FakeStream())
    first = await ask(permits)
    permits.release()  # the first has it, before its task has gone on
    second = asyncio.create_task(permits.acquire(ONE, FakeStream()))
    assert await first is Entry.ADMITTED
    await settle()
    assert not second.done()
    permits.release()
    assert await second is Entry.ADMITTED


async def test_one_waits_only_so_long():
    clock = FakeClock()
    permits = Permits(clock.call_later)
    await permits.acquire(ONE, FakeStream())
    first = await ask(permits)
    clock.advance(3)
    second = await ask(permits)
    clock.advance(2)
    assert await first is Entry.TIMED_OUT
    assert (permits.taken, permits.waiting) == (1, 1)
    permits.release()
    assert await second is Entry.ADMITTED


async def test_a_client_that_leaves_frees_its_place_in_the_line_at_once():
    permits, stream = Permits(), FakeStream()
    await permits.acquire(ONE, FakeStream())
    leaving, staying = await ask(permits, stream=stream), await ask(permits)
    stream.client_leaves()
    assert permits.waiting == 1
    assert (await leaving).reason is Reason.REQUEST_CANCELED
    permits.release()
    assert await staying is Entry.ADMITTED


async def test_a_client_that_is_gone_does_not_wait():
    permits, stream = Permits(), FakeStream()
    await permits.acquire(ONE, FakeStream())
    stream.client_leaves()
    assert (await permits.acquire(ONE, stream)).reason is Reason.REQUEST_CANCELED


async def test_one_that_is_cancelled_while_it_waits_is_out_of_the_line():
    permits = Permits()
    await permits.acquire(ONE, FakeStream())
    first, second = await ask(permits), await ask(permits)
    first.cancel()
    permits.release()  # before the task has noticed
    assert await second is Entry.ADMITTED
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (permits.taken, permits.waiting) == (1, 0)


async def test_one_that_is_cancelled_when_it_is_admitted_gives_its_permit_back():
    permits = Permits()
    await permits.acquire(ONE, FakeStream())
    first, second = await ask(permits), await ask(permits)
    permits.release()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is Entry.ADMITTED
    assert permits.taken == 1


async def test_limits_that_change_hold_from_the_next_on():
    permits = Permits()
    await permits.acquire(ONE, FakeStream())
    waiting = await ask(permits)
    assert await permits.acquire(ConcurrencyDefinition(3), FakeStream()) is Entry.ADMITTED
    assert await waiting is Entry.ADMITTED
    assert permits.taken == 3
    for _ in range(2):
        permits.release()
    assert await permits.acquire(ConcurrencyDefinition(1), FakeStream()) is Entry.FULL


@pytest.mark.parametrize("seed", range(20))
async def test_the_count_is_exact_whatever_happens_when(seed):
    chance = random.Random(seed)
    clock = FakeClock()
    permits, definition = Permits(clock.call_later), ConcurrencyDefinition(3, queue_limit=5, queue_timeout=2)
    inside = 0

    async def visit(stream):
        nonlocal inside
        if await permits.acquire(definition, stream) is Entry.ADMITTED:
            inside += 1
            assert inside <= 3
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                inside -= 1
                permits.release()

    tasks, streams = [], []
    for _ in range(300):
        stream = FakeStream()
        streams.append(stream)
        tasks.append(asyncio.create_task(visit(stream)))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        clock.advance(chance.random())
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.3:
            chance.choice(streams).client_leaves()
    await settle()
    clock.advance(10)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert (permits.taken, permits.waiting, inside) == (0, 0, 0)
