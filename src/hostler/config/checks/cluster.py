"""Rules for a cluster, and how its destinations are spoken to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.checks.balancing import check_balancing
from hostler.config.checks.client import check_http_client
from hostler.config.checks.destination import check_destination
from hostler.config.checks.health import check_health
from hostler.config.checks.metadata import check_metadata
from hostler.config.checks.values import check_ids, check_positive, refuse_later
from hostler.config.model import VersionPolicy
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Cluster

__all__ = ["check_cluster"]


def check_cluster(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Find what is wrong with a cluster and its destinations, but for the names of policies."""
    if cluster.affinity is not None and cluster.affinity.enabled:
        from hostler.config.checks.affinity import check_affinity  # noqa: PLC0415 - for who has it, as below

        yield from check_affinity(f"{path}.SessionAffinity", cluster.affinity)
    yield from check_balancing(f"{path}.LoadBalancing", cluster)
    yield from check_health(path, cluster)
    yield from check_http_client(f"{path}.HttpClient", cluster.http_client)
    if cluster.resolver is not None and cluster.resolver.enabled:
        yield from check_positive(f"{path}.Resolver.RefreshPeriod", cluster.resolver.refresh_period)
    yield from check_positive(f"{path}.HttpRequest.ActivityTimeout", cluster.http_request.activity_timeout)
    version = cluster.http_request.version
    if version not in {"1.0", "1.1", "2", "3"}:
        message = f'"{version}" is not a version of HTTP; use 1.0, 1.1, 2 or 3'
        yield Problem(f"{path}.HttpRequest.Version", message)
    yield from _refuse_later(path, cluster)
    if cluster.destination_concurrency is not None:
        from hostler.config.checks.limits import check_concurrency  # noqa: PLC0415

        yield from check_concurrency(f"{path}.DestinationConcurrency", cluster.destination_concurrency)
    yield from check_ids(f"{path}.Destinations", (destination.id for destination in cluster.destinations))
    for destination in cluster.destinations:
        yield from check_destination(f"{path}.Destinations.{destination.id}", destination)
    yield from check_metadata(f"{path}.Metadata", cluster.metadata)


def _refuse_later(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Refuse what a cluster can say and the program does not do yet."""
    request = cluster.http_request
    or_lower = request.version_policy is VersionPolicy.REQUEST_VERSION_OR_LOWER
    yield from refuse_later(
        path,
        {
            "HttpRequest.Version": request.version == "1.0",
            "HttpRequest.VersionPolicy": request.version in {"2", "3"} and not or_lower,
        },
    )
