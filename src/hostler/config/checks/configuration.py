"""The entry: every rule over every route and cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from hostler.config.checks.address import find_fault_in_url
from hostler.config.checks.cluster import check_cluster
from hostler.config.checks.route import check_route
from hostler.config.checks.values import check_ids
from hostler.config.definitions import Definitions
from hostler.config.model import Cluster, Route
from hostler.errors import Problem

if TYPE_CHECKING:
    from hostler.config.model import Config
    from hostler.steps import Steps

__all__ = ["PolicyCheck", "check"]

PolicyCheck: TypeAlias = Callable[[Cluster | Route, str, Definitions], Iterator[Problem]]
"""Finds the policies which a cluster or a route, at that path, names and which do not exist."""


def check(config: Config, policies: PolicyCheck) -> Steps[list[Problem]]:
    """List everything that is wrong with a configuration, in document order; empty when it can be used."""
    problems = [
        Problem("Urls", fault) for url in config.urls if (fault := find_fault_in_url(url, listened_on=True))
    ]
    if config.definitions != Definitions():
        from hostler.config.checks.definitions import check_definitions  # noqa: PLC0415 - for who has some, as below

        problems += check_definitions("Policies", config.definitions)
    problems += check_ids("Routes", (route.id for route in config.routes))
    yield
    clusters = {cluster.id.lower(): cluster for cluster in config.clusters}
    for route in config.routes:
        yield
        path = f"Routes.{route.id}"
        problems += check_route(path, route)
        if route.mirror is not None:
            from hostler.config.checks.mirror import check_mirror  # noqa: PLC0415

            problems += check_mirror(f"{path}.Mirror", route.mirror, clusters)
        if route.response_caching:
            from hostler.config.checks.caching import check_caching  # noqa: PLC0415

            cluster = clusters.get((route.cluster_id or "").lower())
            problems += check_caching(path, route, cluster, config.routes)
        problems += policies(route, path, config.definitions)
    problems += check_ids("Clusters", (cluster.id for cluster in config.clusters))
    for cluster in config.clusters:
        yield
        path = f"Clusters.{cluster.id}"
        problems += policies(cluster, path, config.definitions)
        problems += check_cluster(path, cluster)
    return problems
