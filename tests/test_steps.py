"""Work in slices."""

from __future__ import annotations

import asyncio
import gc

import pytest

from hostler.steps import in_slices


def seen():
    """Note whether the collector is on, between two steps."""
    noted = [gc.isenabled()]
    yield
    noted.append(gc.isenabled())
    return noted


async def test_the_collector_is_off_while_work_is_done_in_slices():
    assert gc.isenabled()
    assert await in_slices(seen()) == [False, False]
    assert gc.isenabled()


async def test_it_stays_off_until_the_last_of_several_works_is_done():
    async def long():
        return await in_slices(turns())

    def turns():
        for _ in range(3):
            yield
            steps_taken.append(gc.isenabled())

    steps_taken = []
    await asyncio.gather(long(), long())
    assert steps_taken == [False] * 6
    assert gc.isenabled()


async def test_it_is_on_again_after_work_that_failed():
    def failing():
        yield
        raise LookupError

    with pytest.raises(LookupError):
        await in_slices(failing())
    assert gc.isenabled()


async def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        await in_slices(seen())
        assert not gc.isenabled()
    finally:
        gc.enable()
