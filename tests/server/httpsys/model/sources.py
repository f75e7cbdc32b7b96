"""Where the model's behaviours come from: comments in its modules that say so, read and counted.

    # source: HttpInitialize: HttpIsFeatureSupported needs HTTP_INITIALIZE_CONFIG
    # guess: no page says what a second controller gets; the strictest reading

Every behaviour that a person could doubt has one. A source is named so that it can be found again: a function or
structure whose page of Microsoft's says it, an issue (`aspnetcore#36677`), a file (`wine: http.sys/http.c`), an RFC's
section, or a page by its title in quotation marks. A guess has its reason. What follows on comment lines of their own
belongs to it. `python -m tests.server.httpsys.model.sources` prints them all.
"""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

from attrs import frozen

__all__ = ["Behaviour", "behaviours", "calls", "summary"]

_MODEL = Path(__file__).parent
_MARK = re.compile(r"#\s*(source|guess)\s*:\s*(.*)", re.IGNORECASE)
_SOURCE = re.compile(
    r"""
    \bHTTP(?:API)?_[A-Z0-9_]+ | \b[A-Z][a-z0-9]+[A-Z]\w+    # a constant or structure; a function
    | \b[\w.-]+\#\d+ | \bKB\ ?\d+                           # an issue, an article
    | \bwine:\ \S+\.[ch]\b | \bASP\.NET's\ \w+              # a file, a class
    | \bRFC\ \d+ | "[^"]+" | \bmeasured\b                   # a section, a page; what a test beside it has measured
    """,
    re.VERBOSE,
)
_LEAST_REASON = 20


@frozen
class Behaviour:
    """What the model does, and why it is believed to be so."""

    file: str
    line: int
    cited: bool
    """By a source; else it is a guess."""
    why: str

    @property
    def wrong(self) -> str | None:
        """What is wrong with the comment, None for nothing."""
        if self.cited and not _SOURCE.search(self.why):
            return "a source is a function's or structure's page, an issue, a file, an RFC, or a page by its title"
        if not self.cited and len(self.why) < _LEAST_REASON:
            return "a guess says why it is made"
        return None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'source' if self.cited else 'guess'}: {self.why}"


def _behaviours_of(path: Path) -> list[Behaviour]:
    found: list[Behaviour] = []
    last = 0
    with path.open("rb") as file:
        comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    for token in comments:
        line, own = token.start[0], token.line.lstrip().startswith("#")
        if mark := _MARK.fullmatch(token.string):
            name = path.relative_to(_MODEL).as_posix()
            found.append(Behaviour(name, line, mark[1].lower() == "source", mark[2]))
        elif own and found and line == last + 1:
            before = found.pop()
            found.append(Behaviour(before.file, before.line, before.cited, before.why + token.string[1:]))
        else:
            continue
        last = line
    return found


def behaviours() -> list[Behaviour]:
    """Read the comments of the model, without those of its own tests and of its clients."""
    paths = [*_MODEL.glob("*.py"), *_MODEL.glob("calls/*.py")]
    return [found for path in sorted(paths) if path != Path(__file__) for found in _behaviours_of(path)]


def calls() -> dict[str, list[Behaviour]]:
    """Return the functions of Windows that the model has, each with what is said of it in its body."""
    known = behaviours()
    return {
        function.name: [
            found
            for found in known
            if found.file == path.relative_to(_MODEL).as_posix()
            and function.lineno <= found.line <= (function.end_lineno or function.lineno)
        ]
        for path in sorted(_MODEL.glob("calls/*.py"))
        for part in ast.parse(path.read_text("utf-8")).body
        if isinstance(part, ast.ClassDef)
        for function in part.body
        if isinstance(function, ast.FunctionDef) and function.name[0].isupper()
    }


def summary() -> str:
    """Say how many of the model's behaviours are cited, and how many are guesses."""
    known = behaviours()
    cited = sum(found.cited for found in known)
    return f"The model of HTTP.sys: {cited} behaviours cited, {len(known) - cited} guesses."


if __name__ == "__main__":
    for known in behaviours():
        print(known)  # noqa: T201 - it is a program
    print(summary())  # noqa: T201
