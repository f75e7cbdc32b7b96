"""A live destination: its health, and the requests that it has in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from hostler.fleet.health import Health

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import Destination
    from hostler.server.base import DelegationRule

__all__ = ["LiveDestination"]


@define(eq=False)
class LiveDestination:
    """A destination as it stands now; the same object for as long as its cluster has a destination of this id."""

    id: str
    config: Destination
    active: Health = Health.UNKNOWN
    passive: Health = Health.UNKNOWN
    in_flight: int = 0
    """Exchanges that were sent there and are not over, delegated ones included."""

    rule: DelegationRule | None = None
    """The delegation rule, when the destination names a queue: open while it is in the configuration, then closed."""

    ramp: Callable[[], float] | None = None
    """Returns the part of its weight that it has at present, above 0 and up to 1; None for all of it."""

    state: dict[str, Any] = field(factory=dict)
    """What policies remember of this destination."""

    @property
    def weight(self) -> float:
        """How large its share of the requests is at present, beside those of the others; what balancing goes by."""
        weight = self.config.weight
        return weight if self.ramp is None else weight * self.ramp()

    @property
    def name(self) -> str:
        """What log lines call it: its queue, or its address."""
        queue = self.config.queue
        return self.config.address if queue is None else queue
