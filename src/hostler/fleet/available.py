"""Which destinations of a cluster are available, given what health checks say (YARP: AvailableDestinationsPolicy)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hostler.config.model import Cluster
from hostler.fleet.equipment import PolicyKind
from hostler.fleet.health import Health

if TYPE_CHECKING:
    from hostler.config.model import HealthCheck
    from hostler.fleet.destinations import LiveDestination

    Destinations = tuple[LiveDestination, ...]

__all__ = ["AVAILABLE_DESTINATIONS", "AvailableDestinationsPolicy", "HealthyAndUnknown", "HealthyOrPanic"]


class AvailableDestinationsPolicy(Protocol):
    """Chooses the destinations that may be sent requests; called whenever a destination's health has changed."""

    def __call__(self, destinations: tuple[LiveDestination, ...], /) -> tuple[LiveDestination, ...]:
        """Return the available ones of a cluster's destinations."""
        ...


def _fails(destination: LiveDestination) -> bool:
    trial = destination.trial
    return destination.passive is Health.UNHEALTHY or (trial is not None and trial.under_way)


class HealthyAndUnknown:
    """Leave out the destinations that a check which is on found unhealthy (YARP: HealthyAndUnknown).

    One whose trial is under way is left out, too.
    """

    def __init__(self, checks: HealthCheck) -> None:
        self._active, self._passive = checks.active.enabled, checks.passive.enabled

    def __call__(self, destinations: Destinations, /) -> Destinations:
        """Choose."""
        return tuple(
            destination
            for destination in destinations
            if not (self._active and destination.active is Health.UNHEALTHY)
            and not (self._passive and _fails(destination))
        )


class HealthyOrPanic:
    """Leave out the unhealthy destinations, or none when all of them are unhealthy (YARP: HealthyOrPanic)."""

    def __init__(self, checks: HealthCheck) -> None:
        self._healthy = HealthyAndUnknown(checks)

    def __call__(self, destinations: Destinations, /) -> Destinations:
        """Choose."""
        return self._healthy(destinations) or destinations


AVAILABLE_DESTINATIONS: Final[PolicyKind[Cluster, AvailableDestinationsPolicy]] = PolicyKind(
    owner=Cluster,
    key="HealthCheck.AvailableDestinationsPolicy",
    named=lambda cluster: cluster.health_check.available_destinations_policy,
    default="HealthyOrPanic",
    builtin=MappingProxyType({"HealthyAndUnknown": HealthyAndUnknown, "HealthyOrPanic": HealthyOrPanic}),
    arguments=lambda cluster: (cluster.health_check,),
)
