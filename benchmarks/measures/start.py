"""From nothing to an end, or to listening: wall clock, and processor time used by then."""

from __future__ import annotations

import math
import resource
import subprocess
import time
from typing import TYPE_CHECKING, Final

from benchmarks.contenders.field import launch
from benchmarks.figures import USED, WALL, Sample
from benchmarks.processes import Crew, StartError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contenders.entry import Entry, Setup
    from benchmarks.processes import Process

__all__ = ["visit"]

_TIMES: Final = 5
"""How often a visit starts a contender; the fastest counts, which others on the machine have disturbed least."""

_LONGEST: Final = 30.0


def visit(entry: Entry, setup: Setup, directory: Path) -> Sample:
    """Start a contender several times; raises StartError."""
    measure = _to_its_end if entry.name.startswith("import-") else _until_listening
    found = [measure(entry, setup, directory) for _ in range(_TIMES)]
    return {
        WALL.name: min(wall for wall, _ in found) * 1e3,
        USED.name: min(used for _, used in found) * 1e3,
    }


def _to_its_end(entry: Entry, setup: Setup, directory: Path) -> tuple[float, float]:
    with Crew(directory) as crew:
        before, began = _used_by_children(), time.perf_counter()
        process = _launch(crew, entry, setup)
        try:
            status = process.popen.wait(_LONGEST)
        except subprocess.TimeoutExpired as error:
            raise StartError(f"{entry.about} did not end within {_LONGEST:g} s") from error
        wall, after = time.perf_counter() - began, _used_by_children()
        if status:
            raise StartError(f"{entry.about} ended with {status}: {process.last_words()}")
    return wall, after - before


def _used_by_children() -> float:
    """Return the processor seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _until_listening(entry: Entry, setup: Setup, directory: Path) -> tuple[float, float]:
    with Crew(directory) as crew:
        began = time.perf_counter()
        process = _launch(crew, entry, setup)
        process.wait_until_listening(0.001)
        return time.perf_counter() - began, process.processor_seconds() or math.nan


def _launch(crew: Crew, entry: Entry, setup: Setup) -> Process:
    assert entry.command is not None
    return launch(crew, setup, entry.command)
