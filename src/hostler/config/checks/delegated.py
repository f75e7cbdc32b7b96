"""What does not hold for what HTTP.sys delegates: limits, since nothing comes back of it, and the word of proxies in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Cluster, Config, Route

__all__ = ["find_unbelieved_proxies", "find_unlimited_requests"]


def find_unlimited_requests(config: Config) -> Iterator[Problem]:
    """Find the limits of routes and clusters whose requests are delegated by a server that learns nothing of their answers."""
    delegating = {
        cluster.id.lower(): cluster
        for cluster in config.clusters
        if any(destination.queue is not None for destination in cluster.destinations)
    }
    for route in config.routes:
        cluster = delegating.get((route.cluster_id or "").lower())
        if cluster is not None:
            for key, why in _limits(route):
                yield _warning(f"Routes.{route.id}.{key}", why, cluster)
    for cluster in delegating.values():
        if cluster.destination_concurrency is not None:
            yield _warning(f"Clusters.{cluster.id}.DestinationConcurrency", _NOT_COUNTED, cluster)


def find_unbelieved_proxies(config: Config) -> Iterator[Problem]:
    """Find trusted proxies whose word does not reach the processes that requests are delegated to as they came."""
    if config.trusted_proxies is None:
        return
    for cluster in config.clusters:
        if any(destination.queue is not None for destination in cluster.destinations):
            yield Problem(
                "TrustedProxies",
                "does not hold for what is delegated: HTTP.sys hands over the request as it came, from the connection's "
                f'peer, and cluster "{cluster.id}" has request queues; name the same proxies to the process that answers '
                "(--trusted-proxy)",
                Severity.WARNING,
            )
            return


_NOT_COUNTED = "does not count what is delegated: with HTTP.sys an exchange is over once it is handed over"


def _limits(route: Route) -> Iterator[tuple[str, str]]:
    """List the limits that a route asks for by itself, and what they do not limit."""
    timeout = (
        "does not hold for what is delegated: HTTP.sys hands over the request, and says nothing of its answer"
    )
    if route.timeout is not None:
        yield "Timeout", timeout
    if route.timeout_policy and route.timeout_policy.lower() != "disable":
        yield "TimeoutPolicy", timeout
    if route.concurrency_policy and route.concurrency_policy.lower() != "disable":
        yield "ConcurrencyPolicy", _NOT_COUNTED
    if route.max_request_body_size is not None and route.max_request_body_size >= 0:
        why = "holds for what is delegated only where a length is announced: HTTP.sys hands over a body in chunks uncounted"
        yield "MaxRequestBodySize", why


def _warning(path: str, why: str, cluster: Cluster) -> Problem:
    message = f'{why}, and cluster "{cluster.id}" has request queues; set a limit in the process that answers'
    return Problem(path, message, Severity.WARNING)
