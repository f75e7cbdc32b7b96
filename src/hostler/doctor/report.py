"""What was found, for people and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hostler.doctor.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["to_json", "write_report"]


def write_report(examined: Iterable[tuple[str, tuple[Finding, ...]]]) -> Iterator[str]:
    """Write what was found, a line or two each, with the remedies; the last line has the sum."""
    counts = dict.fromkeys(Verdict, 0)
    for concern, findings in examined:
        yield f"{concern}\n"
        for finding in findings:
            counts[finding.verdict] += 1
            yield f"  {finding.verdict.value:<8} {finding.what}: {finding.detail}\n"
            if finding.remedy:
                yield f"           -> {finding.remedy}\n"
        yield "\n"
    yield f"{', '.join(f'{count} {verdict.value}' for verdict, count in counts.items() if count)}\n"


def to_json(about: dict[str, str], examined: Iterable[tuple[str, tuple[Finding, ...]]]) -> str:
    """Write what was found as one JSON object; `about` says of what."""
    findings: list[dict[str, Any]] = [
        {
            "concern": concern,
            "what": finding.what,
            "verdict": finding.verdict.value,
            "detail": finding.detail,
            "remedy": finding.remedy,
        }
        for concern, found in examined
        for finding in found
    ]
    return f"{json.dumps({**about, 'findings': findings}, indent=2)}\n"
