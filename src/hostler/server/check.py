"""The URL prefixes of a configuration: those that it listens on, and those that it delegates under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import PrefixError, Problem
from hostler.server.prefix import PrefixTable, UrlPrefix

if TYPE_CHECKING:
    from hostler.config.model import Config
    from hostler.steps import Steps

__all__ = ["check_prefixes"]


def check_prefixes(config: Config) -> Steps[list[Problem]]:
    """List what is no URL prefix where there must be one, and prefixes that exclude each other."""
    problems: list[Problem] = []
    table = PrefixTable()
    for url in config.urls:
        try:
            prefix = UrlPrefix.parse(url)
            if not prefix.picks_port:
                table.add(prefix)
        except PrefixError as error:
            problems.append(Problem("Urls", str(error)))
    for cluster in config.clusters:
        yield
        for destination in cluster.destinations:
            if destination.queue is not None:
                try:
                    UrlPrefix.parse(destination.address)
                except PrefixError as error:
                    path = f"Clusters.{cluster.id}.Destinations.{destination.id}.Address"
                    problems.append(Problem(path, str(error)))
    return problems
