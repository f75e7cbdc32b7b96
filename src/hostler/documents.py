"""From a document to a configuration without problems; and again, whenever the document changes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from hostler.config import yarp
from hostler.config.checks import check
from hostler.config.yarp import DocumentError
from hostler.errors import ConfigError, HostlerError
from hostler.policies import Policies
from hostler.server.check import check_prefixes
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sized

    from hostler.config.model import Config
    from hostler.config.source import FileSource
    from hostler.errors import Problem

__all__ = ["describe", "find_problems", "follow", "in_slices", "load_aside", "load_config"]

T = TypeVar("T")

_SLICE: Final = 0.005
"""Seconds that a work in slices may keep the event loop."""

_log: Final = logging.getLogger("hostler.proxy")
_reloads: Final = logging.getLogger("hostler.reload")


def find_problems(config: Config, policies: Policies | None = None) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration."""
    return finish(_find_problems(config, policies))


def _find_problems(config: Config, policies: Policies | None) -> Steps[list[Problem]]:
    known = Policies() if policies is None else policies
    found = yield from check_prefixes(config)
    reported = {problem.path for problem in found}
    problems = yield from check(config, known.problems)
    return found + [problem for problem in problems if problem.path not in reported]


def load_config(source: FileSource, policies: Policies | None = None) -> Config:
    """Read a document and check it; raises OSError, and ConfigError with what cannot be read and what is wrong else."""
    return finish(_build(*source.parse(), policies))


async def load_aside(source: FileSource, policies: Policies) -> Config:
    """Do what `load_config` does, without stopping the event loop."""
    return await in_slices(_build(*await asyncio.to_thread(source.parse), policies))


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


def _build(document: object, repeated: list[Problem], policies: Policies | None) -> Steps[Config]:
    try:
        config = yield from yarp.build(document, repeated)
    except DocumentError as error:
        unread = [problem.path for problem in error.problems]
        others = [
            problem
            for problem in (yield from _find_problems(error.partial, policies))
            if not any(_is_within(problem.path, path) or _is_within(path, problem.path) for path in unread)
        ]
        raise ConfigError([*error.problems, *others]) from error
    del document  # which may be large, and is not needed to check what it said
    problems = yield from _find_problems(config, policies)
    if problems:
        raise ConfigError(problems)
    return config


def describe(config: Config) -> str:
    """Say in a few words what a configuration holds."""
    return f"{_count(config.routes, 'route')}, {_count(config.clusters, 'cluster')}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


async def follow(
    source: FileSource, reload: Callable[[], Awaitable[Config | None]], urls: Iterable[str] = ()
) -> None:
    """Have a document loaded whenever it has changed; what is wrong with it is logged.

    `reload` returns the configuration that it put in force, None if another one came in force meanwhile. `urls` are those that the program began with: others are not followed, which is a warning.
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
