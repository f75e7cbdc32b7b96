"""The rows of every table, before they are laid out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.aims import AIMS
from benchmarks.cases import CASES
from benchmarks.figures import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.cases import Case
    from benchmarks.figures import Figure, Spread
    from benchmarks.results import Finding, Results

__all__ = ["aims", "case_table", "describe", "lost", "ratio_table", "ratio_text"]

Table = list[list[str]]
"""The first row has the titles."""


def case_table(results: Results, case: Case) -> Table:
    """Return what was measured of a case: medians, and ratio and spread of what is compared."""
    compared = case.figures[0]
    titles = [_title(figure) for figure in case.figures]
    rows = [["contender", *titles, f"{compared.name}, relative", "least..most"]]
    for finding in results.cases.get(case.name, ()):
        ratio = results.ratio(case, finding, compared)
        values = [figure.text(finding.spread(figure).median) for figure in case.figures]
        rows.append([finding.about, *values, ratio_text(ratio.median), _range(ratio)])
    return rows


def ratio_table(results: Results, case: Case) -> Table:
    """Return a case relative to its reference, which travels to other machines better than what was measured."""
    figures = [figure for figure in case.figures if figure is not FAILED]
    rows = [["", *(figure.name for figure in figures), "least..most", "measured"]]
    compared = case.figures[0]
    for finding in results.cases.get(case.name, ()):
        spread = results.ratio(case, finding, compared)
        cells = [ratio_text(results.ratio(case, finding, figure).median) for figure in figures]
        median = finding.spread(compared).median
        measured = "-" if math.isnan(median) else f"{compared.text(median)} {compared.unit}"
        if finding.trouble:
            measured = f"failed: {finding.trouble}"
        rows.append([finding.about, *cells, _range(spread), measured])
    return rows


def describe(results: Results, case: Case) -> str:
    """Return what is done in a case, and by which load generator."""
    load = results.loads.get(case.name)
    return f"{case.description} Load: {load}." if load else case.description


def aims(results: Results) -> Table:
    """Return each aim with what was measured, a column for each Python."""
    labels = [label for label in results.builds if not label.endswith("pure")]
    rows = [["aim", "reference", "wanted", *(f"on {_short(results.builds[label])}" for label in labels)]]
    for aim in AIMS:
        cells = []
        for label in labels:
            met, value = aim.met(results, label), aim.measured(results, label)
            verdict = {
                None: "not measured",
                True: f"{value:.{aim.digits}f} met",
                False: f"{value:.{aim.digits}f} missed",
            }
            cells.append(verdict[met])
        rows.append([aim.text, aim.reference, aim.wanted(results), *cells])
    return rows


def lost(results: Results) -> Iterator[tuple[Case, Finding, Finding]]:
    """Yield the cases in which our contender as installed here is behind a peer: the case, ours, the best peer."""
    for name, findings in results.cases.items():
        case = CASES[name]
        figure = case.figures[0]
        known = [item for item in findings if not item.trouble and not math.isnan(item.spread(figure).median)]
        ours = next((item for item in known if item.ours), None)
        peers = [item for item in known if not item.ours and item.name not in {"direct", "worker"}]
        if ours is None or not peers:
            continue
        sign = -1 if figure.more_is_better else 1
        best = min(peers, key=lambda item: sign * item.spread(figure).median)
        if sign * best.spread(figure).median < sign * ours.spread(figure).median:
            yield case, ours, best


def ratio_text(ratio: float) -> str:
    """Return a ratio with two digits; "-" when it is not known."""
    return "-" if math.isnan(ratio) else f"{ratio:.2f}"


def _title(figure: Figure) -> str:
    return f"{figure.name}, {figure.unit}" if figure.unit else figure.name


def _range(spread: Spread) -> str:
    return "-" if math.isnan(spread.median) else f"{spread.least:.2f}..{spread.most:.2f}"


def _short(about: str) -> str:
    """Return the Python alone, of what a build is."""
    return about.partition(", hostler")[0].partition(" (")[0] + (" of Debian" if "Debian's" in about else "")
