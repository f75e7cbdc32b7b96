"""What is under way, and can be waited for: the exchanges, streams or connections that a stopping server lets finish."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

__all__ = ["Pending"]

T = TypeVar("T")


class Pending(Generic[T]):
    """A set of which one can wait until it is empty."""

    __slots__ = ("_items", "_waiters")

    def __init__(self) -> None:
        self._items: set[T] = set()
        self._waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: T) -> bool:
        return item in self._items

    def add(self, item: T) -> None:
        """Add an item."""
        self._items.add(item)

    def discard(self, item: T) -> None:
        """Remove an item if it is there."""
        self._items.discard(item)
        if self._waiters and not self._items:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def snapshot(self) -> list[T]:
        """Return the items of this moment, to go through while they change."""
        return list(self._items)

    async def emptied(self) -> None:
        """Wait until nothing is in it."""
        while self._items:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
