"""A live destination: its health, and the requests that it has in flight."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from hostler.fleet.health import Health, Override, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import Destination
    from hostler.deadline import Timer
    from hostler.fleet.clusters import LiveCluster
    from hostler.fleet.health import Trial
    from hostler.server.base import DelegationRule

__all__ = ["LiveDestination"]

_log: Final = logging.getLogger("hostler.fleet")


def _no_cluster() -> None:
    return None


@define(eq=False)
class LiveDestination:
    """A destination as it stands now; the same object for as long as its cluster has a destination of this id."""

    id: str
    config: Destination
    active: Health = Health.UNKNOWN
    passive: Health = Health.UNKNOWN
    override: Override | None = None
    """What its operator says, by `drain`, `disable` and `enable`; it survives reloads."""

    trial: Trial | None = None
    """Whether it has to prove itself before it is sent more than one exchange at a time."""

    reactivation: Timer | None = None
    """The timer whose end makes it unknown again while its passive health is unhealthy."""

    in_flight: int = 0
    """Exchanges that were sent there and are not over, delegated ones included."""

    rule: DelegationRule | None = None
    """The delegation rule, when the destination names a queue: open while it is in the configuration, then closed."""

    ramp: Callable[[], float] | None = None
    """Returns the part of its weight that it has at present, above 0 and up to 1; None for all of it."""

    state: dict[str, Any] = field(factory=dict)
    """What policies remember of this destination."""

    was_out: bool = False
    """Whether its checks or its operator had taken it out, when that was last looked at."""

    _find_cluster: Callable[[], LiveCluster | None] = _no_cluster
    """Finds its cluster in the configuration that is in force."""

    @property
    def standing(self) -> Standing:
        """Its health and its override, as they stand now."""
        return Standing(self.active, self.passive, self.override)

    @property
    def weight(self) -> float:
        """How large its share of the requests is at present, beside those of the others; what balancing goes by."""
        if self.ramp is None:
            return self.config.weight
        share = self.ramp()
        if share == 1:
            self.ramp = None
        return self.config.weight * share

    @property
    def name(self) -> str:
        """What log lines call it: its queue, or its address."""
        queue = self.config.queue
        return self.config.address if queue is None else queue

    # -- what its operator says -----------------------------------------------------------------------------------

    def drain(self) -> None:
        """Send it no requests from now on but those with affinity to it; those under way go on."""
        self._set_override(Override.DRAINED, "drained")

    def disable(self) -> None:
        """Send it no requests from now on; those under way go on."""
        self._set_override(Override.DISABLED, "disabled")

    def enable(self) -> None:
        """Take `drain` or `disable` back: its health checks decide again."""
        self._set_override(None, "enabled")

    def _set_override(self, override: Override | None, called: str) -> None:
        if self.override is override:
            return
        before, self.override = self.standing, override
        cluster = self._find_cluster()
        if cluster is not None and self in cluster.destinations:
            _log.info("cluster %s: destination %s is %s", cluster.id, self.name, called)
            cluster.changed([(self, before)])
