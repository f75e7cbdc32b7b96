"""Every test here runs on asyncio's own event loop and on uvloop, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from pathlib import Path

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config, item):
    loops = {"asyncio": asyncio.SelectorEventLoop}
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return loops
    return loops | {"uvloop": uvloop.new_event_loop}


def _connections():
    """Return this process's TCP sockets; the event loops' own plumbing does not count."""
    found = set()
    descriptors = Path("/proc/self/fd")
    if descriptors.is_dir():
        for entry in descriptors.iterdir():
            with contextlib.suppress(OSError):
                if (target := str(entry.readlink())).startswith("socket:"):
                    with socket.socket(fileno=os.dup(int(entry.name))) as copy:
                        if copy.family in {socket.AF_INET, socket.AF_INET6}:
                            found.add(target)
    return found


@pytest.fixture(scope="session", autouse=True)
def only_what_the_tests_make_is_collected():
    """Keep modules out of the garbage collections after each test, which take a tenth of the time then."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """A transport, a task or a socket that outlives its test is a failure of the test."""
    before = _connections()
    yield
    try:
        async with asyncio.timeout(2):
            while _connections() - before or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - what is closing tells nobody
                await asyncio.sleep(0.002)
    except TimeoutError:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        pytest.fail(f"left behind: {len(_connections() - before)} connections, {tasks or 'no tasks'}")
    gc.collect()
