"""Judging destinations by how they answered their probes (YARP: IActiveHealthCheckPolicy)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

from hostler.config.model import THRESHOLD_METADATA, Cluster
from hostler.fleet import Health
from hostler.fleet.equipment import PolicyKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hostler.client.probe import ProbeRequest, ProbeResponse
    from hostler.fleet import LiveCluster, LiveDestination

__all__ = ["ACTIVE_HEALTH", "ActiveHealthPolicy", "ConsecutiveFailures", "ProbeResult"]

_THRESHOLD: Final = 2
_FAILURES: Final = "ConsecutiveFailures"


@frozen(eq=False)
class ProbeResult:
    """What became of one probe: a response, or an error."""

    destination: LiveDestination
    request: ProbeRequest
    response: ProbeResponse | None = None
    error: Exception | None = None
    seconds: float = 0.0
    """How long it took."""

    @property
    def success(self) -> bool:
        """Whether the destination answered with a status of success, 2xx."""
        return self.response is not None and 200 <= self.response.status <= 299

    def __str__(self) -> str:
        """Say it as a log line does."""
        if self.response is not None:
            return f"{self.request} was answered with {self.response.status}"
        return f"{self.request} failed: {str(self.error) or repr(self.error)}"


class ActiveHealthPolicy(Protocol):
    """Judges the destinations of a cluster when all of them have been probed."""

    def __call__(
        self, cluster: LiveCluster, results: Sequence[ProbeResult], /
    ) -> Mapping[LiveDestination, Health]:
        """Return what the active health of destinations is now; what is missing stays as it is."""
        ...


class ConsecutiveFailures:
    """Unhealthy is a destination after so many failed probes in a row, healthy after one success (YARP: ConsecutiveFailures).

    So many are 2, unless the cluster's metadata `ConsecutiveFailuresHealthPolicy.Threshold` says otherwise. Fewer
    leave its health as it is. The count belongs to the destination and survives reloads.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._threshold = int(cluster.metadata.get(THRESHOLD_METADATA, _THRESHOLD))

    def __call__(
        self, cluster: LiveCluster, results: Sequence[ProbeResult], /
    ) -> Mapping[LiveDestination, Health]:
        """Count and judge."""
        return {result.destination: self._judge(result) for result in results}

    def _judge(self, result: ProbeResult) -> Health:
        destination = result.destination
        failures = 0 if result.success else destination.state.get(_FAILURES, 0) + 1
        destination.state[_FAILURES] = failures
        if not failures:
            return Health.HEALTHY
        return destination.active if failures < self._threshold else Health.UNHEALTHY


ACTIVE_HEALTH: Final[PolicyKind[Cluster, ActiveHealthPolicy]] = PolicyKind(
    owner=Cluster,
    key="HealthCheck.Active.Policy",
    named=lambda cluster: cluster.health_check.active.policy if cluster.health_check.active.enabled else None,
    default="ConsecutiveFailures",
    builtin=MappingProxyType({"ConsecutiveFailures": ConsecutiveFailures}),
    arguments=lambda cluster: (cluster,),
)
"""The kind of policy that judges."""
