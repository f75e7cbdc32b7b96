r"""Path templates, as ASP.NET Core's routing writes them: `/orders/{id:int}/{**rest}`.

A template is parsed once and matched often. Its segments are literals (case-insensitive), parameters, or a mix of
both (`{name}.{extension?}`). What a parameter may be:

=================  ===========================================================================================
`{p}`              one segment that is not empty
`{p?}`             the same, or nothing (last in the template; inside a mixed segment only after a dot)
`{p=value}`        the same, or nothing, which counts as `value`
`{*p}` `{**p}`     the rest of the path with its slashes, or nothing (last; `**` keeps slashes when written out)
`{p:int:min(1)}`   with constraints; `regex(...)` may hold `:`, `/` and parentheses, and `{{` `}}` for braces
=================  ===========================================================================================

A request path may end in one slash more than its template.
"""

from __future__ import annotations

from functools import lru_cache
from weakref import WeakValueDictionary

from attrs import field, frozen

from hostler.routing.constraint import Test, constraint

__all__ = ["MixedSegment", "Parameter", "Segment", "Template", "TemplateError", "read_pattern"]


class TemplateError(ValueError):
    """Text that is not a path template; says why, and at which character."""


@frozen
class Parameter:
    """A named piece of a path."""

    name: str
    optional: bool = False
    default: str | None = None
    catch_all: bool = False
    """Takes the rest of the path, slashes included."""

    keeps_slashes: bool = False
    """Written `{**p}`: its slashes stay slashes when the value is written into another path (`{*p}`: `%2F`)."""

    constraints: tuple[str, ...] = ()
    """As written, in order: `int`, `min(1)`."""

    tests: tuple[Test, ...] = field(default=(), eq=False, repr=False)

    @property
    def may_be_absent(self) -> bool:
        """Whether a path without this segment can match."""
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, value: str) -> bool:
        """Tell whether every constraint holds."""
        for test in self.tests:  # noqa: SIM110 - all() with a generator costs three times as much here
            if not test(value):
                return False
        return True

    def bind_absent(self, values: dict[str, str]) -> bool:
        """Add the value that stands for an absent segment, if there is one; False when it may not be absent."""
        if self.default is not None:
            values[self.name] = self.default
            return self.accepts(self.default)
        if self.catch_all:
            # As in ASP.NET, a constraint fails on what is not there, and only `nonfile` is content with nothing.
            values[self.name] = ""
            return all(item.lower() == "nonfile" for item in self.constraints)
        return self.optional


@frozen
class MixedSegment:
    """A segment of literals and parameters: `{name}.{extension?}`, `v{major}.{minor}`.

    Literals are searched from the right, so that the leftmost parameter takes what is ambiguous.
    """

    parts: tuple[str | Parameter, ...]

    def bind(self, segment: str, values: dict[str, str]) -> bool:
        """Add the segment's values to `values`; False when the segment does not fit."""
        folded = _fold(segment)
        last = self.parts[-1]
        if isinstance(last, str) or not last.optional:
            return self._bind(self.parts, segment, folded, values)
        if self._bind(self.parts, segment, folded, values):
            return True
        return not segment.endswith(".") and self._bind(self.parts[:-2], segment, folded, values)

    @staticmethod
    def _bind(parts: tuple[str | Parameter, ...], segment: str, folded: str, values: dict[str, str]) -> bool:
        start, end = 0, len(segment)
        first, last = parts[0], parts[-1]
        if isinstance(first, str):
            if not folded.startswith(first):
                return False
            start = len(first)
            parts = parts[1:]
        if isinstance(last, str) and parts:
            end -= len(last)
            if end < start or not folded.endswith(last):
                return False
            parts = parts[:-1]
        found: dict[str, str] = {}
        for index in range(len(parts) - 1, -1, -1):
            part = parts[index]
            if isinstance(part, str):
                continue
            left = parts[index - 1] if index else ""
            # rfind's end leaves one character for this parameter at least.
            at = folded.rfind(left, start, end - 1) if isinstance(left, str) and left else start
            begin = at + len(left) if isinstance(left, str) and left else start
            if at < 0 or begin >= end or not part.accepts(segment[begin:end]):
                return False
            found[part.name] = segment[begin:end]
            end = at
        values.update(found)
        return True


