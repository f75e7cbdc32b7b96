"""Rules for a route's mirror, and where its copies go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.checks.values import check_positive
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hostler.config.model import Cluster, Mirror

__all__ = ["check_mirror"]


def check_mirror(path: str, mirror: Mirror, clusters: Mapping[str, Cluster]) -> Iterator[Problem]:
    """Find what is wrong with a mirror; `clusters` are those of the configuration, by lower-case id."""
    cluster = clusters.get(mirror.cluster_id.lower())
    if cluster is None:
        yield Problem(
            f"{path}.ClusterId", f'unknown cluster "{mirror.cluster_id}"; add it, or correct the id'
        )
    elif any(destination.queue is not None for destination in cluster.destinations):
        message = f'"{mirror.cluster_id}" has request queues, and a copy cannot be delegated; name one with addresses'
        yield Problem(f"{path}.ClusterId", message)
    if not 0 <= mirror.percent <= 100:
        yield Problem(f"{path}.Percent", f"{mirror.percent} is out of range; use 0 to 100")
    if mirror.max_body_size < 0:
        yield Problem(f"{path}.MaxBodySize", f"{mirror.max_body_size} is out of range; use 0 or more bytes")
    if mirror.max_concurrent < 1:
        yield Problem(f"{path}.MaxConcurrent", f"{mirror.max_concurrent} is out of range; use 1 or more")
    yield from check_positive(f"{path}.Timeout", mirror.timeout)
