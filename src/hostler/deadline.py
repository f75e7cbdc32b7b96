"""Timers, and a deadline that moves with every event and costs next to nothing to move."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline", "Timer", "call_later"]


class Timer(Protocol):
    """What `asyncio.loop.call_later` returns."""

    def cancel(self) -> None:
        """Do not call any more."""


def call_later(delay: float, callback: Callable[..., object], *args: object) -> Timer:
    """Call `callback(*args)` in `delay` seconds, on the running event loop."""
    return asyncio.get_running_loop().call_later(delay, callback, *args)


class Deadline:
    """Calls back once nothing has moved it for its whole time.

    Moving it later only writes a number; the one timer under it is armed again when it fires early. So a connection
    costs a timer per timeout period, not per event.
    """

    __slots__ = ("_armed", "_callback", "_handle", "_loop", "_time", "due")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback: Callable[[], None] | None = callback
        self._time = loop.time
        self.due = 0.0
        """When it calls back, by the event loop's clock; set it to 0 to clear it without a call."""
        self._armed = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Call back `seconds` from now, unless moved or cleared before."""
        if self._callback is None:
            return
        due = self.due = self._time() + seconds
        if self._handle is not None:
            if due >= self._armed:
                return
            self._handle.cancel()
        self._arm(due)

    def clear(self) -> None:
        """Do not call back."""
        self.due = 0.0

    def close(self) -> None:
        """Do not call back, ever, and let go of the callback."""
        self.due = 0.0
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, due: float) -> None:
        self._armed = due
        self._handle = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._handle = None
        due = self.due
        if not due or self._callback is None:
            return
        if due > self._armed:
            self._arm(due)
            return
        self.due = 0.0
        self._callback()
