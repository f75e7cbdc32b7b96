"""What a load generator is to do, and what it saw."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cases import Case

__all__ = ["NOTHING", "Load", "LoadError", "Result", "latencies"]


class LoadError(Exception):
    """A load generator failed; the message has its output."""


@frozen
class Result:
    """What a load generator saw; latencies are in milliseconds."""

    requests: int
    """Answered as they should be."""

    failures: int
    per_second: float
    median: float
    p99: float
    slowest: float


NOTHING: Final = Result(0, 0, 0.0, math.nan, math.nan, math.nan)


class Load(Protocol):
    """A load generator."""

    name: str

    def run(self, url: str, case: Case, seconds: float, mark: Callable[[], Any]) -> Result:
        """Ask for the case over and over, for so many seconds; raises LoadError.

        `mark` is called when the time that counts begins, and when it ends.
        """


def latencies(seconds: list[float]) -> tuple[float, float, float]:
    """Return median, 99th percentile and maximum, in milliseconds."""
    if len(seconds) < 2:
        return (seconds[0] * 1e3,) * 3 if seconds else (math.nan,) * 3
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1e3, cuts[98] * 1e3, max(seconds) * 1e3
