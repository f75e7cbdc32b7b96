"""What is under way, and can be waited for: the exchanges, streams or connections that a stopping server lets finish."""

from __future__ import annotations

import asyncio
from typing import TypeVar

__all__ = ["Pending"]

T = TypeVar("T")


class Pending(set[T]):
    """A set of which one can wait until it is empty; items leave it by `discard` only."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        super().__init__()
        self._waiters: list[asyncio.Future[None]] = []

    def discard(self, item: object, /) -> None:
        """Remove an item if it is there; the last one wakes whoever waits."""
        super().discard(item)
        if self._waiters and not self:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def emptied(self) -> None:
        """Wait until nothing is in it."""
        while self:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
