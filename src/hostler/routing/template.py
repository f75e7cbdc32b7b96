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

A request path may end in one slash more than its template. Constraints compare as .NET's invariant culture does,
with two limits: `datetime` knows ISO 8601 and `MM-dd-yyyy` with an optional time, and `regex` is Python's dialect.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NoReturn

from attrs import field, frozen

__all__ = ["MixedSegment", "Parameter", "Segment", "Template", "TemplateError"]

Test = Callable[[str], bool]

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)
_BLANK = " \t\n\v\f\r"
_DECIMAL_LIMIT = 2**96
_DATE_FORMATS = ("%m-%d-%Y", "%m-%d-%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y %I:%M:%S %p", "%m-%d-%Y %I:%M %p")
_GUID_SHAPE = (8, 4, 4, 4, 12)
_HEX = frozenset("0123456789abcdefABCDEF")


class TemplateError(ValueError):
    """Text that is not a path template; says why, and at which character."""


def _integer(value: str, limits: range = _LONG) -> int | None:
    """Read an integer as .NET's `NumberStyles.Integer` does; None when it is none, or out of its limits."""
    value = value.strip(_BLANK)
    digits = value[1:] if value[:1] in ("+", "-") else value
    if not (digits.isascii() and digits.isdigit()):
        return None
    digits = digits.lstrip("0") or "0"
    if len(digits) > 19:
        return None
    number = -int(digits) if value[0] == "-" else int(digits)
    return number if number in limits else None


def _is_int(value: str) -> bool:
    return _integer(value, _INT) is not None


def _is_long(value: str) -> bool:
    return _integer(value) is not None


def _is_bool(value: str) -> bool:
    return value.strip(_BLANK).lower() in ("true", "false")


def _is_decimal(value: str) -> bool:
    value = value.strip(_BLANK).replace(",", "")
    value = value[1:] if value[:1] in ("+", "-") else value.rstrip("+-")
    whole, _, fraction = value.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()):
        return False
    whole = whole.lstrip("0")
    return len(whole) < 30 and int(whole or "0") < _DECIMAL_LIMIT


def _is_float(value: str) -> bool:
    value = value.strip(_BLANK)
    if value.lower() in ("nan", "-nan", "+nan", "infinity", "+infinity", "-infinity"):
        return True
    if not frozenset("0123456789+-.,eE").issuperset(value):
        return False
    try:
        float(value.replace(",", ""))
    except ValueError:
        return False
    return True


def _is_datetime(value: str) -> bool:
    value = value.strip(_BLANK)
    if "-" not in value:
        return False
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return any(_is_date_in(value, form) for form in _DATE_FORMATS)
    return True


def _is_date_in(value: str, form: str) -> bool:
    try:
        datetime.datetime.strptime(value, form)  # noqa: DTZ007 - only its shape is asked for
    except ValueError:
        return False
    return True


def _is_guid(value: str) -> bool:
    value = value.strip(_BLANK)
    if value[:1] + value[-1:] in ("{}", "()"):
        groups = value[1:-1].split("-")
        return tuple(map(len, groups)) == _GUID_SHAPE and _HEX.issuperset("".join(groups))
    groups = value.split("-")
    return tuple(map(len, groups)) in (_GUID_SHAPE, (32,)) and _HEX.issuperset("".join(groups))


def _is_alpha(value: str) -> bool:
    return value.isascii() and value.isalpha()


def _is_file(value: str) -> bool:
    """Tell whether the last segment looks like a file name: something other than dots follows a dot."""
    _, dot, rest = value[value.rfind("/") + 1 :].partition(".")
    return bool(dot and rest.strip("."))


def _length(low: int, high: int | None = None) -> Test:
    high = low if high is None else high
    return lambda value: low <= len(value) <= high


def _range(low: int, high: int) -> Test:
    def within(value: str) -> bool:
        number = _integer(value)
        return number is not None and low <= number <= high

    return within


_PLAIN: Mapping[str, Test] = {
    "alpha": _is_alpha,
    "bool": _is_bool,
    "datetime": _is_datetime,
    "decimal": _is_decimal,
    "double": _is_float,
    "file": _is_file,
    "float": _is_float,
    "guid": _is_guid,
    "int": _is_int,
    "long": _is_long,
    "nonfile": lambda value: not _is_file(value),
    "required": bool,
}
_COUNTED: Mapping[str, tuple[tuple[int, ...], Callable[..., Test]]] = {
    "length": ((1, 2), _length),
    "max": ((1,), lambda high: _range(_LONG[0], high)),
    "maxlength": ((1,), lambda high: _length(0, high)),
    "min": ((1,), lambda low: _range(low, _LONG[-1])),
    "minlength": ((1,), lambda low: _length(low, _LONG[-1])),
    "range": ((2,), _range),
}


def _constraint(name: str, arguments: str | None) -> Test:
    """Make the test that `name(arguments)` stands for; a ValueError says what is wrong with it."""
    known = name.lower()
    if known == "regex" and arguments is not None:
        try:
            return _matching(re.compile(arguments, re.IGNORECASE))
        except re.error as error:
            raise ValueError(f"bad regular expression, {error}") from None
    if known in _PLAIN and arguments is None:
        return _PLAIN[known]
    if known in _COUNTED and arguments is not None:
        counts, make = _COUNTED[known]
        numbers = [number for item in arguments.split(",") if (number := _integer(item)) is not None]
        if len(numbers) == arguments.count(",") + 1 and len(numbers) in counts:
            return make(*numbers)
    names = ("regex", *_PLAIN, *_COUNTED)
    if known in names:
        written = name if arguments is None else f"{name}({arguments})"
        raise ValueError(f"constraint {written!r} has the wrong arguments")
    close = difflib.get_close_matches(known, names, 1)
    raise ValueError(f"unknown constraint {name!r}" + (f", did you mean {close[0]!r}?" if close else ""))


def _matching(pattern: re.Pattern[str]) -> Test:
    return lambda value: pattern.search(value) is not None


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
        return all(test(value) for test in self.tests) if self.tests else True

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
        return tuple((index, item) for index, item in enumerate(self.segments, 1) if not isinstance(item, str))

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse a template; raises TemplateError."""
        return cls(text, _Parser(text).segments())

    @property
    def has_parameters(self) -> bool:
        """Whether `bind` has anything to do."""
        return bool(self._captures)

    def match(self, path: str) -> dict[str, str] | None:
        """Match a decoded path and give its values, or None."""
        pieces = path.split("/")
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


class _Parser:
    """Reads one template from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()

    def fail(self, reason: str, at: int) -> NoReturn:
        raise TemplateError(f'"{self.text}" is not a path template ({reason} at {at})')
