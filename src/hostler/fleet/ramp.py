"""Slow start: a destination that comes back has a part of its weight, which grows (nginx: slow_start; Envoy: slow start)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FIRST_SHARE", "Ramp"]

FIRST_SHARE: Final = 0.1
"""The part of its weight that a destination begins with (Envoy: min_weight_percent)."""


@define(eq=False)
class Ramp:
    """What `LiveDestination.ramp` is while a destination warms up, from when it is made."""

    period: float
    """Seconds until it has all of its weight."""

    clock: Callable[[], float]
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def __call__(self) -> float:
        """Return the part of its weight that the destination has at present: from FIRST_SHARE to 1, in a line."""
        share = (self.clock() - self._began) / self.period
        return min(max(FIRST_SHARE, share), 1.0)
