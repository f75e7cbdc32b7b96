"""When a worker is idle, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from hostler.processes.idle import Activity, report_idleness
from hostler.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


async def begin(activity):
    """Begin an exchange; returns its task, and how to end it."""
    over = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(activity(object(), lambda exchange: over))
    await asyncio.sleep(0)
    return task, over


async def test_idle_is_the_time_since_the_last_exchange_was_over(clock):
    activity = Activity(clock)
    clock.advance(3)
    assert activity.idle() == 3
    first, end_first = await begin(activity)
    second, end_second = await begin(activity)
    clock.advance(100)
    assert activity.idle() == 0
    end_first.set_result("outcome")
    assert await first == "outcome"
    clock.advance(100)
    assert activity.idle() == 0
    end_second.set_exception(OSError())
    with pytest.raises(OSError):
        await second
    clock.advance(7)
    assert activity.idle() == 7


async def test_idleness_is_reported_when_it_has_lasted_and_again_while_it_does(clock):
    activity, reports, sleeps = Activity(clock), [], []

    class OverError(Exception):
        pass

    async def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) == 2:  # a request, which is over after 4 s
            task, end = await begin(activity)
            clock.advance(4)
            end.set_result(None)
            await task
            seconds -= 4
        if len(sleeps) == 6:
            raise OverError
        clock.advance(seconds)

    with pytest.raises(OverError):
        await report_idleness(activity, 60.0, lambda: reports.append(clock()), sleep=sleep)
    assert sleeps == [60, 60, 4, 60, 60, 60]
    assert [report - reports[0] for report in reports] == [0, 64, 124, 184]
