"""What is wrong with the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.doctor.finding import Finding, Verdict
from hostler.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context

__all__ = ["examine_document"]


def examine_document(context: Context) -> Iterator[Finding]:
    """Find what `hostler check` finds."""
    if not context.document:
        yield Finding(
            "document", Verdict.OK, f"none was given; looking at what {', '.join(map(str, context.prefixes))} needs",
            "to look at what a document needs: hostler doctor appsettings.json",
        )  # fmt: skip
        return
    for problem in context.problems:
        verdict = Verdict.BROKEN if problem.severity is Severity.ERROR else Verdict.WARNING
        yield Finding("problem", verdict, str(problem))
    if not any(problem.severity is Severity.ERROR for problem in context.problems):
        yield Finding("document", Verdict.OK, f"{context.document} can be used")
