"""What each route of a table lacks to take a request: for people, where `Table.find` is for requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from attrs import frozen

from hostler.config.model import HeaderMatch
from hostler.routing.candidate import R
from hostler.routing.conditions import Subjects
from hostler.routing.table import find_preflight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.routing.candidate import Candidate
    from hostler.routing.conditions import Head
    from hostler.routing.table import Table

__all__ = ["Question", "Verdict", "judge"]


@frozen(eq=False)
class Question:
    """A request, as `Table.find` takes it."""

    method: str
    host: str
    port: int
    path: str
    head: Head


@frozen
class Verdict(Generic[R]):
    """What is to be said of one route."""

    route: R
    is_near: bool
    """Whether the request's host and path are the route's."""

    failed: tuple[str, ...]
    """What the request is not, in the order in which that is tested; nothing when the route matches.

    Where host or path are not the route's, that is all.
    """

    rank: int
    """Routes of the same rank match equally well."""


def judge(table: Table[R], question: Question) -> list[Verdict[R]]:
    """Judge every route of a table, in the order of precedence; of its hosts the best that the request is for."""
    near: list[Candidate[R]] = []
    others: list[Candidate[R]] = []
    for candidate in table.candidates:
        (near if _is_near(table, candidate, question) else others).append(candidate)
    subjects = Subjects(question.head)
    pieces = question.path.split("/")
    preflight = None
    if question.method == "OPTIONS":
        preflight = find_preflight(near, pieces, len(pieces) - (not pieces[-1]), subjects)
    chosen: dict[int, tuple[Candidate[R], bool]] = {}
    for candidates, is_near in ((near, True), (others, False)):
        for candidate in candidates:
            chosen.setdefault(id(candidate.route), (candidate, is_near))
    verdicts = []
    for candidate, is_near in sorted(chosen.values(), key=lambda pair: pair[0].rank):
        if is_near:
            failed = _failed(candidate, question, preflight, subjects)
        else:
            failed = _far(table, candidate, question)
        verdicts.append(Verdict(candidate.route, is_near, tuple(failed), candidate.rank))
    return verdicts


def _is_near(table: Table[R], candidate: Candidate[R], question: Question) -> bool:
    is_for = table.is_for(candidate, question.host, question.port)
    return is_for and candidate.template.match(question.path) is not None


def _far(table: Table[R], candidate: Candidate[R], question: Question) -> Iterator[str]:
    if not table.is_for(candidate, question.host, question.port):
        yield f"host: {' or '.join(candidate.route.config.hosts)}"
    if candidate.template.match(question.path) is None:
        yield f"path: {candidate.template.text}"


def _failed(
    candidate: Candidate[R], question: Question, preflight: str | None, subjects: Subjects
) -> Iterator[str]:
    if not candidate.admits(question.method, preflight):
        methods = " or ".join(candidate.route.config.methods) or "any"
        if preflight is None:
            yield f"method: {methods}"
        elif candidate.takes_preflight:
            yield f"method: {methods}, and the preflight is for {preflight}"
        else:
            yield "preflight: it has no CorsPolicy, and other routes of the path have one"
    rules = {True: 0, False: 0}
    for condition in candidate.conditions:
        is_header = isinstance(condition.rule, HeaderMatch)
        rules[is_header] += 1
        if not condition.holds(subjects):
            yield f"{'header' if is_header else 'query'} rule {rules[is_header]}: {condition}"
