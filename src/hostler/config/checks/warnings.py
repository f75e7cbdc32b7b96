"""What a configuration can be used with, and is probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import Problem, Severity
from hostler.routing.pattern import TemplateError
from hostler.routing.segments import MixedSegment, Parameter
from hostler.routing.template import Template

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from hostler.config.definitions import Definitions
    from hostler.config.model import Cluster, Config, Route
    from hostler.routing.segments import Segment
    from hostler.steps import Steps

__all__ = ["find_warnings"]


def find_warnings(config: Config) -> Steps[list[Problem]]:
    """List what is suspicious in a configuration: free ports, unknown clusters, equal routes, old TLS."""
    found = [
        _warning("Urls", f"{url} listens on a free port, another one at each start; write its number")
        for url in config.urls
        if url.rstrip("/").endswith(":0")
    ]
    for cluster in config.clusters:
        yield
        found += _old_protocols(cluster)
    clusters = {cluster.id.lower(): cluster for cluster in config.clusters}
    first: dict[Hashable, str] = {}
    for route in config.routes:
        yield
        found += _unknown_cluster(route, clusters)
        found += _not_for_delegation(
            route, clusters.get((route.cluster_id or "").lower()), config.definitions
        )
        others = {first.setdefault(key, route.id) for key in _keys(route)} - {route.id}
        found += [
            _warning(
                f"Routes.{route.id}",
                f"{other} matches the same requests, which are answered with 500; give one of them an Order",
            )
            for other in sorted(others)
        ]
    return found


def _warning(path: str, message: str) -> Problem:
    return Problem(path, message, Severity.WARNING)


def _unknown_cluster(route: Route, clusters: Mapping[str, Cluster]) -> Iterator[Problem]:
    path = f"Routes.{route.id}.ClusterId"
    if route.cluster_id is None:
        yield _warning(path, "is missing: the route's requests are answered with 503; name a cluster")
    elif route.cluster_id.lower() not in clusters:
        yield _warning(
            path,
            f'unknown cluster "{route.cluster_id}": the route\'s requests are answered with 503; add it, or correct this',
        )


def _not_for_delegation(route: Route, cluster: Cluster | None, definitions: Definitions) -> Iterator[Problem]:
    """Warn of what does not hold for requests that another process answers."""
    if cluster is None or not any(destination.queue is not None for destination in cluster.destinations):
        return
    retries = {name.lower(): retry for name, retry in definitions.retries.items()}
    retry = retries.get((route.retry_policy or "").lower())
    if retry is not None and (retry.statuses or retry.try_timeout is not None):
        yield _warning(
            f"Routes.{route.id}.RetryPolicy",
            f'Statuses and TryTimeout of "{route.retry_policy}" do not hold for what is delegated: '
            f'its answer does not come this way, and cluster "{cluster.id}" has request queues',
        )
    if route.mirror is not None:
        yield _warning(
            f"Routes.{route.id}.Mirror",
            "a delegated request that has a body is not copied: "
            f'the body does not come this way, and cluster "{cluster.id}" has request queues',
        )


def _old_protocols(cluster: Cluster) -> Iterator[Problem]:
    for index, protocol in enumerate(cluster.http_client.ssl_protocols):
        if protocol.lower() in {"tls", "tls11"}:
            yield _warning(
                f"Clusters.{cluster.id}.HttpClient.SslProtocols[{index}]",
                f"{protocol} is obsolete (RFC 8996), and OpenSSL 3 refuses it unless its security level is 0; use Tls12 or Tls13",
            )


def _keys(route: Route) -> Iterator[Hashable]:
    """Yield a key for each host and method; two routes with one in common match the same requests equally well."""
    try:
        shape = tuple(map(_shape, Template.parse(route.path or "/{**catchall}").segments))
    except TemplateError:
        return
    conditions = (route.order, shape, route.headers, route.query_parameters)
    for host in route.hosts or ("*",):
        for method in route.methods or ("",):
            yield host.lower(), method.upper(), conditions


def _shape(segment: Segment | str) -> Hashable:
    """Return what a segment matches, without the names of its parameters."""
    if isinstance(segment, Parameter):
        return segment.catch_all, segment.constraints
    if isinstance(segment, MixedSegment):
        return tuple(map(_shape, segment.parts))
    return segment
