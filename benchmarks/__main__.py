"""`python -m benchmarks`: every contender that is installed, under the same load, in interleaved rounds."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.builds import find_builds
from benchmarks.cases import CASES, Builds
from benchmarks.contenders.roster import ROSTER
from benchmarks.install import install
from benchmarks.machine import describe
from benchmarks.processes import StartError, find, interruptible
from benchmarks.report.chart import svg
from benchmarks.report.markdown import page
from benchmarks.report.text import against_text, aims_text, case_text
from benchmarks.results import Results
from benchmarks.revisions import against
from benchmarks.rounds import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from benchmarks.builds import Lineup


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _options(arguments)
    try:
        with interruptible(), tempfile.TemporaryDirectory(prefix="hostler-bench-") as directory:
            return _run(options, Path(directory))
    except StartError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(": ")[2])
    add = parser.add_argument
    add(
        "--cases",
        metavar="NAMES",
        type=_some_of(CASES, "case"),
        default=tuple(CASES),
        help=f"with commas, some of: {', '.join(CASES)}",
    )
    add(
        "--only",
        metavar="NAMES",
        type=_some_of(ROSTER, "contender"),
        default=tuple(ROSTER),
        help=f"with commas, some of: {', '.join(ROSTER)}",
    )
    add("--rounds", type=_within(1, 50), help="visits to each contender (5)")
    add("--seconds", type=_within(0.1, 60), help="of each visit (2)")
    add("--quick", action="store_true", help="1 round of 0.5 s, where nothing else is said")
    add(
        "--load",
        choices=["h2load", "own"],
        help="the load generator (h2load where it is installed and can do it)",
    )
    add(
        "--python",
        metavar="PATHS",
        type=lambda text: text.split(","),
        default=[],
        help="with commas, interpreters that hostler runs on too; those without its dependencies are left out",
    )
    add("--against", metavar="REV", help="compare with that revision, which is built aside")
    add(
        "--install",
        action="store_true",
        help="install the peers that are missing and that Debian has, as root",
    )
    add("--markdown", type=Path, metavar="FILE", help="write the page for the documentation there")
    add("--svg", type=Path, metavar="FILE", help="write the chart there; the page then shows it")
    add("--json", type=Path, metavar="FILE", help="write what was found there")
    add("--from", type=Path, metavar="FILE", dest="found", help="report what `--json` wrote, and run nothing")  # fmt: skip
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (0.5 if options.quick else 2.0)
    options.rounds = int(options.rounds or (1 if options.quick else 5))
    return options


def _within(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} and {most:g}")
        return value

    return number


def _some_of(known: Collection[str], kind: str) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if unknown := sorted(set(found) - set(known)):
            raise argparse.ArgumentTypeError(f"no {kind} {', '.join(unknown)}; there are {', '.join(known)}")
        return found

    return names


def _run(options: argparse.Namespace, directory: Path) -> int:
    if options.found is not None:
        results = Results.from_json(options.found.read_text())
        for name in results.cases:
            print(case_text(results, CASES[name]))
    else:
        results = _measure(options, directory)
    print(against_text(results) if results.reference else aims_text(results), flush=True)
    _write(options, results)
    return 0 if any(results.cases.values()) else 1


def _measure(options: argparse.Namespace, directory: Path) -> Results:
    if options.install and (trouble := install()):
        raise StartError(trouble)
    if options.load == "h2load" and find("h2load") is None:
        raise StartError("--load: h2load is not installed")
    lineup = against(options.against, directory) if options.against else find_builds(options.python)
    runner = Runner(directory, lineup, frozenset(options.only), options.rounds, options.seconds, options.load)
    results = Results(describe(), _conditions(options), _builds(lineup), list(lineup.left_out))
    results.reference = lineup.reference.label if lineup.reference else ""
    print("\n".join([*results.machine, results.conditions, *results.builds.values(), ""]), flush=True)
    for name in options.cases:
        results.cases[name] = runner.run(CASES[name])
        print(case_text(results, CASES[name]), flush=True)
    results.left_out += runner.left_out
    print("\n".join(f"left out: {item}" for item in results.left_out))
    return results


def _conditions(options: argparse.Namespace) -> str:
    rounds = "1 round" if options.rounds == 1 else f"the median of {options.rounds} interleaved rounds"
    return f"{rounds} of {options.seconds:g} s"


def _builds(lineup: Lineup) -> dict[str, str]:
    every = lineup.of(Builds.ALL)
    return {
        build.label: build.about.replace(
            "hostler compiled", "hostler compiled" if build.compiled else "hostler pure"
        )
        for build in every
    }


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
