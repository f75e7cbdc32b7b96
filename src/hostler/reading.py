"""Reading from a transport: paused by whoever cannot take more, and at rest until others have had their turn."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

__all__ = ["LARGE_READ", "Reading"]

LARGE_READ: Final = 1 << 17
"""A read of more bytes than this is followed by a rest. asyncio and uvloop read up to 256 KiB at once."""


class Reading:
    """Whether a transport is read from, for two reasons at once.

    `pause` and `resume` are its user's. `rest` reads nothing more in this turn of the event loop: libuv reads on, up to
    32 times, from a socket that filled its buffer, before it looks at another one.

    asyncio reads in the context in which reading was resumed. So that is done in the one in which this was made, whoever
    resumes: the next exchange on the connection is none of his.
    """

    __slots__ = ("_context", "_loop", "_resting", "_transport", "paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._context = contextvars.copy_context()
        self._resting = False
        self.paused = False

    def pause(self) -> None:
        """Read no more for now."""
        if not self.paused and not self._transport.is_closing():
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.paused and not self._transport.is_closing():
            self.paused = False
            if not self._resting:
                self._context.copy().run(self._transport.resume_reading)

    def rest(self) -> None:
        """Read no more until every other socket has had its turn."""
        if not self.paused and not self._resting and not self._transport.is_closing():
            self._resting = True
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if not self.paused and not self._transport.is_closing():
            self._context.copy().run(self._transport.resume_reading)
