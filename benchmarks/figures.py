"""What is measured: the figures, and their median, least and most over the rounds."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COST", "FAILED", "FIGURES", "IN_FORCE", "MEDIAN", "MEMORY", "P99", "PROXY", "RATE", "SLOWEST", "UNDISTURBED",
    "USED", "WALL", "WORKER", "Figure", "Sample", "Spread",
]  # fmt: skip


@frozen
class Figure:
    """Something that can be measured; its name is its column's title."""

    name: str
    unit: str
    digits: int
    more_is_better: bool = False

    def text(self, value: float) -> str:
        """Return a value as a table shows it, without the unit; "-" when it is not known."""
        return "-" if math.isnan(value) else f"{value:,.{self.digits}f}"


RATE: Final = Figure("throughput", "requests/s", 0, more_is_better=True)
MEDIAN: Final = Figure("median latency", "ms", 2)
P99: Final = Figure("p99 latency", "ms", 2)
COST: Final = Figure("processor time", "us", 1)
"""Per request: the proxy's and the worker's where there is one; with their children and threads, user and system."""
PROXY: Final = Figure("of the proxy", "us", 1)
WORKER: Final = Figure("of the worker", "us", 1)
SLOWEST: Final = Figure("slowest answer", "ms", 1)
UNDISTURBED: Final = Figure("slowest without", "ms", 1)
IN_FORCE: Final = Figure("in force after", "ms", 0)
FAILED: Final = Figure("failed requests", "", 0)
MEMORY: Final = Figure("memory", "KiB per connection", 1)
WALL: Final = Figure("wall clock", "ms", 0)
USED: Final = Figure("processor time used", "ms", 0)

FIGURES: Final = {
    figure.name: figure
    for figure in (RATE, MEDIAN, P99, COST, PROXY, WORKER, SLOWEST, UNDISTURBED, IN_FORCE, FAILED, MEMORY, WALL, USED)
}  # fmt: skip

Sample = dict[str, float]
"""What one visit found: values by the name of their figure. What is missing, or NaN, is not known."""


@frozen
class Spread:
    """A figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up what is known of the values; all NaN when nothing is."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return cls(math.nan, math.nan, math.nan)
        return cls(statistics.median(known), min(known), max(known))
