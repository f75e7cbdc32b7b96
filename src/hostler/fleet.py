"""What is alive: clusters and destinations with their health and the requests they have in flight.

Live objects are kept by id across reloads, so health and counts survive; an exchange keeps the ones that it started
with. All of it belongs to one event loop.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from hostler.config.model import Cluster, Destination
    from hostler.exchange import Exchange, Outcome
    from hostler.server.base import DelegationRule

__all__ = ["AffinityPolicy", "BalancePolicy", "Equipment", "Fleet", "Health", "LiveCluster", "LiveDestination",
           "PassivePolicy", "Sender"]  # fmt: skip


class Health(enum.Enum):
    """What a health check says of a destination."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@define(eq=False)
class LiveDestination:
    """A destination as it stands now."""

    id: str
    config: Destination
    active: Health = Health.UNKNOWN
    passive: Health = Health.UNKNOWN
    in_flight: int = 0
    """Exchanges that were sent there and are not over, delegated ones included."""

    rule: DelegationRule | None = None
    """The open delegation rule, when the destination names a queue."""

    state: dict[str, Any] = field(factory=dict)
    """What policies remember of this destination."""

    @property
    def name(self) -> str:
        """What log lines call it: its queue, or its address."""
        queue = self.config.queue
        return self.config.address if queue is None else queue


class BalancePolicy(Protocol):
    """Chooses one of several destinations; the candidates are never empty."""

    def __call__(
        self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /
    ) -> LiveDestination | None:
        """Return the choice, or None when none will do."""
        ...


class AffinityPolicy(Protocol):
    """Finds the destination that a request's key names, and writes the key of the one that answers."""

    def find(
        self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /
    ) -> tuple[LiveDestination, ...] | None:
        """Return the destinations of the request's key, () when they are gone, None when it has no key."""
        ...

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> list[tuple[bytes, bytes]]:
        """Return the response headers that carry the key of `destination`."""
        ...


class PassivePolicy(Protocol):
    """Judges a destination by what became of an exchange."""

    def __call__(self, exchange: Exchange, destination: LiveDestination, outcome: Outcome, /) -> Health:
        """Return what the destination's passive health is now."""
        ...


class Sender(Protocol):
    """Forwards exchanges to the destinations of one cluster, over pooled connections."""

    def send(self, exchange: Exchange, destination: LiveDestination | str) -> Awaitable[Outcome]:
        """Forward; the outcome says how it went."""
        ...

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange ends."""


@define(eq=False)
class Equipment:
    """What a cluster's configuration names, resolved: policies, and the client of its destinations."""

    balance: BalancePolicy
    sender: Sender
    affinity: AffinityPolicy | None = None
    passive: PassivePolicy | None = None


@define(eq=False)
class LiveCluster:
    """A cluster as it stands now."""

    id: str
    config: Cluster
    equipment: Equipment
    destinations: tuple[LiveDestination, ...] = ()
    available: tuple[LiveDestination, ...] = ()
    """The destinations that health checks leave (`AvailableDestinationsPolicy`)."""

    _fleet: Fleet | None = None

    def refresh(self) -> None:
        """Compute `available` again; call after any health changed.

        An exchange or a timer may still hold the cluster of before a reload. Health is the destinations', which
        outlive it, so the cluster of today is computed again with it.
        """
        self._compute()
        today = None if self._fleet is None else self._fleet.find(self.id)
        if today is not None and today is not self:
            today._compute()

    def _compute(self) -> None:
        checks = self.config.health_check
        healthy = tuple(
            destination
            for destination in self.destinations
            if not (checks.active.enabled and destination.active is Health.UNHEALTHY)
            and not (checks.passive.enabled and destination.passive is Health.UNHEALTHY)
        )
        panic = checks.available_destinations_policy.lower() == "healthyorpanic"
        self.available = self.destinations if panic and not healthy else healthy

    def set_passive(self, destination: LiveDestination, health: Health) -> bool:
        """Record what the passive check says; returns whether that changed anything."""
        if destination.passive is health:
            return False
        destination.passive = health
        self.refresh()
        return True


class Fleet:
    """All live clusters, by id without case."""

    def __init__(self) -> None:
        self._clusters: dict[str, LiveCluster] = {}

    def __iter__(self) -> Iterator[LiveCluster]:
        return iter(self._clusters.values())

    def find(self, cluster_id: str | None) -> LiveCluster | None:
        """Return the cluster of that id."""
        return None if cluster_id is None else self._clusters.get(cluster_id.lower())

    def apply(
        self, clusters: tuple[Cluster, ...], equip: Callable[[Cluster, LiveCluster | None], Equipment]
    ) -> list[LiveCluster]:
        """Bring the fleet to a new configuration; returns the clusters that are gone.

        `equip(config, previous)` resolves a cluster's policies; it may reuse the previous equipment. When it raises,
        nothing has changed.
        """
        fresh = {
            config.id.lower(): LiveCluster(config.id, config, equip(config, self.find(config.id)), fleet=self)
            for config in clusters
        }
        for key, cluster in fresh.items():
            previous = self._clusters.get(key)
            known = {} if previous is None else {d.id.lower(): d for d in previous.destinations}
            cluster.destinations = tuple(_live(item, known) for item in cluster.config.destinations)
            cluster._compute()
        gone = [cluster for key, cluster in self._clusters.items() if key not in fresh]
        self._clusters = fresh
        return gone


def _live(config: Destination, known: dict[str, LiveDestination]) -> LiveDestination:
    live = known.get(config.id.lower())
    if live is None:
        return LiveDestination(config.id, config)
    live.config = config
    return live
