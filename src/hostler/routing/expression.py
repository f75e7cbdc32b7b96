r"""Regular expressions that no text can keep busy.

A backtracking matcher needs 2^n steps for `^(a+)+$`, and the text comes from whoever sends a request. So a pattern,
read by the standard library's parser, becomes an `Automaton`, which is linear, with a limit on its size. What cannot be
matched so is refused: back-references, conditions on groups, look-around, atomic groups and possessive repeats, and
the flags `a` and `m`.

The dialect is Python's. Case is ignored, in the invariant culture, as ASP.NET Core's RegexRouteConstraint does.
"""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]  # the one part of re that gives a pattern's structure
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from hostler.routing.automaton import Automaton, Characters, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_LENGTH", "MAX_NODES", "Expression"]

MAX_LENGTH: Final = 1000
"""Characters that a pattern may have."""

MAX_NODES: Final = 1000
"""Nodes that its automaton may have: about one for each character or class, with repeats written out."""

_FLAGS: Final = re.IGNORECASE | re.UNICODE | re.DOTALL | re.VERBOSE
_REFUSED: Final = {
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "FAILURE": "look-around",
    "ATOMIC_GROUP": "an atomic group",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
}
_ANYTHING: Final = Characters((), negated=True)
_NO_NEWLINE: Final = Characters(((10, 10),), negated=True)


class Expression:
    """A regular expression, compiled; a ValueError says what is wrong with the pattern, or not supported."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_LENGTH:
            raise ValueError(f"it has {len(pattern)} characters, at most {MAX_LENGTH} are allowed")
        try:
            parsed = _parser.parse(pattern, re.IGNORECASE)
            builder = _Builder()
            builder.check_flags(parsed.state.flags)
            first = builder.sequence(parsed, 0, parsed.state.flags)
        except (re.error, OverflowError) as error:
            raise ValueError(str(error)) from None
        except RecursionError:
            raise ValueError("its groups nest too deeply, write it with fewer") from None
        self._automaton = Automaton(builder.nodes, builder.positions, first)

    def search(self, text: str) -> bool:
        """Tell whether the expression is found anywhere in a text."""
        return self._automaton.finds(text)


@define(eq=False)
class _Builder:
    """Makes nodes of a parsed pattern, from its end to its beginning; node 0 is the end."""

    nodes: list[Node] = field(factory=lambda: [Node()])
    positions: list[tuple[Characters, int]] = field(factory=list)
    """What each position consumes, and the node after it."""

    def check_flags(self, flags: int) -> None:
        if flags & ~_FLAGS:
            raise ValueError(f"it sets {re.RegexFlag(flags & ~_FLAGS)!s}, use the flags i, s and x only")

    def node(
        self, onward: Iterable[int] = (), condition: str | None = None, position: int | None = None
    ) -> int:
        if len(self.nodes) == MAX_NODES:
            raise ValueError(
                f"it needs more than {MAX_NODES} states with its repeats written out, use smaller repeats"
            )
        self.nodes.append(Node(list(onward), condition, position))
        return len(self.nodes) - 1

    def sequence(self, items: Any, after: int, flags: int) -> int:
        """Make the nodes of things that follow one another; `after` is the node behind, the first is returned."""
        for op, argument in reversed(list(items)):
            after = self.item(op.name, argument, after, flags)
        return after

    def item(self, name: str, argument: Any, after: int, flags: int) -> int:
        ignores_case = bool(flags & re.IGNORECASE)
        match name:
            case "LITERAL" | "NOT_LITERAL":
                code = ((argument, argument),)
                characters = Characters(code, (), name == "NOT_LITERAL", ignores_case)
                return self.consume(characters, after)
            case "IN":
                return self.consume(_characters(argument, ignores_case=ignores_case), after)
            case "ANY":
                return self.consume(_ANYTHING if flags & re.DOTALL else _NO_NEWLINE, after)
            case "AT":
                return self.node((after,), argument.name)
            case "BRANCH":
                return self.node([self.sequence(items, after, flags) for items in argument[1]])
            case "SUBPATTERN":
                _, added, removed, items = argument
                self.check_flags(added)
                return self.sequence(items, after, (flags | added) & ~removed)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, items = argument
                return self.repeat(least, most, items, after, flags)
        raise ValueError(
            f"it has {_REFUSED.get(name, name.lower())}, which no matcher bounds in time; "
            "write it without, or look at the value in a stage"
        )

    def consume(self, characters: Characters, after: int) -> int:
        self.positions.append((characters, after))
        return self.node(position=len(self.positions) - 1)

    def repeat(self, least: int, most: int, items: Any, after: int, flags: int) -> int:
        """Write a repeat out: `x{2,4}` as `xx(x(x)?)?`, `x{2,}` as `xx+`."""
        if most == _parser.MAXREPEAT:
            first = self.node((after,))
            inner = self.sequence(items, first, flags)
            self.nodes[first].onward.append(inner)
            if least:
                first, least = inner, least - 1
        else:
            first = after
            for _ in range(most - least):
                inner = self.sequence(items, first, flags)
                if inner == first:  # nothing is repeated
                    break
                first = self.node((inner, after))
        for _ in range(least):
            inner = self.sequence(items, first, flags)
            if inner == first:
                break
            first = inner
        return first


def _characters(items: Iterable[tuple[Any, Any]], *, ignores_case: bool) -> Characters:
    """Make the set that a class in brackets is."""
    ranges: list[tuple[int, int]] = []
    categories: list[str] = []
    negated = False
    for op, argument in items:
        match op.name:
            case "NEGATE":
                negated = True
            case "LITERAL":
                ranges.append((argument, argument))
            case "RANGE":
                ranges.append(argument)
            case "CATEGORY":
                categories.append(argument.name)
            case _:
                raise ValueError(f"it has {op.name.lower()} in brackets, which is not supported")
    return Characters(tuple(ranges), tuple(categories), negated, ignores_case)
