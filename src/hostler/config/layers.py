"""Layers of a configuration, merged as .NET does: key by key, in any case, and lists by index.

What a later layer says of a key prevails; what it does not mention stays. So it can change and add, and a null takes a
value away, but an empty object, an empty list, or a null takes nothing away from an object or a list. That is .NET's
`ConfigurationRoot`, where a section is the union of what its providers say, and where null is a value since .NET 10
(learn.microsoft.com/dotnet/core/compatibility/extensions/10.0/configuration-null-values-preserved).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import evolve, frozen

from hostler.config.yarp.colons import unfold
from hostler.config.yarp.scalars import shown
from hostler.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hostler.config.places import Origin

__all__ = ["Layer", "has_ids", "merge"]

Members: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]
"""The keys that lead to a value."""

_MAX_DEPTH: Final = 64


@frozen(eq=False)
class Layer:
    """What one file, or the environment variables, say."""

    origin: Origin
    value: object
    problems: tuple[Problem, ...] = ()
    """What could not be read, such as keys that appear more than once."""


def merge(layers: Sequence[Layer]) -> tuple[object, list[Problem]]:
    """Lay each layer over those before it; returns what they say together, and what is wrong with how they say it."""
    first, *others = layers
    problems = [evolve(problem, source=layer.origin.name) for layer in layers for problem in layer.problems]
    value = first.value
    for layer in others:
        if isinstance(value, dict) and isinstance(layer.value, dict):
            value = _Merging(layer.origin.name, problems).objects(value, layer.value, ())
        elif isinstance(value, dict):
            message = (
                f"{shown(layer.value)} is no layer over {first.origin.name}; expected an object, {{...}}"
            )
            problems.append(Problem("", message, source=layer.origin.name))
    return value, problems


@frozen
class _Merging:
    """One layer on its way over others."""

    name: str
    problems: list[Problem]

    def objects(self, below: Members, above: Members, path: Path) -> Members:
        """Lay an object over another; neither is changed."""
        made = dict(self._unfolded(below, path))
        spelling = {key.lower(): key for key in made}
        for key, item in self._unfolded(above, path).items():
            name = spelling.setdefault(key.lower(), key)
            made[name] = self._values(made[name], item, (*path, name)) if name in made else item
        return made

    def _values(self, below: object, above: object, path: Path) -> object:
        if not _is_full(below):
            return above
        if len(path) > _MAX_DEPTH:
            self._say(path[:3], f"nests deeper than {_MAX_DEPTH} levels, which nothing in a document does")
        elif isinstance(above, dict | list) and above:
            made = self.objects(_by_index(below), _by_index(above), path)
            return made if isinstance(below, dict) and isinstance(above, dict) else _listed(made)
        elif above is None or isinstance(above, dict | list):
            message = f"{shown(above)} takes nothing away from what the layers below say; change it there"
            self._say(path, message, Severity.WARNING)
        else:
            self._say(
                path,
                f"{shown(above)} is a value, and the layers below have members here; keep one of the two",
            )
        return below

    def _unfolded(self, value: Members, path: Path) -> Members:
        if has_ids(path):
            return value
        made, twice = unfold(value)
        for problem in twice:
            self._say((*path, problem.path), problem.message)
        return made

    def _say(self, path: Path, message: str, severity: Severity = Severity.ERROR) -> None:
        inner = path[1:] if path[0].lower() == "reverseproxy" and len(path) > 1 else path
        self.problems.append(Problem(".".join(inner), message, severity, source=self.name))


def _is_full(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _by_index(value: object) -> Members:
    if isinstance(value, dict):
        return value
    assert isinstance(value, list)
    return {str(index): item for index, item in enumerate(value)}


def _listed(members: Members) -> Members | list[Any]:
    """Return a list again where the indexes have no gaps."""
    names = [str(index) for index in range(len(members))]
    return [members[name] for name in names] if members.keys() == set(names) else members


def has_ids(path: Path) -> bool:
    """Tell whether the keys of an object are the user's own, in which a colon is nothing but a colon."""
    keys = [key.lower() for key in path]
    return (
        keys in (["reverseproxy", "routes"], ["reverseproxy", "clusters"])
        or keys[-1:] in (["destinations"], ["metadata"])
        or (len(keys) == 2 and keys[0] == "policies")
    )
