"""Every test here runs on asyncio's own event loop and on uvloop, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest
import uvloop


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


def _handles():
    found = Path("/proc/self/fd")
    return len(os.listdir(found)) if found.is_dir() else 0


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """A transport, a task or a socket that outlives its test is a failure of the test."""
    before = _handles()
    yield
    async with asyncio.timeout(5):
        while (after := _handles()) > before or len(asyncio.all_tasks()) > 1:
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            gc.collect()
            try:
                await asyncio.sleep(0.002)
            except asyncio.CancelledError:
                pytest.fail(f"left behind: {after - before} descriptors, tasks {left}")