Segment = str | Parameter | MixedSegment
"""A literal (lower-cased), a parameter, or both."""


def _fold(text: str) -> str:
    """Lower-case without changing the number of characters."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _digit(segment: Segment) -> int:
    """Give a segment's place in ASP.NET's inbound precedence (RoutePrecedence.ComputeInbound)."""
    if isinstance(segment, str):
        return 1
    if isinstance(segment, MixedSegment):
        return 2
    return (5 if segment.catch_all else 3) - bool(segment.tests)


@frozen
class Template:
    """A parsed path template; make one with `Template.parse`."""

    text: str
    segments: tuple[Segment, ...] = field(eq=False)
    precedence: tuple[int, ...] = field(init=False, eq=False)
    """One digit a segment, to compare templates by: the smaller one is the more specific."""

    required: int = field(init=False, eq=False)
    """How many segments a path must have at least."""

    catch_all: bool = field(init=False, eq=False)
    _captures: tuple[tuple[int, Parameter | MixedSegment], ...] = field(init=False, eq=False, repr=False)

    @precedence.default
    def _precedence(self) -> tuple[int, ...]:
        return tuple(map(_digit, self.segments))

    @required.default
    def _required(self) -> int:
        count = len(self.segments)
        while count and isinstance(last := self.segments[count - 1], Parameter) and last.may_be_absent:
            count -= 1
        return count

    @catch_all.default
    def _catch_all(self) -> bool:
        return bool(self.segments) and isinstance(last := self.segments[-1], Parameter) and last.catch_all

    @_captures.default
    def _captured(self) -> tuple[tuple[int, Parameter | MixedSegment], ...]:
        return tuple(
            (index, item) for index, item in enumerate(self.segments, 1) if not isinstance(item, str)
        )

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse a template, unless one of that text is in use; raises TemplateError."""
        parsed = _in_use.get(text)
        if parsed is None:
            parsed = _in_use[text] = cls(text, _Parser(text).segments())
        return parsed

    @property
    def has_parameters(self) -> bool:
        """Whether `bind` has anything to do."""
        return bool(self._captures)

    @property
    def always_binds(self) -> bool:
        """Whether `bind` takes every path whose length and literals fit: there is no constraint, no mixed segment."""
        return not any(isinstance(item, MixedSegment) or item.constraints for _, item in self._captures)

    def match(self, path: str) -> dict[str, str] | None:
        """Match a decoded path and give its values, or None."""
        pieces = (path or "/").split("/")
        end = len(pieces) - (not pieces[-1])
        count = end - 1
        if pieces[0] or count < self.required or (count > len(self.segments) and not self.catch_all):
            return None
        for segment, piece in zip(self.segments, pieces[1:], strict=False):
            if isinstance(segment, str) and segment != piece.lower():
                return None
        return self.bind(pieces, end)

    def bind(self, pieces: list[str], end: int) -> dict[str, str] | None:
        """Take the values out of a path whose length and literals fit already.

        `pieces` is the path split at its slashes; its segments are `pieces[1:end]`, a trailing slash left out.
        """
        values: dict[str, str] = {}
        for index, segment in self._captures:
            if isinstance(segment, MixedSegment):
                if not segment.bind(pieces[index], values):
                    return None
            elif index >= end:
                if not segment.bind_absent(values):
                    return None
            else:
                value = "/".join(pieces[index:]) if segment.catch_all else pieces[index]
                if not (value and segment.accepts(value)):
                    return None
                values[segment.name] = value
        return values


_in_use: WeakValueDictionary[str, Template] = WeakValueDictionary()
"""The templates that somebody holds: those of the table in force, which the next configuration mostly has too."""


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
        return MixedSegment(tuple(_fold(part) if isinstance(part, str) else part for part in parts))

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
    name, parenthesis, arguments = written.partition("(")
    return constraint(name, arguments.removesuffix(")") if parenthesis else None)
