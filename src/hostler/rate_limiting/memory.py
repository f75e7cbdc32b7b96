"""Counting in this process: a storage for the library `limits` that has room for so many keys, and no more.

The library's own looks at every key for each request, so that whoever invents keys makes requests dear for everybody. Here
a request costs the same however many keys there are. Where there is no more room, the key goes that has not been asked for
the longest.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from attrs import define, field
from limits.aio.storage import MovingWindowSupport, SlidingWindowCounterSupport, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BoundedMemory"]

MAX_TIMES: Final = 1_000_000
"""Times of requests that are kept for moving windows, of all keys together."""


@define(eq=False)
class _Window:
    """A fixed window."""

    count: int
    end: float


@define(eq=False)
class _Pair:
    """The counts of the window with a number, and of the one before it."""

    number: int
    count: int = 0
    previous: int = 0


@define(eq=False)
class _Times:
    """When requests came, the first one first."""

    times: deque[float] = field(factory=deque)


class BoundedMemory(Storage, MovingWindowSupport, SlidingWindowCounterSupport):
    """Counters of at most `max_keys` keys."""

    STORAGE_SCHEME = None

    def __init__(self, max_keys: int, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._max_keys = max_keys
        self._clock = clock
        self._kept: OrderedDict[str, _Window | _Pair | _Times] = OrderedDict()
        self._times = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What fails here: nothing."""
        return ValueError

    def _put(self, key: str, kept: _Window | _Pair | _Times) -> None:
        """Keep it as what was asked for last."""
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._max_keys or (self._times > MAX_TIMES and len(self._kept) > 1):
            _, gone = self._kept.popitem(last=False)
            if isinstance(gone, _Times):
                self._times -= len(gone.times)

    async def check(self) -> bool:
        """Return that it works."""
        return True

    async def reset(self) -> int | None:
        """Forget everything."""
        count, self._times = len(self._kept), 0
        self._kept.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget a key."""
        gone = self._kept.pop(key, None)
        if isinstance(gone, _Times):
            self._times -= len(gone.times)

    # -- fixed windows --------------------------------------------------------------------------------------------

    def _window(self, key: str) -> _Window | None:
        found = self._kept.get(key)
        return found if isinstance(found, _Window) and found.end > self._clock() else None

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count in the window of a key, which begins with the first request."""
        window, end = self._window(key), self._clock() + expiry
        if window is None or window.end > end:  # the clock was set back
            window = _Window(0, end)
        window.count += amount
        self._put(key, window)
        return window.count

    async def get(self, key: str) -> int:
        """Return the count of a key's window."""
        window = self._window(key)
        return 0 if window is None else window.count

    async def get_expiry(self, key: str) -> float:
        """Return when a key's window ends."""
        window = self._window(key)
        return self._clock() if window is None else window.end

    # -- moving windows -------------------------------------------------------------------------------------------

    def _recent(self, key: str, expiry: int) -> _Times:
        found, now = self._kept.get(key), self._clock()
        if not isinstance(found, _Times):
            return _Times()
        times = found.times
        while times and not now - expiry < times[0] <= now:
            times.popleft()
            self._times -= 1
        return found

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note the time of a request, unless there were as many as may be."""
        recent = self._recent(key, expiry)
        allowed = len(recent.times) + amount <= limit
        if allowed:
            recent.times.extend([self._clock()] * amount)
            self._times += amount
        self._put(key, recent)
        return allowed

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the window's first request came, and how many there were."""
        times = self._recent(key, expiry).times
        return (times[0] if times else self._clock()), len(times)

    # -- sliding windows ------------------------------------------------------------------------------------------

    def _pair(self, key: str, expiry: int) -> _Pair:
        found, number = self._kept.get(key), int(self._clock() // expiry)
        if not isinstance(found, _Pair):
            return _Pair(number)
        if found.number == number - 1:
            found.number, found.count, found.previous = number, 0, found.count
        elif found.number != number:
            found.number, found.count, found.previous = number, 0, 0
        return found

    def _weighted(self, pair: _Pair, expiry: int) -> float:
        return pair.previous * (1 - self._clock() % expiry / expiry) + pair.count

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless there are as many as may be in this window and what still counts of the one before it."""
        pair = self._pair(key, expiry)
        allowed = int(self._weighted(pair, expiry)) + amount <= limit
        if allowed:
            pair.count += amount
        self._put(key, pair)
        return allowed

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the count of the window before, how long it still counts, the count of this one, and how long that will."""
        pair, left = self._pair(key, expiry), expiry - self._clock() % expiry
        return pair.previous, (left if pair.previous else 0.0), pair.count, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a key."""
        await self.clear(key)
