"""Slow start: a destination that comes back has a part of its weight, which grows (nginx: slow_start; Envoy: slow start)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.fleet.destinations import LiveDestination

__all__ = ["FIRST_SHARE", "Ramp"]

FIRST_SHARE: Final = 0.1
"""The part of its weight that a destination begins with (Envoy: min_weight_percent)."""


@define(eq=False)
class Ramp:
    """What `LiveDestination.ramp` is while a destination warms up; takes itself away at the end."""

    destination: LiveDestination
    period: float
    """Seconds until it has all of its weight."""

    clock: Callable[[], float]
    _began: float

    @classmethod
    def begin(cls, destination: LiveDestination, period: float, clock: Callable[[], float]) -> None:
        """Have a destination warm up from now on."""
        destination.ramp = cls(destination, period, clock, clock())

    def __call__(self) -> float:
        """Return the part of its weight that the destination has at present: from FIRST_SHARE to 1, in a line."""
        share = (self.clock() - self._began) / self.period
        if share < 1:
            return max(FIRST_SHARE, share)
        if self.destination.ramp is self:
            self.destination.ramp = None
        return 1.0
