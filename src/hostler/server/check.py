"""The URL prefixes of a configuration: those that it is listened on, and those that it delegates under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import PrefixError, Problem
from hostler.server.base import ServerKind
from hostler.server.prefix import PrefixTable, UrlPrefix

if TYPE_CHECKING:
    from hostler.config.model import Config
    from hostler.steps import Steps

__all__ = ["check_prefixes", "urls_of"]


def urls_of(config: Config, server: ServerKind) -> tuple[str, ...]:
    """Return where a configuration has a server listen; empty where it does not say.

    `Kestrel.Endpoints` are for the user-mode server, which they keep from reading `Urls`, as Kestrel.
    """
    if server is ServerKind.HTTPSYS or config.kestrel is None or not config.kestrel.endpoints:
        return config.urls
    from hostler.server.kestrel import configured_endpoints  # noqa: PLC0415 - for who has the section

    return configured_endpoints(config.kestrel).urls


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
