"""What a run found: medians over its rounds, tables, the aims, and a Markdown page of ratios."""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from benchmarks import processes
from benchmarks.cases import LARGE, SMALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.cases import Case
    from benchmarks.load import Result
    from benchmarks.peers import Contender

__all__ = ["AIMS", "Aim", "Report", "Row", "Visit", "machine"]


@frozen
class Visit:
    """One round's visit to one contender: what the load saw, and microseconds of processor time per request."""

    result: Result
    proxy: float
    """Of the proxy and its children; NaN when there is none, or the system does not say."""

    worker: float
    """Of the worker; NaN as above."""


@frozen
class Row:
    """A contender in one case: medians of its visits; what is not known is NaN."""

    contender: Contender
    per_second: float
    spread: float
    """The largest requests/s of a round less the smallest, relative to the median."""

    median: float
    p99: float
    proxy: float
    both: float
    """Proxy and worker together; the worker alone when there is no proxy."""

    trouble: str
    """What went wrong, empty when every request of every round was answered."""

    @classmethod
    def of(cls, contender: Contender, visits: Sequence[Visit]) -> Row:
        """Sum up a contender's visits."""
        rates = [visit.result.per_second for visit in visits]
        rate = statistics.median(rates)
        both = [
            math.fsum(part for part in (visit.proxy, visit.worker) if not math.isnan(part))
            for visit in visits
        ]
        has_worker = not any(math.isnan(visit.worker) for visit in visits)
        return cls(
            contender,
            rate,
            (max(rates) - min(rates)) / rate if rate else math.nan,
            statistics.median(visit.result.median for visit in visits),
            statistics.median(visit.result.p99 for visit in visits),
            statistics.median(visit.proxy for visit in visits),
            statistics.median(both) if has_worker else math.nan,
            _trouble(visits),
        )

    @property
    def cost(self) -> float:
        """Microseconds per request of all that is compared: the proxy, with the worker where there is one."""
        return self.proxy if math.isnan(self.both) else self.both


@frozen
class Aim:
    """A ratio that we want to reach."""

    text: str
    case: Case
    ours: str
    theirs: str
    limit: float
    at_most: bool
    """Our processor time over theirs is to be at most `limit`; otherwise a ratio in our favour, at least that."""

    of_throughput: bool = False

    def measured(self, report: Report) -> float:
        """Return the ratio, NaN when it was not measured."""
        ours, theirs = report.row(self.case, self.ours), report.row(self.case, self.theirs)
        if ours is None or theirs is None:
            return math.nan
        if self.of_throughput:
            return _ratio(ours.per_second, theirs.per_second)
        return _ratio(ours.cost, theirs.cost) if self.at_most else _ratio(theirs.cost, ours.cost)

    def verdict(self, report: Report) -> str:
        """Say "met", "missed" or "not measured"."""
        value = self.measured(report)
        if math.isnan(value):
            return "not measured"
        return "met" if (value <= self.limit if self.at_most else value >= self.limit) else "missed"

    @property
    def bound(self) -> str:
        """The limit, in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g}"


AIMS: Final = (
    Aim("small answer: hostler's forwarding over nginx's, processor time", SMALL, "hostler", "nginx", 2.5, True),
    Aim("small answer: aiohttp's forwarding over hostler's, processor time", SMALL, "hostler", "aiohttp", 3, False),
    Aim("small answer: delegating proxy and worker over nginx and the same worker, processor time", SMALL,
        "hostler-delegate", "nginx-worker", 1.5, True),
    Aim("1 MiB answer: delegated over nginx and the same worker, requests/s", LARGE, "hostler-delegate",
        "nginx-worker", 2, False, of_throughput=True),
)  # fmt: skip


@define(eq=False)
class Report:
    """All that a run found."""

    conditions: str
    """The load generator, rounds and seconds."""

    tables: dict[Case, list[Row]] = field(factory=dict)

    def row(self, case: Case, name: str) -> Row | None:
        """Return a contender's row in a case, or None when it is not there, or not without trouble."""
        for row in self.tables.get(case, ()):
            if row.contender.name == name:
                return None if row.trouble else row
        return None

    def text(self) -> str:
        """Return the tables with what was measured, and the aims."""
        lines = []
        for case, rows in self.tables.items():
            lines += [f"{case.name}, {case.connections} connections ({self.conditions})", ""]
            lines += _aligned(
                ["contender", "requests/s", "spread", "median ms", "p99 ms", "us proxy", "us +worker",
                 "requests/s to nginx", "us to nginx"],
                [self._measured(case, row) for row in rows],
            )  # fmt: skip
            lines += [f"{row.contender.name} FAILED: {row.trouble}" for row in rows if row.trouble]
            lines.append("")
        lines += [
            "us is microseconds of processor time per request; to nginx: relative to nginx, or to nginx and the",
            "same worker (us then with the worker's).",
            "",
        ]
        lines += _aligned(["aim", "wanted", "measured", ""], self._aims())
        return "\n".join(lines) + "\n"

    def _measured(self, case: Case, row: Row) -> list[str]:
        rate, cost = self._ratios(case, row)[::3]
        return [row.contender.entry.about, f"{row.per_second:,.0f}", _number(row.spread * 100, "{:.0f} %"),
                _number(row.median), _number(row.p99), _number(row.proxy, "{:.1f}"), _number(row.both, "{:.1f}"),
                rate, cost]  # fmt: skip

    def _ratios(self, case: Case, row: Row) -> list[str]:
        """Return requests/s, median, 99th percentile and processor time relative to the peer's."""
        peer = self.row(case, row.contender.entry.peer)
        if peer is None or row.trouble:
            return ["-"] * 4
        pairs = (
            (row.per_second, peer.per_second),
            (row.median, peer.median),
            (row.p99, peer.p99),
            (row.cost, peer.cost),
        )
        return [_number(_ratio(ours, theirs)) for ours, theirs in pairs]

    def _aims(self) -> list[list[str]]:
        return [[aim.text, aim.bound, _number(aim.measured(self)), aim.verdict(self).upper()] for aim in AIMS]

    def markdown(self, description: Iterable[str], missing: Iterable[str]) -> str:
        """Return the page for the documentation: ratios, which travel, and not requests/s, which do not."""
        lines = ["# Benchmarks", "", "Written by `python -m benchmarks --markdown FILE`. Every number is relative to",
                 "nginx's in the same run; processor time is per request, user and system, of the proxy's processes,",
                 "and of the worker's too where there is one.", "",
                 *(f"- {item}" for item in description), f"- {self.conditions}",
                 *(f"- left out: {item}" for item in missing)]  # fmt: skip
        titles = ["", "requests/s", "median latency", "p99 latency", "processor time"]
        for case, rows in self.tables.items():
            lines += ["", f"## {case.name[0].upper()}{case.name[1:]}", "",
                      f"{case.size:,} bytes, {case.connections} kept-alive connections, ten request headers."]  # fmt: skip
            for peer in dict.fromkeys(row.contender.entry.peer for row in rows):
                compared = [row for row in rows if row.contender.entry.peer == peer]
                lines += [
                    "",
                    *_piped(
                        titles, [[row.contender.entry.about, *self._ratios(case, row)] for row in compared]
                    ),
                ]
        lines += ["", "## Aims", "", *_piped(["aim", "wanted", "measured", ""], self._aims())]
        return "\n".join(lines) + "\n"


