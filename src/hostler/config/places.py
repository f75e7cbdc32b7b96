"""Where the values of a configuration stand: in which line of which file, in which variable."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hostler.errors import Problem

__all__ = ["Origin", "Place", "find_place", "locate", "places_in", "read_json_places"]

_TOKEN = re.compile(
    r'//[^\n\r]*+|/\*.*?\*/|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s{}\[\]:,"/]++', re.DOTALL
)
_BOUNDARY = re.compile(r"[.\[]|$")
_SECTION: Final = "reverseproxy."


@define(eq=False)
class Place:
    """A value, a member of an object or a list, and where it stands."""

    line: int | None = None
    """Where it begins; None where lines are not known."""

    source: str | None = None
    """The variable that says it; None for what a file says."""

    members: dict[str, Place] = field(factory=dict)
    """By key, as it is in a path: lower case, dots for colons; "[0]" for the first of a list."""

    is_list: bool = False


@frozen(eq=False)
class Origin:
    """A file, the environment variables, or whatever else says a part of a configuration."""

    name: str

    read_places: Callable[[], Place]
    """Finds out where its values stand, which takes longer than reading them."""


def locate(problems: Iterable[Problem], origins: Sequence[Origin]) -> list[Problem]:
    """Return the problems with their sources and lines, in the order of these.

    What is missing has the line of the object that it is missing in.
    """
    found = list(problems)
    order = {origin.name: number for number, origin in enumerate(origins)}
    only = next(iter(order)) if len(order) == 1 else None
    if any(problem.path and problem.line is None for problem in found):
        places = {origin.name: origin.read_places() for origin in origins}
        found = [_located(problem, places) for problem in found]
    found = [evolve(problem, source=only) if problem.source is None else problem for problem in found]
    return sorted(found, key=lambda problem: (_rank(problem.source, order), problem.line or 0))


def _rank(source: str | None, order: dict[str, int]) -> int:
    """Return which place a source has: what concerns none of them is first, variables are last."""
    return -1 if source is None else order.get(source, len(order))


def _located(problem: Problem, places: dict[str, Place]) -> Problem:
    if problem.line is not None:
        return problem
    among = {name: root for name, root in places.items() if problem.source in {None, name}}
    found = find_place(problem.path, among)
    return problem if found is None else evolve(problem, source=found[0], line=found[1])


def find_place(path: str, places: dict[str, Place]) -> tuple[str, int | None] | None:
    """Find the source and the line of a path, or of the longest beginning of it that there is.

    A value stands where it is said last, an object where it is first.
    """
    known = path.lower().replace(":", ".")
    best: tuple[int, str, Place] | None = None
    for name, root in places.items():
        depth, place = _deepest(root, known)
        if place is None or (best is not None and depth < best[0]):
            continue
        if best is None or depth > best[0] or not place.members:
            best = depth, name, place
    return None if best is None else (best[2].source or best[1], best[2].line)


def _deepest(root: Place, known: str) -> tuple[int, Place | None]:
    """Find the longest beginning of a path that there is, in the `ReverseProxy` section or beside it."""
    within, place = _walk(root, _SECTION + known)
    beside, other = _walk(root, known)
    within -= len(_SECTION)
    return (within, place) if within > 0 and within >= beside else (beside, other)


def _walk(root: Place, path: str) -> tuple[int, Place | None]:
    """Return how much of a path there is, and the place of the last of it; keys may have dots in them."""
    reached: int = 0
    place: Place | None = None
    waiting = [(root, 0)]
    while waiting:
        parent, begin = waiting.pop()
        if begin > reached:
            reached, place = begin, parent
        for boundary in _BOUNDARY.finditer(path, begin + 1) if begin < len(path) else ():
            end = boundary.start()
            key = path[begin:end]
            member = parent.members.get(key) or parent.members.get(key.strip("[]"))
            if member is not None:
                waiting.append((member, end + (boundary[0] == ".")))
    return reached, place


def places_in(value: object) -> Place:
    """Return the places of what a parsed document says, without lines."""
    if isinstance(value, dict):
        return Place(members={key.lower().replace(":", "."): places_in(item) for key, item in value.items()})
    if isinstance(value, list):
        return Place(
            members={f"[{index}]": places_in(item) for index, item in enumerate(value)}, is_list=True
        )
    return Place()


def read_json_places(text: str) -> Place:
    """Read where the members of a document are that is JSON already."""
    root = Place(1)
    parents: list[Place] = []
    current, key = root, ""
    line, at = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", at, token.start())
        at = token.start()
        word = token[0]
        if word.startswith(("//", "/*")) or word == ",":
            continue
        if word in "}]":
            current = parents.pop() if parents else root
        elif word == ":":
            key = f"{key}:"
        elif parents and not current.is_list and not key.endswith(":"):
            key = json.loads(word).lower().replace(":", ".")
            current.members.setdefault(key, Place(line))
        else:
            name = f"[{len(current.members)}]" if current.is_list else key[:-1]
            made = current.members.setdefault(name, Place(line)) if parents else root
            if word in "{[":
                made.is_list = word == "["
                parents.append(current)
                current = made
            key = ""
    return root
