"""`python -m benchmarks`: every contender that is installed, under the same load, in interleaved rounds."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.builds import find_builds
from benchmarks.cases import CASES, Builds
from benchmarks.install import install
from benchmarks.machine import describe
from benchmarks.options import parse
from benchmarks.processes import StartError, find, interruptible
from benchmarks.report.chart import svg
from benchmarks.report.markdown import page
from benchmarks.report.text import against_text, aims_text, case_text
from benchmarks.results import Results
from benchmarks.revisions import against
from benchmarks.rounds import Runner

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parse(arguments)
    try:
        with interruptible(), tempfile.TemporaryDirectory(prefix="hostler-bench-") as directory:
            return _run(options, Path(directory))
    except StartError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, directory: Path) -> int:
    if options.found is not None:
        results = Results.from_json(options.found.read_text())
        for name in results.cases:
            print(case_text(results, CASES[name]))
    else:
        results = _measure(options, directory)
    _write(options, results)
    print(against_text(results) if results.reference else aims_text(results), flush=True)
    return 0 if any(results.cases.values()) else 1


def _measure(options: argparse.Namespace, directory: Path) -> Results:
    if options.install and (trouble := install()):
        raise StartError(trouble)
    if options.load == "h2load" and find("h2load") is None:
        raise StartError("--load: h2load is not installed")
    lineup = against(options.against, directory) if options.against else find_builds(options.python)
    runner = Runner(directory, lineup, frozenset(options.only), options.rounds, options.seconds, options.load)
    builds = {build.label: build.about for build in lineup.of(Builds.ALL)}
    results = Results(describe(), _conditions(options), builds)
    results.reference = lineup.reference.label if lineup.reference else ""
    print("\n".join([*results.machine, results.conditions, *results.builds.values(), ""]), flush=True)
    for name in options.cases:
        results.loads[name] = runner.load_of(CASES[name])
        results.cases[name] = runner.run(CASES[name])
        results.left_out = [*lineup.left_out, *runner.left_out]
        print(case_text(results, CASES[name]), flush=True)
        _write(options, results)  # an interrupted run has found something too
    print("\n".join(f"left out: {item}" for item in results.left_out))
    return results


def _conditions(options: argparse.Namespace) -> str:
    rounds = "1 round" if options.rounds == 1 else f"the median of {options.rounds} interleaved rounds"
    return f"{rounds} of {options.seconds:g} s"


def _write(options: argparse.Namespace, results: Results) -> None:
    if options.json is not None:
        options.json.write_text(results.to_json())
    if options.svg is not None:
        options.svg.write_text(svg(results))
    if options.markdown is not None:
        chart = None if options.svg is None else options.svg.name
        options.markdown.write_text(page(results, chart))


if __name__ == "__main__":
    sys.exit(main())
