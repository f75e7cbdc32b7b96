"""Work that can be done at once, or in slices between which others have a turn.

It is written once, as a generator that yields where it may be interrupted and returns its result.

While work is done in slices the garbage collector is off. It would look through all that is being built again and again,
which holds everybody up for longer than a slice, and find nothing.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

__all__ = ["Steps", "finish", "in_slices"]

_SLICE: Final = 0.005
"""Seconds that a work in slices may keep the event loop."""

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that yields after each of its steps, each of which takes well under a millisecond, and returns a `T`."""


def finish(steps: Steps[T]) -> T:
    """Do all of it at once, and return its result; whatever it raises passes through."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_slices(steps: Steps[T]) -> T:
    """Do a work of several steps, and give the event loop a turn every few milliseconds."""
    end = time.perf_counter() + _SLICE
    with _collector.off():
        while True:
            try:
                next(steps)
            except StopIteration as end_of_work:
                result: T = end_of_work.value
                return result
            if time.perf_counter() >= end:
                await asyncio.sleep(0)
                end = time.perf_counter() + _SLICE


class _Collector:
    """The garbage collector, which is off while any work is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works = 0
        self._was_on = False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Keep it off; afterwards it is as it was."""
        with self._lock:
            if not self._works:
                self._was_on = gc.isenabled()
                gc.disable()
            self._works += 1
        try:
            yield
        finally:
            with self._lock:
                self._works -= 1
                if not self._works and self._was_on:
                    gc.enable()


_collector: Final = _Collector()
