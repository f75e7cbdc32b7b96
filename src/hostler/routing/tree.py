"""The tree of paths that candidates are found in, and the index beside it for those that ask for exact values.

Routes on one path may differ in a header or a query parameter only, and be thousands. So a candidate with a condition
that asks for an exact value is not kept in a node's list, but in an `Index` at the front of it: found are those whose
value the request has. All its conditions are tested afterwards, as any candidate's are.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Generic, TypeAlias

from attrs import Factory, define

from hostler.routing.candidate import Candidate, R

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hostler.routing.conditions import Condition, Subject, Subjects
    from hostler.steps import Steps

__all__ = ["Entry", "Index", "Node", "choose_condition", "count_keys"]

Entry: TypeAlias = "Candidate[R] | Index[R]"
"""What a node of the tree holds."""


@define(eq=False)
class Index(Generic[R]):
    """Candidates of one node, by an exact value that a request must have."""

    always: ClassVar = False
    """There is more to test than the method."""

    representatives: dict[tuple[object, ...], Candidate[R]] = Factory(dict)
    """One candidate for each template and methods: they stand for all where conditions do not count."""

    _by_value: dict[Subject, dict[str, list[Candidate[R]]]] = Factory(dict)

    def add(self, candidate: Candidate[R], condition: Condition) -> None:
        """Add a candidate by one of its conditions."""
        for subject, value in condition.keys:
            self._by_value.setdefault(subject, {}).setdefault(value, []).append(candidate)
        key = (candidate.template, candidate.methods, candidate.takes_preflight)
        self.representatives.setdefault(key, candidate)

    def find(self, subjects: Subjects) -> Iterator[Candidate[R]]:
        """Find the candidates whose exact value a request has."""
        for subject, by_value in self._by_value.items():
            for value in subjects[subject]:
                yield from by_value.get(value, ())


@define(eq=False)
class Node(Generic[R]):
    """A node in the tree of paths: what comes after some segments."""

    literals: dict[str, Node[R]] = Factory(dict)
    parameter: Node[R] | None = None
    """After a segment that is a parameter, or a mix with one."""

    here: list[Entry[R]] | None = None
    """What paths that end here have. Most nodes have none: what there is none of is no work for the collector."""

    below: list[Entry[R]] | None = None
    """What every path has that passes here: catch-alls."""

    def add(self, candidate: Candidate[R], condition: Condition | None = None) -> None:
        """Add a candidate where its path leads; by a condition that asks for an exact value, if it has one."""
        template = candidate.template
        node = self
        segments = template.segments[:-1] if template.catch_all else template.segments
        for index, segment in enumerate(segments):
            if index >= template.required:
                node.here = _put(node.here, candidate, condition)
            if isinstance(segment, str):
                node = node.literals.setdefault(segment, Node())
            else:
                node.parameter = node = node.parameter or Node()
        if template.catch_all:
            node.below = _put(node.below, candidate, condition)
        else:
            node.here = _put(node.here, candidate, condition)

    def collect(self, folded: list[str], at: int, end: int, found: list[Entry[R]]) -> None:
        """Add what the path `folded[at:end]` leads to to `found`."""
        node = self
        while at < end:
            if node.below:
                found += node.below
            segment = folded[at]
            at += 1
            child = node.literals.get(segment)
            if segment and (parameter := node.parameter) is not None:
                if child is not None:
                    child.collect(folded, at, end, found)
                child = parameter
            if child is None:
                return
            node = child
        if node.below:
            found += node.below
        if node.here:
            found += node.here


def _put(
    entries: list[Entry[R]] | None, candidate: Candidate[R], condition: Condition | None
) -> list[Entry[R]]:
    entries = [] if entries is None else entries
    if condition is None:
        entries.append(candidate)
        return entries
    index = entries[0] if entries else None
    if not isinstance(index, Index):
        index = Index()
        entries.insert(0, index)
    index.add(candidate, condition)
    return entries


def count_keys(candidates: Iterable[Candidate[R]]) -> Steps[Mapping[tuple[Subject, str], int]]:
    """Count how many candidates ask for each exact value."""
    shared: Counter[tuple[Subject, str]] = Counter()
    for candidate in candidates:
        if candidate.conditions:
            yield
            shared.update(key for condition in candidate.conditions for key in condition.keys)
    return shared


def choose_condition(candidate: Candidate[R], shared: Mapping[tuple[Subject, str], int]) -> Condition | None:
    """Choose the condition that a candidate is found by: of those for an exact value the one with the rarest values.

    `shared` says how many candidates ask for each. None when there is no such condition.
    """
    usable = [(keys, condition) for condition in candidate.conditions if (keys := tuple(condition.keys))]
    if not usable:
        return None
    return min(usable, key=lambda one: max(shared[key] for key in one[0]))[1]
