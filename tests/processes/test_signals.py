"""How a program is asked to stop: once gracefully, twice at once."""

from __future__ import annotations

import asyncio
import os
import signal

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hostler.processes.signals import stop_signals


def kill(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_the_waiting(number):
    with stop_signals() as stop:
        kill(number)
        with anyio.fail_after(5):
            stop._waited = True
            await stop.wait()
        kept_on = True
    assert kept_on
    assert stop.status == 0


async def test_the_second_cancels_what_follows():
    with stop_signals() as stop:
        stop._waited = True
        kill(signal.SIGTERM)
        await stop.wait()
        kill(signal.SIGINT)
        with anyio.fail_after(5):
            await anyio.sleep_forever()
    assert stop.status == 128 + signal.SIGINT


async def test_the_second_cancels_whatever_is_awaited_on_the_way_out():
    left = []
    with stop_signals() as stop:
        stop._waited = True
        stop.request()
        stop.request()
        try:
            await anyio.sleep_forever()
        finally:
            try:
                await anyio.sleep_forever()
            finally:
                left.append("the application")
    assert left == ["the application"]
    assert asyncio.current_task().cancelling() == 0
    await checkpoint()


async def test_who_cancels_the_program_from_outside_sees_it_cancelled():
    async def program():
        with stop_signals() as stop:
            stop._waited = True
            stop.request()
            stop.request()
            task.cancel()
            await anyio.sleep_forever()

    task = asyncio.create_task(program())
    await asyncio.wait([task])
    assert task.cancelled()


async def test_an_error_on_the_way_out_is_not_lost():
    with pytest.raises(ZeroDivisionError), stop_signals() as stop:
        stop.request()
        try:
            await anyio.sleep_forever()
        finally:
            _ = 1 / 0
    assert asyncio.current_task().cancelling() == 0


async def test_before_anybody_waits_the_first_cancels():
    with stop_signals() as stop:
        kill(signal.SIGTERM)
        with anyio.fail_after(5):
            await anyio.sleep_forever()
    assert stop.status == 0


async def test_handlers_are_as_they_were_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(signal.SIGTERM) as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
        stop.request()
        await checkpoint()
    assert signal.getsignal(signal.SIGTERM) is before
