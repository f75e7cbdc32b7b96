r"""Inline constraints of path templates: `int`, `range(1,9)`, `regex(^v\d$)`, as ASP.NET Core names them.

They compare as .NET's invariant culture does, with two limits: `datetime` knows ISO 8601 and `MM-dd-yyyy` with an
optional time, and `regex` is Python's dialect (searched, not anchored, case-insensitive; see `expression`).
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping

from hostler.routing.expression import Expression

__all__ = ["Test", "constraint"]

Test = Callable[[str], bool]
"""Tells whether a parameter's value satisfies a constraint."""

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)
_BLANK = " \t\n\v\f\r"
_DECIMAL_LIMIT = 2**96
_DATE_FORMATS = (
    "%m-%d-%Y",
    "%m-%d-%Y %H:%M",
    "%m-%d-%Y %H:%M:%S",
    "%m-%d-%Y %I:%M:%S %p",
    "%m-%d-%Y %I:%M %p",
)
_GUID_SHAPE = (8, 4, 4, 4, 12)
_HEX = frozenset("0123456789abcdefABCDEF")


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
    if len(value) < 10 and value.isascii() and value.isdigit():
        return True
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
        dt.datetime.fromisoformat(value)
    except ValueError:
        return any(_is_date_in(value, form) for form in _DATE_FORMATS)
    return True


def _is_date_in(value: str, form: str) -> bool:
    try:
        dt.datetime.strptime(value, form)  # noqa: DTZ007 - only its shape is asked for
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


def constraint(name: str, arguments: str | None) -> Test:
    """Make the test that `name(arguments)` stands for; a ValueError says what is wrong with it."""
    known = name.lower()
    if known == "regex" and arguments is not None:
        try:
            return Expression(arguments).search
        except ValueError as error:
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
    close = sorted(difflib.get_close_matches(known, names), key=lambda other: other[0] != known[0])
    raise ValueError(f"unknown constraint {name!r}" + (f", did you mean {close[0]!r}?" if close else ""))
