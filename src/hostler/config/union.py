"""What several sources say, as one configuration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from attrs import fields, frozen

from hostler.config.definitions import Definitions
from hostler.config.model import SERVER_SECTIONS, Cluster, Config, Route
from hostler.config.places import Origin, Place, find_place
from hostler.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hostler.config.source import Loaded
    from hostler.steps import Steps

__all__ = ["Draft", "unite"]

T = TypeVar("T", Route, Cluster)


@frozen(eq=False)
class Draft:
    """A configuration that nobody has checked yet."""

    config: Config
    problems: tuple[Problem, ...] = ()
    """What could not be read, or put together."""

    origins: tuple[Origin, ...] = ()
    """Of all sources, in their order."""

    @property
    def names(self) -> str:
        """What the layers are called, for messages."""
        return ", ".join(origin.name for origin in self.origins)


Said: TypeAlias = "Sequence[tuple[str, Loaded]]"
"""What sources say, by their names."""


def unite(said: Said) -> Steps[Draft]:
    """Put together what sources say; of two things with one id, in any case, the first is kept, the other a problem."""
    problems = [problem for _, loaded in said for problem in loaded.problems]
    groups = [(loaded, loaded.origins or _origins_of(name, loaded.config)) for name, loaded in said]
    problems += _left(loaded for _, loaded in said)
    yield
    routes = [(origins, loaded.config.routes) for loaded, origins in groups]
    clusters = [(origins, loaded.config.clusters) for loaded, origins in groups]
    config = Config(
        _unique("Routes", routes, problems),
        _unique("Clusters", clusters, problems),
        dict.fromkeys(url for loaded, _ in groups for url in loaded.config.urls),
        _definitions([(origins, loaded.config.definitions) for loaded, origins in groups], problems),
        **{
            name: _only(
                label, [(origins, getattr(loaded.config, name)) for loaded, origins in groups], problems
            )
            for name, label in SERVER_SECTIONS.items()
        },
    )
    return Draft(config, tuple(problems), tuple(origin for _, origins in groups for origin in origins))


def _unique(
    kind: str, groups: Iterable[tuple[Sequence[Origin], Iterable[T]]], problems: list[Problem]
) -> list[T]:
    """Return what has an id of its own among several sources; ids that one source has twice are not looked for."""
    made: list[T] = []
    known: dict[str, Sequence[Origin]] = {}
    for origins, members in groups:
        here: dict[str, Sequence[Origin]] = {}
        for member in members:
            key = member.id.lower()
            if key in known:
                problems.append(_duplicate(f"{kind}.{member.id}", member.id, known[key], origins))
            else:
                here[key] = origins
                made.append(member)
        known |= here
    return made


def _definitions(
    groups: Iterable[tuple[Sequence[Origin], Definitions]], problems: list[Problem]
) -> Definitions:
    """Return what is defined under a name of its own among several sources."""
    made: dict[str, dict[str, Any]] = {kind.name: {} for kind in fields(Definitions)}
    known: dict[tuple[str, str], Sequence[Origin]] = {}
    for origins, definitions in groups:
        here: dict[tuple[str, str], Sequence[Origin]] = {}
        for kind, members in made.items():
            for name, definition in getattr(definitions, kind).items():
                key = kind, name.lower()
                if key in known:
                    label = kind.title().replace("_", "")
                    problems.append(_duplicate(f"Policies.{label}.{name}", name, known[key], origins))
                else:
                    here[key] = origins
                    members[name] = definition
        known |= here
    return Definitions(**made)


def _only(name: str, groups: Iterable[tuple[Sequence[Origin], object]], problems: list[Problem]) -> Any:
    """Return the one section of its kind; a second one is a problem."""
    given = [(origins, section) for origins, section in groups if section is not None]
    for origins, _ in given[1:]:
        (source, line), (other, _) = (_place(name, where) for where in (origins, given[0][0]))
        message = f"{other} has this section too; keep one, for the server is one"
        problems.append(Problem(name, message, source=source, line=line))
    return given[0][1] if given else None


def _duplicate(path: str, name: str, first: Sequence[Origin], second: Sequence[Origin]) -> Problem:
    (source, line), (other, other_line) = (_place(path, origins) for origins in (second, first))
    place = other if other_line is None else f"{other}, line {other_line},"
    message = f'duplicate id "{name}": {place} has it too (ids are case-insensitive); choose another'
    return Problem(path, message, source=source, line=line)


def _place(path: str, origins: Sequence[Origin]) -> tuple[str, int | None]:
    found = find_place(path, {origin.name: origin.read_places() for origin in origins})
    return found or (origins[0].name, None)


def _left(said: Iterable[Loaded]) -> list[Problem]:
    """Find the variables that no document has taken."""
    left = [loaded.left for loaded in said if loaded.left is not None]
    if not left:
        return []
    message = "is not read: none of the documents has what it names; with several documents a variable changes what is there"
    return [
        Problem("", message, Severity.WARNING, source=name)
        for name in left[0]
        if all(name in others for others in left)
    ]


def _origins_of(name: str, config: Config) -> tuple[Origin, ...]:
    return (Origin(name, partial(_places_of, config)),)


def _places_of(config: Config) -> Place:
    """Return the places of what the program says itself, which has ids and no lines."""
    ids = {
        "routes": [route.id for route in config.routes],
        "clusters": [cluster.id for cluster in config.clusters],
    }
    return Place(
        members={
            kind: Place(members={name.lower().replace(":", "."): Place() for name in names})
            for kind, names in ids.items()
        }
    )
