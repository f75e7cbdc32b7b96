"""The page of the documentation: ratios, which travel, with one column of what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cases import CASES
from benchmarks.report.tables import aims, describe, lost, ratio_table

if TYPE_CHECKING:
    from benchmarks.report.tables import Table
    from benchmarks.results import Results

__all__ = ["page"]

_HEAD = """\
# Benchmarks

Written by `python -m benchmarks --markdown FILE`, from one run. Every number is relative to the reference of its table,
measured in the same rounds; only the last column is what this machine did. Processor time is user and system time per
request, of all processes and threads of the proxy, and of the worker where there is one; the load's and the
destination's are nobody's. The destination is nginx, or, where request bodies are read, answers chunked and messages
echoed, a small server of our own. A contender is one process, or one thread where it has threads, and runs with its defaults
but for what it needs to keep connections alive and to write no log. hostler runs with its default stages. Where the
load is our own, which is Python, throughput may be the load's; processor time is not.

Over TLS, every contender has the same certificate (ECDSA P-256), TLS 1.2 and 1.3, of which the load takes 1.3, and its own
session tickets and cache; nobody verifies a destination's certificate. The engines are what a server in Python can
encrypt with, each answering from memory: hostler's transport, which is what hostler runs on, beside the event loops' own.
"""


def page(results: Results, chart: str | None) -> str:
    """Return the page; `chart` is where its picture is, relative to the page."""
    lines = [_HEAD, *(f"- {line}" for line in results.machine), f"- {results.conditions}"]
    lines += [
        f"- {f'`{label}`' if label else 'hostler without a label'}: {about}"
        for label, about in results.builds.items()
    ]
    lines += [f"- left out: {item}" for item in results.left_out]
    if chart is not None:
        lines += ["", f"![What each case costs, relative to its reference]({chart})"]
    if not results.reference:
        lines += [
            "",
            "## Aims",
            "",
            "Processor time, unless the aim says otherwise.",
            "",
            *_piped(aims(results)),
        ]
        lines += ["", "## Ours to lose", "", *_ours_to_lose(results)]
    for name in results.cases:
        case = CASES[name]
        lines += [
            "",
            f"## {case.title}",
            "",
            describe(results, case),
            "",
            *_piped(ratio_table(results, case)),
        ]
    return "\n".join(lines) + "\n"


def _ours_to_lose(results: Results) -> list[str]:
    rows = [["case", "figure", "best", "hostler over it"]]
    for case, ours, best in lost(results):
        figure = case.figures[0]
        ratio = ours.spread(figure).median / best.spread(figure).median
        rows.append([case.title, figure.name, best.about, f"{ratio:.2f}"])
    if len(rows) == 1:
        return ["In no case is a peer ahead of hostler."]
    return ["Where a peer is ahead of hostler, and the one that is furthest:", "", *_piped(rows)]


def _piped(table: Table) -> list[str]:
    numeric = [any(row[at][:1].isdigit() for row in table[1:]) for at in range(len(table[0]))]
    rule = ["---:" if right and at else "---" for at, right in enumerate(numeric)]
    return [
        f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (table[0], rule, *table[1:])
    ]
