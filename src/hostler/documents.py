"""From what documents say to a configuration without problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hostler.checking import find_problems_in_steps
from hostler.config.checks.warnings import find_warnings
from hostler.config.places import locate
from hostler.config.union import unite
from hostler.errors import Problem, Severity
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Sized

    from hostler.checking import Check
    from hostler.config.kestrel import Kestrel
    from hostler.config.model import Config
    from hostler.config.source import FileSource
    from hostler.config.union import Draft
    from hostler.policies import Policies

__all__ = ["describe", "examine", "inspect"]

_BOUNDARY: Final = re.compile(r"[.\[]|$")


def examine(
    sources: Sequence[FileSource], policies: Policies | None = None, checks: Iterable[Check] = ()
) -> tuple[Draft, list[Problem]]:
    """Read documents as far as that is possible, and list everything that is wrong with them, by file and line.

    Raises OSError, and ConfigError for what is no document at all.
    """
    draft = finish(unite([(source.name, source.read()) for source in sources]))
    return draft, finish(inspect(draft, policies, checks))


def inspect(
    draft: Draft, policies: Policies | None = None, checks: Iterable[Check] = ()
) -> Steps[list[Problem]]:
    """List everything that is wrong with a configuration, by file and line.

    What could not be read is not judged for what it lacks.
    """
    others = yield from find_problems_in_steps(draft.config, policies, checks)
    others += yield from find_warnings(draft.config)
    if draft.config.kestrel is not None:
        others += _find_kestrel_warnings(draft.config.kestrel, draft.config.urls)
    if any(route.transforms for route in draft.config.routes):
        others += yield from _find_transform_warnings(draft.config)
    paths = {item.path for item in draft.problems if item.path and item.severity is Severity.ERROR}
    around = {beginning for path in paths for beginning in _beginnings(path)}
    unread = {path.lower() for path in paths}, {beginning.lower() for beginning in around}
    others = [
        problem
        for problem in others
        if problem.path not in around
        and paths.isdisjoint(_beginnings(problem.path))
        and not _is_among(problem.lacks.lower(), *unread)
    ]
    return locate([*draft.problems, *others], draft.origins)


def _find_transform_warnings(config: Config) -> Steps[list[Problem]]:
    from hostler.transforms.warnings import find_transform_warnings  # noqa: PLC0415

    return find_transform_warnings(config)


def _find_kestrel_warnings(section: Kestrel, urls: Sequence[str]) -> Iterator[Problem]:
    from hostler.server.kestrel import find_kestrel_warnings  # noqa: PLC0415 - for who has the section

    if urls and section.endpoints:
        message = "are not read by the user-mode server: Kestrel.Endpoints say where it listens; keep one of the two"
        yield Problem("Urls", message, Severity.WARNING)
    yield from find_kestrel_warnings(section)


def describe(config: Config) -> str:
    """Say in a few words what a configuration holds."""
    return f"{_count(config.routes, 'route')}, {_count(config.clusters, 'cluster')}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _is_among(path: str, unread: set[str], around: set[str]) -> bool:
    """Whether something is there that could not be read, or not all of it."""
    return path in around or not unread.isdisjoint(_beginnings(path))


def _beginnings(path: str) -> list[str]:
    """List a path, and those of the objects that it is in."""
    return [path[: boundary.start()] for boundary in _BOUNDARY.finditer(path, 1)]
