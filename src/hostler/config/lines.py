"""In which line of a JSON document a problem is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from attrs import define, evolve, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.errors import Problem

__all__ = ["place"]

_TOKEN = re.compile(
    r'//[^\n\r]*+|/\*.*?\*/|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s{}\[\]:,"/]++', re.DOTALL
)
_BOUNDARY = re.compile(r"[.\[]|$")
_SECTION = "reverseproxy."


@define(eq=False)
class _Place:
    """A member of an object or a list, and where it begins."""

    line: int
    members: dict[str, _Place] = field(factory=dict)
    """By key, as it is in a path: lower case, dots for colons; "[0]" for the first of a list."""

    is_list: bool = False


def place(text: str, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with their lines in the document `text`, in the order of these.

    What is missing has the line of the object that it is missing in.
    """
    found = list(problems)
    if any(problem.path for problem in found):
        root = _read(text)
        found = [evolve(item, line=item.line or _line(root, item.path)) for item in found]
    return sorted(found, key=lambda problem: problem.line or 0)


def _line(root: _Place, path: str) -> int | None:
    """Find the line of the longest beginning of a path that there is, in the `ReverseProxy` section or beside it."""
    known = path.lower().replace(":", ".")
    within, line = _walk(root, _SECTION + known)
    beside, other = _walk(root, known)
    return line if within - len(_SECTION) > 0 and within - len(_SECTION) >= beside else other


def _walk(root: _Place, path: str) -> tuple[int, int | None]:
    """Return how much of a path there is, and in which line the last of it is; keys may have dots in them."""
    reached: int = 0
    line: int | None = None
    waiting = [(root, 0)]
    while waiting:
        parent, begin = waiting.pop()
        if begin > reached:
            reached, line = begin, parent.line
        for boundary in _BOUNDARY.finditer(path, begin + 1) if begin < len(path) else ():
            end = boundary.start()
            member = parent.members.get(path[begin:end])
            if member is not None:
                waiting.append((member, end + (boundary[0] == ".")))
    return reached, line


def _read(text: str) -> _Place:
    """Read where the members of a document are that is JSON already."""
    root = _Place(1)
    parents: list[_Place] = []
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
            current.members.setdefault(key, _Place(line))
        else:
            name = f"[{len(current.members)}]" if current.is_list else key[:-1]
            made = current.members.setdefault(name, _Place(line)) if parents else root
            if word in "{[":
                made.is_list = word == "["
                parents.append(current)
                current = made
            key = ""
    return root
