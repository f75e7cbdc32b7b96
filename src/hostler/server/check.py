"""The URL prefixes of a configuration: those that it listens on, and those that it delegates under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import PrefixError, Problem
from hostler.server.prefix import PrefixTable, UrlPrefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Config

__all__ = ["check_prefixes"]


def check_prefixes(config: Config) -> Iterator[Problem]:
    """Find what is no URL prefix where there must be one, and prefixes that exclude each other."""
    table = PrefixTable()
    for url in config.urls:
        try:
            prefix = UrlPrefix.parse(url)
            if prefix.port:
                table.add(prefix)
        except PrefixError as error:
            yield Problem("Urls", str(error))
    for cluster in config.clusters:
        for destination in cluster.destinations:
            if destination.queue is not None:
                try:
                    UrlPrefix.parse(destination.address)
                except PrefixError as error:
                    path = f"Clusters.{cluster.id}.Destinations.{destination.id}.Address"
                    yield Problem(path, str(error))
