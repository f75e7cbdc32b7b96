"""Timers, and a deadline that moves with every event and costs next to nothing to move."""

from __future__ import annotations

import asyncio
import contextvars
import math
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Deadline", "Timer", "call_later"]

_UNARMED: Final = math.inf
_CLOSED: Final = -math.inf


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
    costs a timer per timeout period, not per event. It calls back in the context in which it was made. What moves it
    for every request may do what `set` does itself:

        deadline.due = due = deadline.time() + seconds
        if due < deadline.armed:
            deadline.arm()
    """

    __slots__ = ("_callback", "_context", "_handle", "_loop", "armed", "due", "time")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback: Callable[[], None] | None = callback
        self._context = contextvars.copy_context()
        self.time = loop.time
        """The event loop's clock."""
        self.due = 0.0
        """When it calls back, by that clock; 0 for never. Set it to 0 to clear it without a call."""
        self.armed = _UNARMED
        """When the timer fires; later than any time when there is none, earlier when there is never to be one again."""
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Call back `seconds` from now, unless moved or cleared before."""
        self.due = due = self.time() + seconds
        if due < self.armed:
            self.arm()

    def clear(self) -> None:
        """Do not call back."""
        self.due = 0.0

    def close(self) -> None:
        """Do not call back, ever, and let go of the callback."""
        self.due = 0.0
        self.armed = _CLOSED
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def arm(self) -> None:
        """Have the timer fire when it is due."""
        if self._handle is not None:
            self._handle.cancel()
        self.armed = self.due
        self._handle = self._loop.call_at(self.due, self._fire, context=self._context)

    def _fire(self) -> None:
        self._handle = None
        due, armed = self.due, self.armed
        self.armed = _UNARMED
        if self._callback is None or not due:
            return
        if due > armed:
            self.arm()
            return
        self.due = 0.0
        self._callback()
