"""Reading the text of path templates."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hostler.routing.segments import MixedSegment, Parameter, Segment, fold

if TYPE_CHECKING:
    from hostler.routing.constraint import Test

__all__ = ["TemplateError", "read_pattern", "read_segments"]


class TemplateError(ValueError):
    """Text that is not a path template; says why, and at which character."""


def read_segments(text: str) -> tuple[Segment, ...]:
    """Return the segments of a template; raises TemplateError."""
    return _Parser(text).segments()


def read_pattern(text: str) -> tuple[tuple[str | Parameter, ...], ...]:
    """Return the parts of each segment of a template that a path is to be written by; raises TemplateError."""
    parser = _Parser(text)
    parser.segments()
    return tuple(parser.written)


class _Parser:
    """Reads one template from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.written: list[tuple[str | Parameter, ...]] = []
        """The parts of each segment, literals as they are written."""

    def wrong(self, reason: str, at: int) -> TemplateError:
        return TemplateError(f'"{self.text}" is not a path template ({reason} at {at})')

    def segments(self) -> tuple[Segment, ...]:
        text = self.text
        at = 1 if text.startswith("~/") else 0
        at += text.startswith("/", at)
        segments: list[Segment] = []
        while at < len(text):
            parts, end = self.segment(at)
            if not parts:
                raise self.wrong("empty segment", at)
            if (
                segments
                and isinstance(before := segments[-1], Parameter)
                and (before.catch_all or before.optional)
            ):
                self.check_order(before, parts, at)
            self.written.append(tuple(parts))
            segments.append(self.joined(parts, at))
            at = end + 1
        return tuple(segments)

    def check_order(self, before: Parameter, parts: list[str | Parameter], at: int) -> None:
        """After a catch-all nothing may follow, after an optional parameter only what may be absent too."""
        if before.catch_all:
            raise self.wrong(f"something follows the catch-all parameter {before.name!r}", at)
        if len(parts) > 1 or isinstance(parts[0], str) or not parts[0].may_be_absent:
            raise self.wrong(f"something required follows the optional parameter {before.name!r}", at)

    def joined(self, parts: list[str | Parameter], at: int) -> Segment:
        """Make one segment of its parts; `at` is where it begins."""
        if len(parts) == 1:
            return parts[0].lower() if isinstance(parts[0], str) else parts[0]
        for index, part in enumerate(parts):
            if isinstance(part, str):
                continue
            if part.catch_all:
                raise self.wrong(f"the catch-all parameter {part.name!r} shares its segment", at)
            if index and isinstance(parts[index - 1], Parameter):
                raise self.wrong(f"nothing stands between {part.name!r} and the parameter before it", at)
            if part.optional and (index != len(parts) - 1 or parts[index - 1] != "."):
                raise self.wrong(
                    f"the optional parameter {part.name!r} must be last and follow a single dot", at
                )
        return MixedSegment(tuple(fold(part) if isinstance(part, str) else part for part in parts))

    def segment(self, at: int) -> tuple[list[str | Parameter], int]:
        """Read the parts of the segment at `at`, and where it ends."""
        text = self.text
        parts: list[str | Parameter] = []
        literal = ""
        while at < len(text) and text[at] != "/":
            character = text[at]
            if character in "{}" and text.startswith(character * 2, at):
                literal += character
                at += 2
            elif character == "{":
                if literal:
                    parts.append(literal)
                    literal = ""
                end = self.closing_brace(at)
                parts.append(self.parameter(at, end))
                at = end + 1
            elif character in "}?":
                raise self.wrong(
                    "unopened brace" if character == "}" else "a question mark outside braces", at
                )
            else:
                literal += character
                at += 1
        if literal:
            parts.append(literal)
        return parts, at

    def closing_brace(self, opening: int) -> int:
        """Find the brace that closes the one at `opening`; doubled braces are text."""
        text = self.text
        at = opening + 1
        while at < len(text):
            if text[at] in "{}":
                if text.startswith(text[at] * 2, at):
                    at += 1
                elif text[at] == "}":
                    return at
                else:
                    raise self.wrong("brace inside a parameter, write {{ for one,", at)
            at += 1
        raise self.wrong("unclosed brace", opening)

    def parameter(self, opening: int, closing: int) -> Parameter:
        """Read what is between two braces."""
        written = self.text[opening + 1 : closing].replace("{{", "{").replace("}}", "}")
        try:
            parameter = _parameter(written)
        except ValueError as error:
            raise self.wrong(str(error), opening) from None
        if parameter.name.lower() in self.names:
            raise self.wrong(f"second parameter named {parameter.name!r}", opening)
        self.names.add(parameter.name.lower())
        return parameter


@lru_cache(1000)  # many templates have the same few parameters
def _parameter(written: str) -> Parameter:
    """Read `**name:constraint(arguments)=default` or `name?`; raises ValueError with the reason why not."""
    body = written.lstrip("*")
    stars = len(written) - len(body)
    optional = body.endswith("?")
    body = body.removesuffix("?")
    end = min(at for mark in ":=" if (at := (body + mark).find(mark)) >= 0)
    name, rest = body[:end], body[end:]
    if stars > 2:
        raise ValueError("more than two asterisks")
    if not name:
        raise ValueError("empty parameter name")
    if bad := next((character for character in name if character in "/{}?*"), None):
        raise ValueError(f"{bad!r} in a parameter name")
    constraints: list[str] = []
    while rest.startswith(":"):
        length = _constraint_length(rest[1:])
        constraints.append(rest[1 : length + 1])
        rest = rest[length + 1 :]
    default = rest[1:] if rest.startswith("=") else None
    if optional and (stars or default is not None):
        raise ValueError(
            "a catch-all parameter or one with a default is optional already, leave out its '?',"
        )
    tests = tuple(map(_test, constraints))
    return Parameter(name, optional, default, stars > 0, stars == 2, tuple(constraints), tests)


def _constraint_length(text: str) -> int:
    """Tell how long the constraint is that `text` begins with; parentheses nest, as in a regular expression."""
    depth = at = 0
    in_class = False
    while at < len(text) and (depth or text[at] not in ":="):
        character = text[at]
        if character == "\\" and depth:
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[" and depth:
            in_class = True
            at += text.startswith("^", at + 1)
            at += text.startswith("]", at + 1)
        elif character in "()":
            depth += 1 if character == "(" else -1
        at += 1
    if depth:
        raise ValueError("unbalanced parenthesis in a constraint")
    return at


def _test(written: str) -> Test:
    from hostler.routing.constraint import constraint  # noqa: PLC0415 - most templates have none

    name, parenthesis, arguments = written.partition("(")
    return constraint(name, arguments.removesuffix(")") if parenthesis else None)
