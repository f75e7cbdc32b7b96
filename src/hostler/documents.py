"""From a document to a configuration without problems; and again, whenever the document changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.config.checks import check
from hostler.config.yarp import DocumentError
from hostler.errors import ConfigError, HostlerError
from hostler.policies import Policies
from hostler.server.check import check_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sized

    from hostler.config.model import Config
    from hostler.config.source import FileSource
    from hostler.errors import Problem

__all__ = ["describe", "find_problems", "follow", "load_config"]

_log: Final = logging.getLogger("hostler.proxy")
_reloads: Final = logging.getLogger("hostler.reload")


def find_problems(config: Config, policies: Policies | None = None) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration."""
    known = Policies() if policies is None else policies
    found: list[Problem] = []
    for problems in (check_prefixes(config), check(config, known.problems)):
        reported = {problem.path for problem in found}
        found += [problem for problem in problems if problem.path not in reported]
    return found


def load_config(source: FileSource, policies: Policies | None = None) -> Config:
    """Read a document and check it; raises OSError, and ConfigError with what cannot be read and what is wrong else."""
    try:
        config = source.load()
    except DocumentError as error:
        unread = [problem.path for problem in error.problems]
        others = [
            problem
            for problem in find_problems(error.partial, policies)
            if not any(_is_within(problem.path, path) or _is_within(path, problem.path) for path in unread)
        ]
        raise ConfigError([*error.problems, *others]) from error
    problems = find_problems(config, policies)
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
    source: FileSource, policies: Policies, update: Callable[[Config], None], urls: Iterable[str] = ()
) -> None:
    """Give `update` the configuration of a document whenever it has changed; one with problems is logged, not given.

    `urls` are those that the program began with: others are not followed, which is a warning.
    """
    began = tuple(urls)
    async for _ in source.changes():
        try:
            config = load_config(source, policies)
            update(config)
        except (OSError, HostlerError) as error:
            _log.error(
                "%s was not applied, the previous configuration stays in force:\n%s", source.path, error
            )
        except Exception:  # noqa: BLE001 - whatever a policy does, the file is followed on
            _log.exception("%s was not applied, the previous configuration stays in force", source.path)
        else:
            _reloads.info("%s was applied: %s", source.path, describe(config))
            if config.urls != began:
                _log.warning(
                    "%s: Urls are %s now and were %s: a running proxy listens where it did; restart it to have them "
                    "followed, unless --url says where to listen",
                    source.path, "; ".join(config.urls) or "none", "; ".join(began) or "none",
                )  # fmt: skip