def _trouble(visits: Sequence[Visit]) -> str:
    failures = sum(visit.result.failures for visit in visits)
    silent = sum(not visit.result.requests for visit in visits)
    parts = [f"{failures} requests were not answered with 200"] if failures else []
    parts += [f"nothing was answered in {silent} of {len(visits)} rounds"] if silent else []
    return ", ".join(parts)


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs > 0 and ours > 0 else math.nan


def _number(value: float, form: str = "{:.2f}") -> str:
    return "-" if math.isnan(value) else form.format(value)


def _aligned(titles: list[str], rows: list[list[str]]) -> list[str]:
    """Lay a table out in columns: the first to the left, the others to the right."""
    widths = [max(len(line[at]) for line in [titles, *rows]) for at in range(len(titles))]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [titles, *rows]
    ]


def _piped(titles: list[str], rows: list[list[str]]) -> list[str]:
    rules = ["---", *["---:"] * (len(titles) - 1)]
    return [f"| {' | '.join(line)} |" for line in [titles, rules, *rows]]


def machine(load: str) -> list[str]:
    """Describe the machine and the versions of what runs on it."""
    versions = [f"Python {platform.python_version()}"]
    for package in ("uvloop", "aiohttp"):
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    for program, option in (("nginx", "-v"), ("haproxy", "-v"), (load, "--version")):
        path = processes.find(program)
        if path is not None:
            versions.append(_version(path, option))
    return [f"{_processor()}, {os.cpu_count()} cores", f"{platform.system()} {platform.release()}",
            ", ".join(versions)]  # fmt: skip


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(path: str, option: str) -> str:
    try:
        _, output, errors = processes.run([path, option], 5)
    except (OSError, subprocess.TimeoutExpired):
        return Path(path).name
    lines = (output + errors).strip().splitlines() or [Path(path).name]
    words = lines[0].removeprefix("nginx version: ").replace("/", " ").split()
    # "wrk debian 4.1.0-3+b2 [epoll] Copyright ...", "HAProxy version 2.6.12-1 2026 ...": the name, the number
    number = next((word for word in words if word[0].isdigit()), "")
    return f"{words[0]} {number}".strip()
