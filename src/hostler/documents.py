"""From what sources say to a configuration without problems."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.config.checks import check, find_warnings
from hostler.config.checks.delegated import find_unlimited_requests
from hostler.config.places import locate
from hostler.config.union import unite
from hostler.errors import ConfigError, Problem, Severity
from hostler.policies import Policies
from hostler.server.check import check_prefixes
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Sized

    from hostler.config.model import Config, Route
    from hostler.config.source import FileSource
    from hostler.config.union import Draft

__all__ = [
    "Check",
    "accept",
    "describe",
    "examine",
    "find_problems",
    "find_undelegated",
    "has_errors",
    "inspect",
]

Check: TypeAlias = "Callable[[Config], Iterable[Problem]]"
"""Finds problems of a configuration."""

_BOUNDARY: Final = re.compile(r"[.\[]|$")

_log: Final = logging.getLogger("hostler.proxy")


def find_problems(
    config: Config, policies: Policies | None = None, checks: Iterable[Check] = ()
) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration, and what `checks` find."""
    return finish(_find_problems(config, policies, checks))


def _find_problems(
    config: Config, policies: Policies | None, checks: Iterable[Check]
) -> Steps[list[Problem]]:
    known = Policies() if policies is None else policies
    found = yield from check_prefixes(config)
    found += known.problems_of_definitions(config.definitions)
    reported = {problem.path for problem in found}
    problems = yield from check(config, known.problems)
    found += [problem for problem in problems if problem.path not in reported]
    for route in config.routes:
        yield
        if route.transforms:
            found += _check_transforms(route, known)
    for more in checks:
        yield from _ask(more, config, found)
    return found


def _ask(validator: Check, config: Config, found: list[Problem]) -> Steps[None]:
    """Add what a user's function finds; one that raises is a problem itself."""
    try:
        for problem in validator(config):
            yield
            found.append(problem)
    except Exception as error:  # noqa: BLE001 - a user's
        name = getattr(validator, "__qualname__", None) or type(validator).__qualname__
        _log.exception("the validator %s raised", name)
        found.append(Problem("", f"the validator {name} raised {error!r}; correct it"))


def examine(
    sources: Sequence[FileSource], policies: Policies | None = None, checks: Iterable[Check] = ()
) -> tuple[Draft, list[Problem]]:
    """Read documents as far as that is possible, and list everything that is wrong with them, by file and line.

    Raises OSError, and ConfigError for what is no document at all.
    """
    draft = finish(unite([(source.name, source.read()) for source in sources]))
    return draft, finish(inspect(draft, policies, checks))


def _check_transforms(route: Route, policies: Policies) -> Iterable[Problem]:
    from hostler.transforms.reading import check_transforms  # noqa: PLC0415 - where there are transforms, as below

    return check_transforms(route.transforms, f"Routes.{route.id}.Transforms", policies.transforms)


def _find_transform_warnings(config: Config) -> Steps[list[Problem]]:
    from hostler.transforms.warnings import find_transform_warnings  # noqa: PLC0415

    return find_transform_warnings(config)


def find_undelegated(config: Config, policies: Policies) -> Iterator[Problem]:
    """Find what does not hold for requests that are delegated by a server which hands over what came."""
    if any(route.transforms for route in config.routes):
        from hostler.transforms.warnings import find_undelegated_requests  # noqa: PLC0415

        yield from find_undelegated_requests(config, policies.transforms)
    yield from find_unlimited_requests(config)


def accept(config: Config, problems: Iterable[Problem]) -> Config:
    """Return a configuration whose problems are warnings, which are logged; raises ConfigError when some are more."""
    found = tuple(problems)
    if has_errors(found):
        raise ConfigError(found)
    for problem in found:
        _log.warning("%s", problem)
    return config


def has_errors(problems: Iterable[Problem]) -> bool:
    """Tell whether there is a problem that is more than a warning."""
    return any(problem.severity is Severity.ERROR for problem in problems)


def inspect(
    draft: Draft, policies: Policies | None = None, checks: Iterable[Check] = ()
) -> Steps[list[Problem]]:
    """List everything that is wrong with a configuration, by file and line.

    What could not be read is not judged for what it lacks.
    """
    others = yield from _find_problems(draft.config, policies, checks)
    others += yield from find_warnings(draft.config)
    if any(route.transforms for route in draft.config.routes):
        others += yield from _find_transform_warnings(draft.config)
    paths = {item.path for item in draft.problems if item.path and item.severity is Severity.ERROR}
    around = {beginning for path in paths for beginning in _beginnings(path)}
    others = [
        problem
        for problem in others
        if problem.path not in around and paths.isdisjoint(_beginnings(problem.path))
    ]
    return locate([*draft.problems, *others], draft.origins)


def describe(config: Config) -> str:
    """Say in a few words what a configuration holds."""
    return f"{_count(config.routes, 'route')}, {_count(config.clusters, 'cluster')}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _beginnings(path: str) -> list[str]:
    """List a path, and those of the objects that it is in."""
    return [path[: boundary.start()] for boundary in _BOUNDARY.finditer(path, 1)]
