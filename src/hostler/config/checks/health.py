"""Rules for a cluster's health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.checks.values import check_positive, check_statuses
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import ActiveHealthCheck, Cluster, PassiveHealthCheck

__all__ = ["check_health"]


def check_health(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Find what is wrong with the health checks that are on; `path` is that of the cluster."""
    checks = cluster.health_check
    if checks.passive.enabled:
        yield from _passive(f"{path}.HealthCheck.Passive", checks.passive)
    if checks.active.enabled:
        yield from _active(f"{path}.HealthCheck.Active", checks.active)
        yield from _reachable(path, cluster)
    if checks.slow_start is not None:
        yield from check_positive(f"{path}.HealthCheck.SlowStart", checks.slow_start)


def _passive(path: str, check: PassiveHealthCheck) -> Iterator[Problem]:
    yield from check_positive(f"{path}.ReactivationPeriod", check.reactivation_period)
    yield from check_statuses(f"{path}.UnhealthyStatuses", check.unhealthy_statuses)
    if check.latency_limit is not None:
        yield from check_positive(f"{path}.LatencyLimit", check.latency_limit)


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
