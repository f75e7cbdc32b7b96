"""JSON as .NET's configuration reads it: comments, trailing commas and a byte order mark are welcome."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_json"]

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_COMMENT = re.compile(rf"{_STRING}|(?P<line>//[^\n\r]*+)|(?P<block>/\*.*?\*/)|(?P<open>/\*)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|(?P<not_after_a_value>[\[{{,:]\s*+)?,(?=\s*+[\]}}])", re.DOTALL)


def read_json(text: str) -> tuple[object, list[Problem]]:
    """Read JSON that may have `//` and `/* */` comments, trailing commas and a byte order mark.

    Keys of one object must differ in more than case: of those that do not, the first counts, and the others are the
    problems that are returned. Raises `ConfigError` with the line and column of any other mistake.
    """
    text = text.removeprefix("\ufeff")
    try:
        return _read_plain(text)
    except json.JSONDecodeError:
        pass  # most documents are plain JSON; it takes three times as long to look for what .NET allows beside it
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem("", f"the document is not JSON that can be read: {error}")]) from error
    plain = _plain_json(text)
    try:
        return _read_plain(plain)
    except json.JSONDecodeError as error:
        raise _not_json(plain, error.pos, error.msg) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem("", f"the document is not JSON that can be read: {error}")]) from error


def _read_plain(text: str) -> tuple[object, list[Problem]]:
    repeated: list[tuple[dict[str, object], str]] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made: dict[str, object] = {}
        seen: set[str] = set()
        for key, value in pairs:
            if key.lower() in seen:
                repeated.append((made, key))
            else:
                seen.add(key.lower())
                made[key] = value
        return made

    document = json.loads(text, object_pairs_hook=members, parse_constant=_refuse_constant)
    return document, list(_repeated_keys(document, repeated)) if repeated else []


def _plain_json(text: str) -> str:
    """Blank comments and trailing commas, each with as many characters, so that positions stay true."""

    def blank_comment(found: re.Match[str]) -> str:
        if found["open"]:
            raise _not_json(text, found.start(), "a comment begins here and never ends; close it with */")
        if found["line"] or found["block"]:
            return re.sub(r"[^\n\r]", " ", found[0])
        return found[0]

    def blank_comma(found: re.Match[str]) -> str:
        return " " if found[0] == "," else found[0]

    return _TRAILING_COMMA.sub(blank_comma, _COMMENT.sub(blank_comment, text))


def _not_json(text: str, position: int, why: str) -> ConfigError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return ConfigError([Problem("", f"column {column}: not JSON: {why}", line=line)])


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON; write a finite number")


def _repeated_keys(document: object, repeated: list[tuple[dict[str, object], str]]) -> Iterator[Problem]:
    places: dict[int, str] = {}
    rest = [("", document)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            places[id(value)] = path
            rest.extend((f"{path}.{key}", item) for key, item in value.items())
        elif isinstance(value, list):
            rest.extend((f"{path}[{index}]", item) for index, item in enumerate(value))
    for item, key in repeated:
        if id(item) in places:  # else it stands in a repeated member itself, which is reported
            path = f"{places[id(item)]}.{key}".removeprefix(".").removeprefix("ReverseProxy.")
            yield Problem(
                path, f'"{key}" appears more than once in one object (keys are case-insensitive); keep one'
            )
