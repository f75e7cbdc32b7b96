"""How long a client may take for a request's body: for the next bytes of it, and for all of it on average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GRACE", "BodyPace"]

GRACE: Final = 5.0
"""Seconds before a body's average rate counts (Kestrel's MinRequestBodyDataRate.GracePeriod)."""


class BodyPace:
    """Counts a body's bytes, and the seconds in which its client was free to send them.

    A client is too slow once both the grace and the time that its bytes take at the minimum rate are over. Time runs
    from `time_left` until `pause`: while we hold the body back, it does not.
    """

    __slots__ = (
        "_awaits_continue",
        "_clock",
        "_min_rate",
        "_received",
        "_running_since",
        "_spent",
        "_timeout",
    )

    def __init__(
        self,
        timeout: float,
        min_rate: float | None,
        clock: Callable[[], float],
        *,
        awaits_continue: bool = False,
    ) -> None:
        """Allow `timeout` seconds for the next bytes, and `min_rate` bytes a second on average; None for any rate.

        A client that `awaits_continue` is timed from its first byte.
        """
        self._timeout = timeout
        self._min_rate = min_rate
        self._clock = clock
        self._awaits_continue = awaits_continue
        self._received = 0
        self._spent = 0.0
        """Seconds until the last pause."""
        self._running_since: float | None = None

    def time_left(self, size: int = 0) -> float:
        """Return the seconds for the next bytes, after `size` more have come."""
        if self._min_rate is None or (self._awaits_continue and not size):
            return self._timeout
        self._awaits_continue = False
        self._received += size
        now = self._clock()
        if self._running_since is None:
            self._running_since = now
        spent = self._spent + now - self._running_since
        return min(self._timeout, max(0.0, max(GRACE, self._received / self._min_rate) - spent))

    def pause(self) -> None:
        """Stop the time until `time_left` is called again."""
        if self._running_since is not None:
            self._spent += self._clock() - self._running_since
            self._running_since = None
