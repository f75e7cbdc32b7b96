"""The options of the command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.cases import CASES
from benchmarks.contenders.roster import ROSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["parse"]

_ABOUT: Final = "Every contender that is installed, under the same load, in interleaved rounds."


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; ends the program when they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_ABOUT)
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
        help="install the peers that are missing by apt, as root; Debian may start their services too",
    )
    add("--markdown", type=Path, metavar="FILE", help="write the page for the documentation there")
    add("--svg", type=Path, metavar="FILE", help="write the chart there; the page then shows it")
    add("--json", type=Path, metavar="FILE", help="write what was found there")
    add("--from", type=Path, metavar="FILE", dest="found", help="report what `--json` wrote, and run nothing")
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
