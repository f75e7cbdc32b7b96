"""The awaitable ends of an exchange, for coroutines that read bodies and write responses themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hostler.contract import Stream
    from hostler.errors import Failure
    from hostler.http.headers import RawHeaders

__all__ = ["Channel"]

_HIGH_WATER: Final = 1 << 16
"""Bytes of a request's body that may wait before its flow is stopped."""

_TURN: Final = 1 << 18
"""Bytes that a coroutine may write before the event loop gets its turn, however fast the client reads."""


class Channel:
    """A Pump that buffers the request's body up to 64 KiB and turns back-pressure into an await."""

    # what most channels never change is the class's
    ended = False
    """The request's body is complete."""

    failure: Failure | None = None
    """Why the client is gone, once it is."""

    paused = False
    """The client does not keep up with the response."""

    _size = 0
    _turn = 0

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.pieces: deque[bytes] = deque()
        """What has come of the request's body, and nobody has taken yet."""
        self.trailers: RawHeaders = []
        self._waiters: list[asyncio.Future[None]] = []
        """Of those who wait for the client: each has its own, so that one can be cancelled."""
        self._drains: list[asyncio.Future[None]] = []
        """Of those who wait until the client keeps up."""

    # -- Pump -----------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take a piece of the request's body."""
        self.pieces.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER:
            self._stream.pause()
        if self._waiters:
            _wake(self._waiters)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Called when the request's body is complete."""
        self.ended, self.trailers = True, trailers
        if self._waiters:
            _wake(self._waiters)

    def lost(self, failure: Failure) -> None:
        """Called when the client disconnected."""
        self.failure = failure
        self.over()

    def over(self) -> None:
        """Called when the response is complete or aborted: nobody waits for the client any more."""
        self.paused = False
        if self._waiters:
            _wake(self._waiters)
        if self._drains:
            _wake(self._drains)

    def pause(self) -> None:
        """Make writers wait."""
        self.paused = True

    def resume(self) -> None:
        """Let writers go on."""
        self.paused = False
        if self._drains:
            _wake(self._drains)

    def going_away(self) -> None:
        """Let the coroutine finish what it does."""

    # -- coroutines -----------------------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """Return the next piece of the body, b"" at its end; raises ConnectionError when the client is gone."""
        while (piece := self.take()) is None:
            await _wait(self._waiters)
        return piece

    def take(self) -> bytes | None:
        """Return what `receive` would, or None where that would wait."""
        if not self.pieces:
            if self.ended:
                return b""
            if self.failure is not None:
                raise ConnectionError(str(self.failure))
            return None
        piece = self.pieces.popleft()
        was, self._size = self._size, self._size - len(piece)
        if was > _HIGH_WATER >= self._size:
            self._stream.resume()
        return piece

    async def disconnected(self) -> None:
        """Wait until the client is gone, or the response is complete."""
        while self.failure is None and not self._stream.closed:
            await _wait(self._waiters)

    def wrote(self, size: int) -> bool:
        """Count a piece that was just written; returns whether its writer must await `drained` now."""
        self._turn += size
        return self.paused or self._turn > _TURN

    async def drained(self) -> None:
        """Wait until the client keeps up again, and let the event loop have its turn."""
        self._turn = 0
        if not self.paused:
            await asyncio.sleep(0)
            return
        await _wait(self._drains)


async def _wait(waiters: list[asyncio.Future[None]]) -> None:
    waiter = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        waiters.remove(waiter)


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
