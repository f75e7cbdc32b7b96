"""Keys with colons, as .NET reads them: `"a:b": 1` is `"a": {"b": 1}`."""

from __future__ import annotations

from typing import Any

from hostler.errors import Problem

__all__ = ["unfold"]


def unfold(value: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return an object without colons in its keys, and a problem for each thing that it says twice."""
    if not any(":" in key for key in value):
        return value, []
    made: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, item in value.items():
        _insert(made, key.split(":"), item, key, problems)
    return made, problems


def _insert(into: dict[str, Any], steps: list[str], item: Any, path: str, problems: list[Problem]) -> None:
    for step in steps[:-1]:
        key = _known(into, step)
        held = into.get(key)
        if held is None:
            held = {}
        elif not isinstance(held, dict):
            problems.append(Problem(path, f"{key} has a value of its own already; keep one of the two"))
            return
        into[key] = held = dict(held)
        into = held
    key = _known(into, steps[-1])
    held = into.get(key)
    if held is None:
        into[key] = item
    elif isinstance(held, dict) and isinstance(item, dict):
        for inner, part in item.items():
            _insert(into, [key, inner], part, f"{path}:{inner}", problems)
    elif item is not None:
        problems.append(Problem(path, "appears more than once (a colon is a level); keep one"))


def _known(into: dict[str, Any], step: str) -> str:
    """Return a key as it is spelled already."""
    return next((key for key in into if key.lower() == step.lower()), step)
