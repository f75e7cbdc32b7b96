"""Waiting for the last of what is under way."""

import asyncio

import pytest

from hostler.server.pending import Pending


async def waiting(pending):
    task = asyncio.create_task(pending.emptied())
    await asyncio.sleep(0)
    return task


async def test_nothing_is_waited_for_when_it_is_empty():
    await Pending().emptied()


async def test_the_last_item_wakes_everybody_who_waits():
    pending = Pending()
    pending.add("a")
    pending.add("b")
    tasks = [await waiting(pending) for _ in range(2)]
    pending.discard("a")
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    pending.discard("b")
    await asyncio.gather(*tasks)


async def test_an_item_that_comes_before_the_waiter_runs_is_waited_for_too():
    pending = Pending()
    pending.add("a")
    task = await waiting(pending)
    pending.discard("a")
    pending.add("b")
    await asyncio.sleep(0)
    assert not task.done()
    pending.discard("b")
    await task


async def test_a_waiter_that_was_cancelled_is_no_obstacle():
    pending = Pending()
    pending.add("a")
    cancelled, other = await waiting(pending), await waiting(pending)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    pending.discard("a")
    await other


def test_it_can_be_gone_through_while_it_changes():
    pending = Pending()
    for item in "abc":
        pending.add(item)
    for item in list(pending):
        pending.discard(item)
    assert (len(pending), "a" in pending) == (0, False)
