"""Counting in this process, with room for so many keys."""

from __future__ import annotations

import time

import pytest
from limits import RateLimitItemPerSecond

from hostler.config.limits import RateLimitAlgorithm
from hostler.rate_limiting import memory
from hostler.rate_limiting.memory import BoundedMemory
from hostler.rate_limiting.windows import make_strategy
from hostler.testing import FakeClock

TEN_SECONDS = RateLimitItemPerSecond(3, 10)
EACH = pytest.mark.parametrize("algorithm", RateLimitAlgorithm)


def counting(algorithm, *, max_keys=10, now=1000.0):
    clock = FakeClock(now)
    storage = BoundedMemory(max_keys, clock=clock)
    return clock, storage, make_strategy(algorithm, storage)


async def hits(strategy, count, key="a"):
    return [await strategy.hit(TEN_SECONDS, key) for _ in range(count)]


@EACH
async def test_so_many_are_allowed_and_no_more(algorithm):
    _, _, strategy = counting(algorithm)
    assert await hits(strategy, 5) == [True] * 3 + [False] * 2
    assert await hits(strategy, 4, "another") == [True] * 3 + [False]


@EACH
async def test_after_the_window_as_many_again(algorithm):
    clock, _, strategy = counting(algorithm)
    assert await hits(strategy, 4) == [True] * 3 + [False]
    clock.advance(20)
    assert await hits(strategy, 4) == [True] * 3 + [False]


async def test_a_fixed_window_begins_with_the_first_and_ends_at_once():
    clock, _storage, strategy = counting(RateLimitAlgorithm.FIXED_WINDOW, now=1007.0)
    await hits(strategy, 3)
    clock.advance(9.9)
    assert await hits(strategy, 1) == [False]
    assert (await strategy.get_window_stats(TEN_SECONDS, "a")).reset_time == 1017
    clock.advance(0.2)
    assert await hits(strategy, 4) == [True] * 3 + [False]


async def test_a_moving_window_lets_one_in_for_each_that_leaves_it():
    clock, _, strategy = counting(RateLimitAlgorithm.MOVING_WINDOW)
    await hits(strategy, 1)
    clock.advance(5)
    assert await hits(strategy, 3) == [True, True, False]
    assert (await strategy.get_window_stats(TEN_SECONDS, "a")).reset_time == 1010
    clock.advance(5)
    assert await hits(strategy, 2) == [True, False]


async def test_a_sliding_window_weighs_the_one_before():
    clock, _, strategy = counting(RateLimitAlgorithm.SLIDING_WINDOW)
    assert await hits(strategy, 3) == [True] * 3
    clock.advance(10)  # all three count still
    assert await hits(strategy, 1) == [False]
    clock.advance(5)  # one and a half
    assert await hits(strategy, 3) == [True, True, False]


@EACH
@pytest.mark.parametrize("change", [-3600, -86400 * 365, 3600])
async def test_a_clock_that_jumps_locks_nobody_out(algorithm, change):
    clock, _, strategy = counting(algorithm, now=1e9)
    await hits(strategy, 4)
    clock.now += change
    assert True in await hits(strategy, 1)


@EACH
async def test_there_is_room_for_so_many_keys(algorithm):
    _, storage, strategy = counting(algorithm)
    for number in range(1000):
        await hits(strategy, 1, str(number))
    assert len(storage) == 10
    assert storage._times <= 10


@EACH
async def test_the_key_goes_that_was_not_asked_for_the_longest(algorithm):
    _, _, strategy = counting(algorithm, max_keys=2)
    await hits(strategy, 3, "busy")
    for number in range(10):
        await hits(strategy, 1, str(number))
        assert await hits(strategy, 1, "busy") == [False]
    await hits(strategy, 1, "one")
    await hits(strategy, 1, "other")
    assert await hits(strategy, 1, "busy") == [True]


async def test_moving_windows_have_room_for_so_many_times(monkeypatch):
    monkeypatch.setattr(memory, "MAX_TIMES", 10)
    _, storage, strategy = counting(RateLimitAlgorithm.MOVING_WINDOW, max_keys=100)
    for key in "abcdefgh":
        await hits(strategy, 3, key)
    assert storage._times <= 10
    assert storage._times == sum(len(kept.times) for kept in storage._kept.values())
    await storage.clear(next(iter(storage._kept)))
    assert storage._times == sum(len(kept.times) for kept in storage._kept.values())


@EACH
async def test_a_request_costs_the_same_however_many_keys_there_are(algorithm):
    async def seconds(keys):
        _, _storage, strategy = counting(algorithm, max_keys=keys)
        for number in range(keys):
            await hits(strategy, 1, str(number))
        best = 1.0
        for round_ in range(5):
            begin = time.perf_counter()
            for number in range(200):
                await hits(strategy, 1, f"{round_} {number}")
            best = min(best, time.perf_counter() - begin)
        return best

    assert await seconds(10_000) < 5 * await seconds(100)


@EACH
async def test_what_is_forgotten_begins_anew(algorithm):
    _, storage, strategy = counting(algorithm)
    await hits(strategy, 3)
    await strategy.clear(TEN_SECONDS, "a")
    assert await hits(strategy, 1) == [True]
    assert await storage.check()
    assert await storage.reset() == 1
    assert len(storage) == 0
