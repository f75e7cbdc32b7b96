"""What health checks say of a destination, what its operator says, and who wants to know when that changes."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define, field, frozen

if TYPE_CHECKING:
    from hostler.fleet.clusters import LiveCluster
    from hostler.fleet.destinations import LiveDestination

__all__ = ["Health", "HealthListener", "HealthListeners", "Override", "Standing", "Trial"]

_log: Final = logging.getLogger("hostler.fleet")


class Health(enum.Enum):
    """The verdict of one health check on one destination."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Override(enum.Enum):
    """What an operator says of a destination, whatever health checks say."""

    DRAINED = "drained"
    """It gets requests with affinity to it, and no others."""

    DISABLED = "disabled"
    """It gets no requests."""


@define(eq=False)
class Trial:
    """What a destination is on that was unhealthy, while it gets one exchange at a time (a half-open circuit)."""

    under_way: bool = False
    """Whether that exchange is under way; until it is over nobody else may go there."""


@frozen
class Standing:
    """The health of a destination at one moment: what its checks say, and its operator."""

    active: Health
    passive: Health
    override: Override | None


HealthListener: TypeAlias = Callable[["LiveCluster", "LiveDestination", Standing, Standing], object]
"""Called with a cluster, one of its destinations, and what the standing of that was and is."""


@frozen(eq=False)
class HealthListeners:
    """Those who are told when the standing of a destination has changed."""

    _listeners: dict[object, HealthListener] = field(factory=dict, init=False)

    def add(self, listener: HealthListener) -> Callable[[], None]:
        """Tell a listener from now on; what is returned ends that."""
        key = object()
        self._listeners[key] = listener

        def remove() -> None:
            self._listeners.pop(key, None)

        return remove

    def tell(self, cluster: LiveCluster, destination: LiveDestination, before: Standing) -> None:
        """Tell all of them; one that raises is logged, and keeps nothing from the others."""
        after = destination.standing
        for listener in tuple(self._listeners.values()):
            try:
                listener(cluster, destination, before, after)
            except Exception:  # noqa: BLE001 - a listener is the user's code
                _log.exception(
                    "cluster %s: destination %s changed, and the listener %r raised",
                    cluster.id, destination.name, listener,
                )  # fmt: skip
