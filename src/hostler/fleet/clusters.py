"""A live cluster: its destinations, which of them are available, and its equipment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from hostler.fleet.available import AVAILABLE_DESTINATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import Cluster
    from hostler.fleet.destinations import LiveDestination
    from hostler.fleet.equipment import Equipment
    from hostler.fleet.health import Health

__all__ = ["LiveCluster"]


def _nothing_newer(_: str) -> None:
    return None


@define(eq=False)
class LiveCluster:
    """A cluster as one configuration has it; after a reload there is another one, with the same destinations by id."""

    id: str
    config: Cluster
    equipment: Equipment
    destinations: tuple[LiveDestination, ...] = ()
    available: tuple[LiveDestination, ...] = ()
    """The destinations that health checks leave (`AvailableDestinationsPolicy`)."""

    _find_current: Callable[[str], LiveCluster | None] = _nothing_newer
    """Finds the cluster of an id in the configuration that is in force."""

    def refresh(self) -> None:
        """Compute `available` again; call after any health changed.

        An exchange or a timer may still hold the cluster of before a reload. Health is the destinations', which
        outlive it, so the cluster that is in force is computed again with it.
        """
        self.refresh_this()
        current = self._find_current(self.id)
        if current is not None and current is not self:
            current.refresh_this()

    def refresh_this(self) -> None:
        """Compute `available` again for this cluster alone."""
        self.available = self.equipment[AVAILABLE_DESTINATIONS](self.destinations)

    def set_passive(self, destination: LiveDestination, health: Health) -> bool:
        """Record what the passive check says; returns whether that changed anything."""
        if destination.passive is health:
            return False
        destination.passive = health
        self.refresh()
        return True
