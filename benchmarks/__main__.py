"""`python -m benchmarks`: every contender that is installed, under the same load, in interleaved rounds."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cases import CASES
from benchmarks.load import LOADS, NOTHING, LoadError, choose
from benchmarks.peers import ROSTER, Field
from benchmarks.processes import Crew, interruptible
from benchmarks.report import Report, Row, Visit, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Case
    from benchmarks.load import Load
    from benchmarks.peers import Contender
    from benchmarks.processes import Process

_SETTLE: Final = 0.1
"""Seconds for a contender to finish what the load broke off, before its processor time is read."""

_NAMES: Final = tuple(entry.name for entry in ROSTER)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _options(arguments)
    try:
        with interruptible(), tempfile.TemporaryDirectory(prefix="hostler-bench-") as directory:
            return _run(options, Path(directory))
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(": ")[2])
    parser.add_argument("--seconds", type=_within(0.1, 60), help="per case and visit (3)")
    parser.add_argument("--rounds", type=_within(1, 50), help="visits to each contender (3)")
    parser.add_argument("--quick", action="store_true", help="1 round of 1 s, where nothing else is said")
    parser.add_argument("--only", metavar="NAMES", help=f"with commas, some of: {', '.join(_NAMES)}")
    parser.add_argument(
        "--load", choices=list(LOADS), help="the load generator (the first that is installed)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the ratios there")
    options = parser.parse_args(arguments)
    options.only = set(options.only.split(",")) if options.only else set(_NAMES)
    if unknown := options.only - set(_NAMES):
        parser.error(f"--only: no contender {', '.join(sorted(unknown))}; there are {', '.join(_NAMES)}")
    options.seconds = options.seconds or (1.0 if options.quick else 3.0)
    options.rounds = int(options.rounds or (1 if options.quick else 3))
    return options


def _within(least: float, most: float) -> object:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} and {most:g}")
        return value

    return number


def _run(options: argparse.Namespace, directory: Path) -> int:
    try:
        load, missing = choose(options.load, directory)
    except LoadError as error:
        print(f"--load: {error}", file=sys.stderr)
        return 2
    description = machine(load.name)
    print("\n".join([*description, f"load average before: {os.getloadavg()[0]:.2f}"]), flush=True)
    with Crew(directory) as crew:
        field = Field(crew)
        contenders = field.contenders(options.only)
        left_out = [*field.missing, *(f"{name}: {name} is not installed" for name in missing)]
        for item in left_out:
            print(f"left out: {item}", flush=True)
        visits = _rounds(contenders, load, options.rounds, options.seconds)
    rounds = "1 round" if options.rounds == 1 else f"the median of {options.rounds} rounds"
    conditions = f"{load.name}, {rounds} of {options.seconds:g} s"
    report = Report(conditions)
    for (case, contender), found in visits.items():
        report.tables.setdefault(case, []).append(Row.of(contender, found))
    print("", report.text(), sep="\n", end="", flush=True)
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(description, left_out))
    return 0 if report.tables else 1


def _rounds(
    contenders: list[Contender], load: Load, rounds: int, seconds: float
) -> dict[tuple[Case, Contender], list[Visit]]:
    """Visit each contender once a round, in each case; a first round, short, warms up and does not count."""
    visits: dict[tuple[Case, Contender], list[Visit]] = {
        (case, contender): [] for case in CASES for contender in contenders
    }
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}" if number else "warming up", file=sys.stderr, flush=True)
        for (case, contender), found in visits.items():
            try:
                visit = _visit(contender, case, load, seconds if number else min(seconds, 0.5))
            except LoadError as error:
                print(f"{case.name}, {contender.name}: {error}", file=sys.stderr, flush=True)
                visit = Visit(NOTHING, math.nan, math.nan)
            if number:
                found.append(visit)
    return visits


def _visit(contender: Contender, case: Case, load: Load, seconds: float) -> Visit:
    before = _used(contender.proxy), _used(contender.worker)
    result = load.run(contender.url, case, seconds)
    time.sleep(_SETTLE)
    after = _used(contender.proxy), _used(contender.worker)
    requests = result.requests or math.nan
    proxy, worker = ((now - then) * 1e6 / requests for now, then in zip(after, before, strict=True))
    return Visit(result, proxy, worker)


def _used(process: Process | None) -> float:
    """Return the processor seconds of a process; NaN when there is none, or they are not known."""
    seconds = None if process is None else process.processor_seconds()
    return math.nan if seconds is None else seconds


if __name__ == "__main__":
    sys.exit(main())
