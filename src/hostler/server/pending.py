"""What is under way, and can be waited for: the exchanges, streams or connections that a stopping server lets finish."""

from __future__ import annotations

import asyncio
from typing import TypeVar

__all__ = ["Pending"]

T = TypeVar("T")


class Pending(set[T]):
    """A set of which one can wait until it is empty; items leave it by `discard` only."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        super().__init__()
        self.waiters: list[asyncio.Future[None]] = []
        """Who waits; whoever removes an item by `set.discard`, which is cheaper, calls `wake` when there are any."""

    def discard(self, item: object, /) -> None:
        """Remove an item if it is there; the last one wakes whoever waits."""
        super().discard(item)
        if self.waiters:
            self.wake()

    def wake(self) -> None:
        """Wake whoever waits, if nothing is in it."""
        if not self:
            waiters, self.waiters = self.waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def emptied(self) -> None:
        """Wait until nothing is in it."""
        while self:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
