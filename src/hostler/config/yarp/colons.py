"""Keys with colons, as .NET reads them: `"a:b": 1` is `"a": {"b": 1}`."""

from __future__ import annotations

from typing import Any

from hostler.errors import Problem

__all__ = ["unfold"]


def unfold(value: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return an object without colons in its keys, and a problem for each thing that it says twice."""
    if not any(":" in key for key in value):
        return value, []
    made = _Members()
    problems: list[Problem] = []
    for key, item in value.items():
        _insert(made, key.split(":"), item, key, problems)
    return made, problems


class _Members(dict[str, Any]):
    """The members of an object, found in any case."""

    def __init__(self, members: dict[str, Any] | None = None) -> None:
        super().__init__(members or {})
        self._spelling = {key.lower(): key for key in self}

    def spelling(self, key: str) -> str:
        """Return a key as it is spelled already, else as it is."""
        return self._spelling.setdefault(key.lower(), key)


def _insert(into: _Members, steps: list[str], item: Any, path: str, problems: list[Problem]) -> None:
    for step in steps[:-1]:
        key = into.spelling(step)
        held = into.get(key)
        if held is not None and not isinstance(held, dict):
            problems.append(Problem(path, f"{key} has a value of its own already; keep one of the two"))
            return
        if not isinstance(held, _Members):
            into[key] = held = _Members(held)
        into = held
    key = into.spelling(steps[-1])
    held = into.get(key)
    if held is None:
        into[key] = item
    elif isinstance(held, dict) and isinstance(item, dict):
        for inner, part in item.items():
            _insert(into, [key, inner], part, f"{path}:{inner}", problems)
    elif item is not None:
        problems.append(Problem(path, "appears more than once (a colon is a level); keep one"))
