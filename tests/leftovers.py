"""What a test leaves open: sockets, pipes and files of this process, as Linux lists them; elsewhere nothing is seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from multiprocessing.resource_tracker import _resource_tracker
from pathlib import Path

PATIENCE = float(os.environ.get("TESTS_PATIENCE", "2"))
"""Seconds that what is closing has until it is closed."""

_DESCRIPTORS = Path("/proc/self/fd")
_PAIR = "socket without a name"


def open_descriptors():
    """Return what is open; what has no name of its own, such as an event loop's epoll, is left out."""
    found = {}
    kept = getattr(
        _resource_tracker, "_fd", None
    )  # multiprocessing has it for good once it has started a process
    if _DESCRIPTORS.is_dir():
        for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - this runs before and after every test
            with contextlib.suppress(OSError):
                target = os.readlink(f"{_DESCRIPTORS}/{name}")  # noqa: PTH115 - as above
                if target.startswith(("socket:", "pipe:", "/")) and int(name) != kept:
                    found[target] = int(name)
    return found


def opened_since(before):
    """Return in words what is open now and was not before."""
    now = open_descriptors()
    if now.keys() <= before.keys():
        return []
    found = [
        described for target in now.keys() - before.keys() if (described := describe(target, now[target]))
    ]
    pairs = sum(described.endswith(_PAIR) for described in found)
    if pairs and pairs <= len(before.keys() - now.keys()):
        # uvloop has a pair of sockets for signals, another one each time that it runs
        return [described for described in found if not described.endswith(_PAIR)]
    return found


def other_tasks():
    """Return the tasks of the running loop beside the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def await_closed(before):
    """Wait until what was opened since is closed, and tasks are over; returns what is not, in words."""
    until = time.monotonic() + PATIENCE
    while (left := opened_since(before)) or other_tasks():
        if time.monotonic() > until:
            return [*left, *map(repr, other_tasks())]
        await asyncio.sleep(0.002)
    return []


def wait_closed(before):
    """Wait until what was opened since is closed; returns what is not, in words."""
    until = time.monotonic() + PATIENCE
    while (left := opened_since(before)) and time.monotonic() < until:
        time.sleep(0.002)
    return left


def describe(target, number):
    """Return a descriptor in words, a socket with its addresses; None if it is closed by now."""
    if target.startswith("socket:"):
        try:
            with socket.socket(fileno=os.dup(number)) as copy:
                target = f"socket of {copy.getsockname()!r}" if copy.getsockname() else _PAIR
                with contextlib.suppress(OSError):
                    target = f"{target} to {copy.getpeername()!r}" if copy.getpeername() else target
        except OSError:
            return None
    return f"descriptor {number}, {target}"
