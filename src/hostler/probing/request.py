"""What a destination is asked by a probe (YARP: IProbingRequestFactory)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from hostler.client.probe import ProbeRequest
from hostler.config.model import Cluster
from hostler.fleet.equipment import PolicyKind

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.config.model import Destination
    from hostler.fleet import LiveCluster, LiveDestination

__all__ = ["PROBE_REQUEST", "ProbeRequestFactory", "probe_request"]

_AGENT: Final = ("User-Agent", "hostler (Active Health Check Monitor)")
_IN_PATHS: Final = "/:@!$&'()*+,;=~%"
_IN_QUERIES: Final = _IN_PATHS + "?"
_NO_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")


class ProbeRequestFactory(Protocol):
    """Makes the requests of probes."""

    def __call__(
        self, cluster: LiveCluster, destination: LiveDestination, /
    ) -> ProbeRequest | Awaitable[ProbeRequest]:
        """Return what to ask a destination; may be a coroutine. `probe_request` makes the usual one."""
        ...


def probe_request(cluster: Cluster, destination: Destination) -> ProbeRequest:
    """Make the usual request: GET the destination's Health, or else its Address, and below it the check's Path and Query.

    A question mark in the path is escaped. Host is the destination's own, if it has one.
    """
    check = cluster.health_check.active
    scheme, _, rest = (destination.health or destination.address).partition("://")
    authority, _, base = rest.partition("/")
    path = f"/{base}"
    if check.path:
        path = path.rstrip("/") + _quoted(check.path, _IN_PATHS)
    query = _quoted(check.query or "", _IN_QUERIES)
    return ProbeRequest(f"{scheme}://{authority}", path + query, destination.host or None, headers=(_AGENT,))


def _quoted(text: str, safe: str) -> str:
    return _NO_ESCAPE.sub("%25", quote(text, safe))


def _get(cluster: LiveCluster, destination: LiveDestination, /) -> ProbeRequest:
    return probe_request(cluster.config, destination.config)


PROBE_REQUEST: Final[PolicyKind[Cluster, ProbeRequestFactory]] = PolicyKind(
    owner=Cluster,
    key="HealthCheck.Active.Request",
    named=lambda cluster: (
        cluster.health_check.active.request if cluster.health_check.active.enabled else None
    ),
    default="Get",
    builtin=MappingProxyType({"Get": lambda _: _get}),
    arguments=lambda cluster: (cluster,),
)
"""The kind of policy that makes the requests of probes."""
