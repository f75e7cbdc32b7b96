"""Documents in TOML, with the same keys; times may be written without quotes."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Any, Final

from hostler.config.places import Place, places_in
from hostler.errors import ConfigError, Problem

__all__ = ["read_toml", "read_toml_places"]

_PLACE: Final = re.compile(r" \(at line (?P<line>\d+), column (?P<column>\d+)\)$")


def read_toml(text: str) -> tuple[object, list[Problem]]:
    """Read TOML; returns the document, and a problem for each key that another is equal to but for case.

    Of such keys the first counts. Raises `ConfigError` for any other mistake, with its line.
    """
    problems: list[Problem] = []
    try:
        return _read(tomllib.loads(text), "", problems), problems
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        if found is None:
            raise ConfigError([Problem("", f"not TOML: {error}")]) from error
        why = f"column {found['column']}: not TOML: {str(error)[: found.start()]}"
        raise ConfigError([Problem("", why, line=int(found["line"]))]) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError([Problem("", f"the document is not TOML that can be read: {error}")]) from error


def read_toml_places(text: str) -> Place:
    """Return what there is in a document that `read_toml` has read; its parser does not tell in which lines."""
    return places_in(read_toml(text)[0])


def _read(value: Any, path: str, problems: list[Problem]) -> Any:
    """Return a value as JSON has it: times are text, and no two keys are equal but for case."""
    if isinstance(value, dict):
        return _read_object(value, path, problems)
    if isinstance(value, list):
        return [_read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value


def _read_object(value: dict[str, Any], path: str, problems: list[Problem]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    seen: set[str] = set()
    for key, item in value.items():
        where = f"{path}.{key}".removeprefix(".").removeprefix("ReverseProxy.")
        if key.lower() in seen:
            message = f'"{key}" appears more than once in one object (keys are case-insensitive); keep one'
            problems.append(Problem(where, message))
        else:
            seen.add(key.lower())
            made[key] = _read(item, where, problems)
    return made
