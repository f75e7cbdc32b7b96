"""Numbers, times and words as .NET's binder reads them: booleans and numbers also in quotes, times as TimeSpans."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hostler.errors import redact

if TYPE_CHECKING:
    import enum

__all__ = [
    "read_boolean",
    "read_choice",
    "read_integer",
    "read_text",
    "read_time",
    "read_version",
    "shown",
    "write_time",
]

_TIME = re.compile(
    r"\s*(?P<sign>-)?(?:(?P<only_days>\d{1,8})|"
    r"(?:(?P<days>\d{1,8})(?:\.|:(?=\d+:\d+:\d)))?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?)\s*",
    re.ASCII,
)
_TICKS = 10_000_000
_VERSIONS = {"": "2", "1": "1.0", "1.0": "1.0", "1.1": "1.1", "2": "2", "2.0": "2", "3": "3", "3.0": "3"}


def read_text(value: Any) -> str:
    """Read text; a number or a boolean is text too."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise ValueError(f'{shown(value)} is not text; write "..."')


def read_boolean(value: Any) -> bool:
    """Read true or false, in any case."""
    made = {"true": True, "false": False}.get(str(value).strip().lower())
    if made is None:
        raise ValueError(f"{shown(value)} is neither true nor false; write one of them")
    return made


def read_integer(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", str(value)):
        raise ValueError(f"{shown(value)} is not an integer; write it without a fraction or an exponent")
    return int(value)


def read_time(value: Any) -> float:
    """Read a TimeSpan: `[-][d.]hh:mm[:ss[.fffffff]]`, or whole days."""
    found = None if isinstance(value, bool | float) else _TIME.fullmatch(str(value))
    part = (
        {key: int(digits or 0) for key, digits in found.groupdict("0").items() if key != "sign"}
        if found
        else {}
    )
    if not found or part["hours"] > 23 or part["minutes"] > 59 or part["seconds"] > 59:
        message = 'is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on (a bare number is days)'
        raise ValueError(f"{shown(value)} {message}")
    minutes = ((part["days"] + part["only_days"]) * 24 + part["hours"]) * 60 + part["minutes"]
    ticks = (minutes * 60 + part["seconds"]) * _TICKS + int((found["fraction"] or "0").ljust(7, "0"))
    return (-ticks if found["sign"] else ticks) / _TICKS


def write_time(seconds: float) -> str:
    """Write seconds as a TimeSpan."""
    ticks = round(seconds * _TICKS)
    whole, fraction = divmod(abs(ticks), _TICKS)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction:07}" if fraction else "")
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + text


def read_choice(value: Any, kind: type[enum.Enum]) -> enum.Enum:
    """Read the name of one of an enumeration's members, in any case."""
    for member in kind:
        if str(member.value).lower() == str(value).strip().lower():
            return member
    raise ValueError(
        f"unknown value {shown(value)}; use one of {', '.join(str(member.value) for member in kind)}"
    )


def read_version(value: Any) -> str:
    """Read a version of HTTP; none, "", is YARP's default."""
    made = _VERSIONS.get(read_text(value).strip())
    if made is None:
        raise ValueError(f"{shown(value)} is not a version of HTTP; write one of 1.0, 1.1, 2, 3")
    return made


def shown(value: object) -> str:
    """Return a value of the document for a message, as JSON of at most 60 characters."""
    try:
        text = redact(json.dumps(value, ensure_ascii=False, default=str))
    except RecursionError:
        return "a value that nests too deeply to be shown"
    return text if len(text) <= 60 else text[:57] + "..."
