"""Rules for a cluster's health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.checks.values import check_positive
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import ActiveHealthCheck, Cluster

__all__ = ["check_health"]


def check_health(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Find what is wrong with the health checks that are on; `path` is that of the cluster."""
    passive, active = cluster.health_check.passive, cluster.health_check.active
    if passive.enabled:
        yield from check_positive(
            f"{path}.HealthCheck.Passive.ReactivationPeriod", passive.reactivation_period
        )
    if active.enabled:
        yield from _active(f"{path}.HealthCheck.Active", active)
        yield from _reachable(path, cluster)


def _active(path: str, check: ActiveHealthCheck) -> Iterator[Problem]:
    yield from check_positive(f"{path}.Interval", check.interval)
    yield from check_positive(f"{path}.Timeout", check.timeout)
    for key, value, mark in (("Path", check.path, "/"), ("Query", check.query, "?")):
        if value and not value.startswith(mark):
            yield Problem(f"{path}.{key}", f'"{value}" does not begin with "{mark}"; write "{mark}{value}"')


def _reachable(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Find the queues whose address is one to listen on, and none to send a probe to."""
    for destination in cluster.destinations:
        host = destination.address.partition("://")[2]
        if destination.queue is not None and not destination.health and host.startswith(("+", "*")):
            yield Problem(
                f"{path}.Destinations.{destination.id}.Health",
                f'is missing, and "{destination.address}" is no address that a probe can be sent to; '
                "write where the queue's process answers, or remove HealthCheck.Active",
            )
