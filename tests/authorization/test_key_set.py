"""Keys that somebody else publishes: when they are read, how often, and what holds when that fails."""

from __future__ import annotations

import asyncio

import pytest

from hostler.authorization.key_set import RETRY, RETRY_EMPTY, KeySet, KeysUnavailableError
from hostler.testing import FakeClock


class Source:
    """Keys that can be changed, held back or made to fail; it counts how often it is read."""

    def __init__(self, *keys):
        self.keys = keys
        self.error = None
        self.reads = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self):
        self.reads += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return self.keys


@pytest.fixture
def clock():
    return FakeClock(1000.0)


def made(source, clock):
    return KeySet("there", source, refresh_period=300.0, clock=clock)


async def test_keys_are_read_when_they_are_first_asked_for_and_kept(clock):
    source = Source("a")
    keys = made(source, clock)
    assert source.reads == 0
    assert await keys.current() == ("a",)
    assert await keys.current() == ("a",)
    assert source.reads == 1


async def test_all_who_ask_wait_for_one_reading(clock):
    source = Source("a")
    source.open.clear()
    keys = made(source, clock)
    asking = [asyncio.create_task(keys.current()) for _ in range(100)]
    await asyncio.sleep(0)
    source.open.set()
    assert await asyncio.gather(*asking) == [("a",)] * 100
    assert source.reads == 1


async def test_a_client_that_leaves_does_not_end_the_reading(clock):
    source = Source("a")
    source.open.clear()
    keys = made(source, clock)
    leaving, staying = asyncio.create_task(keys.current()), asyncio.create_task(keys.current())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    source.open.set()
    assert await staying == ("a",)
    assert source.reads == 1


async def test_old_keys_are_used_while_new_ones_are_read(clock):
    source = Source("old")
    keys = made(source, clock)
    await keys.current()
    clock.advance(300)
    source.keys = ("new",)
    source.open.clear()
    assert await keys.current() == ("old",)
    source.open.set()
    assert await keys.latest() == ("new",)
    assert source.reads == 2


async def test_missing_keys_cost_one_reading_in_a_while(clock):
    source = Source("a")
    keys = made(source, clock)
    await keys.current()
    clock.advance(RETRY - 1)
    assert await keys.latest() == ("a",)
    assert source.reads == 1
    clock.advance(1)
    for _ in range(1000):
        assert await keys.latest() == ("a",)
    assert source.reads == 2
    clock.advance(RETRY)
    await keys.latest()
    assert source.reads == 3


@pytest.mark.parametrize("error", [OSError("unreachable"), ValueError("no keys in it")])
async def test_keys_remain_when_they_cannot_be_read_again_and_that_is_said_once(clock, caplog, error):
    caplog.set_level("INFO")
    source = Source("a")
    keys = made(source, clock)
    await keys.current()
    source.error = error
    for _ in range(5):
        clock.advance(300)
        assert await keys.latest() == ("a",)
    assert source.reads == 6
    said = (
        f"cannot read keys from there: {error}; the keys that were read before remain, and it is tried again"
    )
    assert [record.getMessage() for record in caplog.records] == [said]
    source.error = None
    clock.advance(300)
    await keys.latest()
    assert caplog.records[-1].getMessage() == "read keys from there again"


async def test_without_keys_nobody_gets_any_and_it_is_tried_again_soon(clock, caplog):
    source = Source("a")
    source.error = OSError("unreachable")
    keys = made(source, clock)
    for _ in range(100):
        with pytest.raises(KeysUnavailableError, match="there"):
            await keys.current()
    assert source.reads == 1
    assert "there are no keys" in caplog.text
    source.error = None
    clock.advance(RETRY_EMPTY)
    assert await keys.current() == ("a",)


def test_a_reading_that_ended_with_its_event_loop_is_done_again_in_the_next(clock):
    source = Source("a")
    source.open.clear()
    keys = made(source, clock)

    async def begin():
        asking = asyncio.create_task(keys.current())
        await asyncio.sleep(0)
        asking.cancel()

    asyncio.run(begin())
    source.open = asyncio.Event()
    source.open.set()
    assert asyncio.run(keys.current()) == ("a",)


def test_what_was_read_in_one_event_loop_is_not_read_again_in_the_next(clock):
    source = Source("a")
    keys = made(source, clock)
    for _ in range(2):
        assert asyncio.run(keys.latest()) == ("a",)
    assert source.reads == 1
