"""The report for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import CASES
from benchmarks.report.tables import aims, case_table, describe, ratio_text

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.report.tables import Table
    from benchmarks.results import Results

__all__ = ["against_text", "aims_text", "case_text"]


def case_text(results: Results, case: Case) -> str:
    """Return a case's table."""
    lines = [
        f"{case.title} ({case.name}). {describe(results, case)}",
        "",
        *_aligned(case_table(results, case)),
    ]
    lines += [f"{item.about} FAILED: {item.trouble}" for item in results.cases[case.name] if item.trouble]
    return "\n".join([*lines, ""])


def aims_text(results: Results) -> str:
    """Return the aims."""
    return "\n".join([*_aligned(aims(results)), ""])


def against_text(results: Results) -> str:
    """Return how our contenders compare with those of the other revision."""
    rows = [["case", "contender", "figure", f"relative to {results.reference}", "least..most"]]
    for name, findings in results.cases.items():
        case = CASES[name]
        for finding in findings:
            if not finding.name.endswith(results.reference):
                ratio = results.ratio(case, finding, case.figures[0])
                cells = [ratio_text(ratio.median), f"{ratio_text(ratio.least)}..{ratio_text(ratio.most)}"]
                rows.append([case.title, finding.about, case.figures[0].name, *cells])
    return "\n".join([*_aligned(rows), ""])


def _aligned(table: Table) -> list[str]:
    """Lay a table out in columns: words to the left, numbers to the right."""
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    numeric = [any(row[at][:1].isdigit() for row in table[1:]) for at in range(len(table[0]))]
    return [
        "  ".join(
            cell.rjust(width) if right and at else cell.ljust(width)
            for at, (cell, width, right) in enumerate(zip(row, widths, numeric, strict=True))
        ).rstrip()
        for row in table
    ]
