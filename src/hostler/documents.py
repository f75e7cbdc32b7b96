"""From a document to a configuration without problems; and again, whenever the document changes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from hostler.config import yarp
from hostler.config.checks import check, find_warnings
from hostler.config.lines import place
from hostler.errors import ConfigError, HostlerError, Severity
from hostler.policies import Policies
from hostler.server.check import check_prefixes
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sized

    from hostler.config.model import Config
    from hostler.config.source import FileSource
    from hostler.config.yarp import Parsed
    from hostler.errors import Problem

__all__ = [
    "describe",
    "examine",
    "find_problems",
    "follow",
    "has_errors",
    "in_slices",
    "load_aside",
    "load_config",
]

T = TypeVar("T")

Check: TypeAlias = "Callable[[Config], Iterable[Problem]]"
"""Finds problems of a configuration."""

_SLICE: Final = 0.005
"""Seconds that a work in slices may keep the event loop."""

_BOUNDARY: Final = re.compile(r"[.\[]|$")

_log: Final = logging.getLogger("hostler.proxy")
_reloads: Final = logging.getLogger("hostler.reload")


def find_problems(config: Config, policies: Policies | None = None) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration."""
    return finish(_find_problems(config, policies))


def _find_problems(config: Config, policies: Policies | None) -> Steps[list[Problem]]:
    known = Policies() if policies is None else policies
    found = yield from check_prefixes(config)
    found += known.problems_of_definitions(config.policies)
    reported = {problem.path for problem in found}
    problems = yield from check(config, known.problems)
    return found + [problem for problem in problems if problem.path not in reported]


def load_config(source: FileSource, policies: Policies | None = None) -> Config:
    """Read a document and check it; raises OSError, and ConfigError with everything that is wrong. Warnings are logged."""
    return _accepted(source, *examine(source, policies))


async def load_aside(source: FileSource, policies: Policies) -> Config:
    """Do what `load_config` does, without stopping the event loop."""
    return _accepted(source, *await in_slices(_examine(await asyncio.to_thread(source.parse), policies)))


def examine(
    source: FileSource, policies: Policies | None = None, also: Check = lambda _: ()
) -> tuple[Config, list[Problem]]:
    """Read a document as far as that is possible, and list everything that is wrong with it, by line.

    `also` finds more. Raises OSError, and ConfigError for what is no document at all.
    """
    return finish(_examine(source.parse(), policies, also))


def _accepted(source: FileSource, config: Config, problems: list[Problem]) -> Config:
    if has_errors(problems):
        raise ConfigError(problems)
    for problem in problems:
        _log.warning("%s: %s", source.path, problem)
    return config


def has_errors(problems: Iterable[Problem]) -> bool:
    """Tell whether there is a problem that is more than a warning."""
    return any(problem.severity is Severity.ERROR for problem in problems)


async def in_slices(steps: Steps[T]) -> T:
    """Do a work of several steps, and give the event loop a turn every few milliseconds."""
    end = time.perf_counter() + _SLICE
    while True:
        try:
            next(steps)
        except StopIteration as end_of_work:
            result: T = end_of_work.value
            return result
        if time.perf_counter() >= end:
            await asyncio.sleep(0)
            end = time.perf_counter() + _SLICE


def _examine(
    parsed: Parsed, policies: Policies | None, also: Check = lambda _: ()
) -> Steps[tuple[Config, list[Problem]]]:
    config, unread = yield from yarp.build(parsed)
    text = parsed.text
    del parsed  # which may be large, and is not needed to check what it said
    others = yield from _find_problems(config, policies)
    others += yield from find_warnings(config)
    others += also(config)
    paths = {problem.path for problem in unread}
    around = {beginning for path in paths for beginning in _beginnings(path)}
    others = [
        problem
        for problem in others
        if problem.path not in around and paths.isdisjoint(_beginnings(problem.path))
    ]
    return config, place(text, [*unread, *others])


def describe(config: Config) -> str:
    """Say in a few words what a configuration holds."""
    return f"{_count(config.routes, 'route')}, {_count(config.clusters, 'cluster')}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _beginnings(path: str) -> list[str]:
    """List a path, and those of the objects that it is in."""
    return [path[: boundary.start()] for boundary in _BOUNDARY.finditer(path, 1)]


async def follow(
    source: FileSource, reload: Callable[[], Awaitable[Config | None]], urls: Iterable[str] = ()
) -> None:
    """Have a document loaded whenever it has changed; what is wrong with it is logged.

    `reload` returns the configuration that it put in force, None if another one came in force meanwhile. `urls` are
    those that the program began with: others are not followed, which is a warning.
    """
    began = tuple(urls)
    async for _ in source.changes():
        try:
            config = await reload()
        except (OSError, HostlerError) as error:
            _log.error(
                "%s was not applied, the previous configuration stays in force:\n%s", source.path, error
            )
        except Exception:  # noqa: BLE001 - whatever a policy does, the file is followed on
            _log.exception("%s was not applied, the previous configuration stays in force", source.path)
        else:
            if config is None:
                _log.warning(
                    "%s was not applied: the program put another configuration in force meanwhile",
                    source.path,
                )
                continue
            _reloads.info("%s was applied: %s", source.path, describe(config))
            if config.urls != began:
                _log.warning(
                    "%s: Urls are %s now and were %s: a running proxy listens where it did; restart it to have them "
                    "followed, unless --url says where to listen",
                    source.path, "; ".join(config.urls) or "none", "; ".join(began) or "none",
                )  # fmt: skip
