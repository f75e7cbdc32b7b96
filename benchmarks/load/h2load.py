"""nghttp2's h2load, speaking HTTP/1.1; latencies come from its log of every request."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks import processes
from benchmarks.cases import Measure
from benchmarks.load.task import LoadError, Result, latencies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.cases import Case

__all__ = ["H2Load"]

_SLACK: Final = 60.0
"""Seconds beyond its own time after which it is killed."""

_SETTLE: Final = 0.1
"""Seconds for a contender to finish what the end of the load broke off."""

_MOST: Final = 100
"""More connections take too long to open: that would be counted."""


class H2Load:
    """h2load, in one thread."""

    name = "h2load"

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._log = directory / "h2load.tsv"
        self._body = directory / "h2load.body"

    @staticmethod
    def can(case: Case) -> bool:
        """Say whether it can do a case."""
        return case.measure is Measure.REQUESTS and not case.new_connections and case.connections <= _MOST

    def run(self, url: str, case: Case, seconds: float, mark: Callable[[], Any]) -> Result:
        """Run for `seconds`, to the millisecond, or for the case's count of requests."""
        self._log.unlink(missing_ok=True)
        mark()
        began = time.perf_counter()
        output = _run(self._command(url, case, seconds), seconds)
        took = time.perf_counter() - began if case.count else seconds
        time.sleep(_SETTLE)
        mark()
        _, failed, errored, timed_out = _found(
            r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output
        )
        (good,) = _found(r"status codes: (\d+) 2xx", output)
        rows = [line.split("\t") for line in self._log.read_text().splitlines()]
        times = [int(row[2]) / 1e6 for row in rows if row[1] == "200"]
        failures = int(failed) + int(errored) + int(timed_out)
        return Result(int(good), failures, int(good) / took, *latencies(times))

    def _command(self, url: str, case: Case, seconds: float) -> list[str]:
        command = [self._program, "--h1", "-t", "1", "-c", str(case.connections), f"--log-file={self._log}"]
        command += ["-n", str(case.count)] if case.count else ["-D", f"{seconds * 1000:.0f}ms"]
        command += [part for name, value in case.headers for part in ("-H", f"{name}: {value}")]
        if case.body:
            with self._body.open("wb") as file:
                file.truncate(case.body)
            command += ["-d", str(self._body)]
        return [*command, url + case.path]


def _run(command: list[str], seconds: float) -> str:
    try:
        status, output, errors = processes.run(command, seconds + _SLACK)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{command[0]} did not end within {error.timeout:g} s") from error
    if status:
        raise LoadError(f"{command[0]} ended with {status}: {(errors or output).strip()[-300:]}")
    return output


def _found(pattern: str, output: str) -> tuple[str, ...]:
    match = re.search(pattern, output)
    if match is None:
        raise LoadError(f"{pattern!r} is not in what the load generator said: {output.strip()[-300:]}")
    return match.groups()
