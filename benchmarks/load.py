"""The load: h2load or wrk where installed, else a small generator of our own."""

from __future__ import annotations

import asyncio
import math
import re
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, field, frozen

from benchmarks import processes
from benchmarks.cases import HEADERS
from hostler.processes.loop import run_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.cases import Case

__all__ = ["LOADS", "NOTHING", "H2Load", "Load", "LoadError", "Own", "Result", "Wrk", "choose"]

_SLACK: Final = 20.0
"""Seconds beyond its own time after which a load generator is killed."""


class LoadError(Exception):
    """A load generator failed; the message has its output."""


@frozen
class Result:
    """What one visit to a contender came to; latencies are in milliseconds."""

    requests: int
    """Answered with 200."""

    failures: int
    per_second: float
    median: float
    p99: float


NOTHING: Final = Result(0, 0, 0.0, math.nan, math.nan)


class Load(Protocol):
    """A load generator."""

    name: str

    def run(self, url: str, case: Case, seconds: float) -> Result:
        """Ask for the case over and over, for so many seconds; raises LoadError."""


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


def _latencies(microseconds: Sequence[float]) -> tuple[float, float]:
    """Return median and 99th percentile, in milliseconds."""
    if len(microseconds) < 2:
        return (microseconds[0] / 1e3,) * 2 if microseconds else (math.nan, math.nan)
    cuts = statistics.quantiles(microseconds, n=100, method="inclusive")
    return cuts[49] / 1e3, cuts[98] / 1e3


class H2Load:
    """nghttp2's h2load, speaking HTTP/1.1; latencies come from its log of every request."""

    name = "h2load"

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._log = directory / "h2load.tsv"

    def run(self, url: str, case: Case, seconds: float) -> Result:
        """Run for `seconds`, to the millisecond."""
        self._log.unlink(missing_ok=True)
        headers = [part for name, value in HEADERS for part in ("-H", f"{name}: {value}")]
        command = [self._program, "--h1", "-t", "1", "-c", str(case.connections), "-D", f"{seconds * 1000:.0f}ms",
                   f"--log-file={self._log}", *headers, url + case.path]  # fmt: skip
        output = _run(command, seconds)
        _, failed, errored, timed_out = _found(
            r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output
        )
        (good,) = _found(r"status codes: (\d+) 2xx", output)
        rows = [line.split("\t") for line in self._log.read_text().splitlines()]
        times = [int(row[2]) for row in rows if row[1] == "200"]
        median, p99 = _latencies(times)
        failures = int(failed) + int(errored) + int(timed_out)
        return Result(int(good), failures, int(good) / seconds, median, p99)


class Wrk:
    """wrk, which knows whole seconds only."""

    name = "wrk"

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program

    def run(self, url: str, case: Case, seconds: float) -> Result:
        """Run for `seconds`, rounded up to whole ones."""
        whole = math.ceil(seconds)
        headers = [part for name, value in HEADERS for part in ("-H", f"{name}: {value}")]
        command = [self._program, "-t", "1", "-c", str(case.connections), "-d", f"{whole}s", "--latency", *headers,
                   url + case.path]  # fmt: skip
        output = _run(command, whole)
        (requests,) = _found(r"(\d+) requests in", output)
        (per_second,) = _found(r"Requests/sec:\s+([\d.]+)", output)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
        others = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        bad = int(others[1]) if others else 0
        failures = bad + (sum(map(int, errors.groups())) if errors else 0)
        median, p99 = (_milliseconds(*_found(rf"\s{cut}%\s+([\d.]+)(us|ms|s)", output)) for cut in (50, 99))
        return Result(int(requests) - bad, failures, float(per_second), median, p99)


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


class Own:
    """The generator for who has neither: a client protocol in this process."""

    name = "our own load generator"

    def __init__(self, program: str, directory: Path) -> None:
        """Take what the others take; neither is needed."""

    def run(self, url: str, case: Case, seconds: float) -> Result:
        """Run for `seconds`."""
        tally = _Tally()

        async def main() -> int:
            host, _, port = url.removeprefix("http://").partition(":")
            lines = "".join(f"{name}: {value}\r\n" for name, value in (("host", f"{host}:{port}"), *HEADERS))
            request = f"GET {case.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii")
            loop = asyncio.get_running_loop()
            clients = []
            try:
                for _ in range(case.connections):
                    client = _Client(tally, request)
                    await loop.create_connection(lambda client=client: client, host, int(port))
                    clients.append(client)
                tally.end = time.perf_counter() + seconds
                for client in clients:
                    client.ask()
                await asyncio.sleep(seconds)
            finally:
                for client in clients:
                    client.leave()
            return 0

        try:
            run_loop(main)
        except OSError as error:
            raise LoadError(f"{url}: {error}") from error
        median, p99 = _latencies(tally.times)
        return Result(len(tally.times), tally.failures, len(tally.times) / seconds, median, p99)


@define
class _Tally:
    times: list[float] = field(factory=list)
    failures: int = 0
    end: float = 0.0


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, tally: _Tally, request: bytes) -> None:
        self._tally = tally
        self._request = request
        self._head = b""
        self._left = 0
        self._began = 0.0
        self._leaving = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def leave(self) -> None:
        self._leaving = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                self._fail()
                return
            self._left = int(length[1])
        self._left -= len(data)
        if not self._left:
            now = time.perf_counter()
            if now < self._tally.end:
                self._tally.times.append((now - self._began) * 1e6)
                self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._leaving:
            self._fail()

    def _fail(self) -> None:
        self._leaving = True
        self._tally.failures += 1
        self._transport.abort()


LOADS: Final = {"h2load": H2Load, "wrk": Wrk, "own": Own}


def choose(name: str | None, directory: Path) -> tuple[Load, list[str]]:
    """Return the generator of that name, or the first that is installed, and the names of those that are not.

    Raises LoadError when the named one is not installed.
    """
    missing = []
    for candidate, kind in LOADS.items():
        if name not in {None, candidate}:
            continue
        program = "" if kind is Own else processes.find(candidate)
        if program is not None:
            return kind(program, directory), missing
        missing.append(candidate)
    raise LoadError(f"{name} is not installed")
