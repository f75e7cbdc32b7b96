"""Requests over and over, or messages: throughput, latencies, and the processor time of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.figures import COST, MEDIAN, P99, PROXY, RATE, WORKER, Sample
from benchmarks.load.task import LoadError

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.contenders.field import Running
    from benchmarks.load.task import Load
    from benchmarks.processes import Process

__all__ = ["visit"]


def visit(running: Running, case: Case, load: Load, seconds: float) -> Sample:
    """Load a contender; raises LoadError when an answer was not as it should be."""
    marks: list[tuple[float, float]] = []
    result = load.run(
        running.url, case, seconds, lambda: marks.append((_used(running.proxy), _used(running.worker)))
    )
    if result.failures or not result.requests:
        raise LoadError(f"{result.failures} requests failed, {result.requests} were answered")
    proxy, worker = ((after - before) * 1e6 / result.requests for before, after in zip(*marks, strict=True))
    both = math.fsum(part for part in (proxy, worker) if not math.isnan(part))
    return {
        COST.name: both or math.nan,
        PROXY.name: proxy,
        WORKER.name: worker,
        RATE.name: result.per_second,
        MEDIAN.name: result.median,
        P99.name: result.p99,
    }


def _used(process: Process | None) -> float:
    """Return the processor seconds of a process; NaN when there is none, or they are not known."""
    seconds = None if process is None else process.processor_seconds()
    return math.nan if seconds is None else seconds
