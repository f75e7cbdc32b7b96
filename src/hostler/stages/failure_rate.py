"""Judging destinations by how many of the exchanges sent to them broke (YARP: TransportFailureRate)."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import define, field

from hostler.config.model import FAILURE_RATE_METADATA
from hostler.config.statuses import parse_statuses
from hostler.errors import Reason, Side
from hostler.fleet import Health
from hostler.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import Cluster
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.outcome import Outcome

__all__ = ["LATENCY", "TransportFailureRate", "is_to_blame"]

LATENCY: Final = "hostler.latency"
"""Among an exchange's items: seconds until its answer began, where the cluster has a LatencyLimit."""

_WINDOW: Final = 60.0
_MINIMUM: Final = 10
_LIMIT: Final = 0.3
_BUCKET: Final = 1.0

_HISTORY: Final = "TransportFailureRate"

_COUNTED: Final = frozenset(
    {
        Reason.REQUEST,
        Reason.REQUEST_TIMED_OUT,
        Reason.REQUEST_BODY_DESTINATION,
        Reason.RESPONSE_BODY_DESTINATION,
        Reason.UPGRADE_REQUEST_DESTINATION,
        Reason.UPGRADE_RESPONSE_DESTINATION,
    }
)

_ANSWERED: Final = frozenset({Kind.FORWARDED, Kind.DELEGATED})
_UNDER_WAY: Final = frozenset(
    {Reason.RESPONSE_BODY_CANCELED, Reason.RESPONSE_BODY_CLIENT, Reason.RESPONSE_BODY_DESTINATION}
)
"""What an exchange fails with whose answer had begun."""


@define(eq=False)
class _Bucket:
    """What happened in one second."""

    end: float
    """When the second was over, which is what dates it."""

    total: int = 0
    failed: int = 0


@define(eq=False)
class _History:
    """What became of a destination's exchanges within the window."""

    buckets: deque[_Bucket] = field(factory=deque)
    total: int = 0
    failed: int = 0

    def record(self, now: float, *, failed: bool) -> None:
        """Count one more exchange, forget those that are too long ago."""
        buckets = self.buckets
        if not buckets or now >= buckets[-1].end:
            buckets.append(_Bucket(now + _BUCKET))
        bucket = buckets[-1]
        bucket.total += 1
        self.total += 1
        if failed:
            bucket.failed += 1
            self.failed += 1
        while now - buckets[0].end > _WINDOW:
            old = buckets.popleft()
            self.total -= old.total
            self.failed -= old.failed

    def rate(self) -> float:
        """Return the share that failed, 0 while there is too little to tell."""
        return 0.0 if self.total < _MINIMUM else self.failed / self.total


class TransportFailureRate:
    """Unhealthy is a destination whose share of failed exchanges reached a limit (YARP: TransportFailureRate).

    The share is that of the last 60 seconds, and up to one more since whole seconds are forgotten, once they saw 10
    exchanges; the limit is 0.3 unless the cluster's metadata
    `TransportFailureRateHealthPolicy.RateLimit` says otherwise. An exchange failed when it broke on the destination's
    side. Any status counts as success, a 500 too, but for the cluster's UnhealthyStatuses; and so does any answer but
    for one that began later than its LatencyLimit. The history belongs to the destination and survives reloads.

    Of a destination on trial the one exchange decides, and what was before it is forgotten.
    """

    window: Final = _WINDOW
    """How long the policy looks back, in seconds."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = time.monotonic) -> None:
        passive = cluster.health_check.passive
        self._limit = float(cluster.metadata.get(FAILURE_RATE_METADATA, _LIMIT))
        self._statuses = parse_statuses(passive.unhealthy_statuses)
        self._latency_limit = passive.latency_limit
        self._clock = clock

    def __call__(self, exchange: Exchange, destination: LiveDestination, outcome: Outcome, /) -> Health:
        """Count the exchange and judge."""
        history: _History | None = destination.state.get(_HISTORY)
        if history is None or destination.trial is not None:
            history = destination.state[_HISTORY] = _History()
        failed = is_to_blame(destination, outcome) or self._is_bad(exchange, outcome)
        history.record(self._clock(), failed=failed)
        if destination.trial is not None:
            return Health.UNHEALTHY if failed else Health.HEALTHY
        return Health.HEALTHY if history.rate() < self._limit else Health.UNHEALTHY

    def _is_bad(self, exchange: Exchange, outcome: Outcome) -> bool:
        """Tell whether an answer counts as a failure for its status, or for how long it took to begin."""
        if outcome.status in self._statuses and _is_the_destinations(outcome):
            return True
        limit = self._latency_limit
        return limit is not None and exchange.items.get(LATENCY, 0.0) > limit


def _is_the_destinations(outcome: Outcome) -> bool:
    """Tell whether a status is the destination's, and not that of a failure or a stage."""
    return outcome.kind in _ANSWERED or (outcome.failure is not None and outcome.failure.reason in _UNDER_WAY)


def is_to_blame(destination: LiveDestination, outcome: Outcome) -> bool:
    """Tell whether a failure is the destination's and the client was still there to see it."""
    failure = outcome.failure
    if failure is None or failure.reason not in _COUNTED or failure.side is Side.CLIENT:
        return False
    # A client that is there gets at least the failure's status. Of a delegated exchange that broke under way nobody
    # knows what the client got.
    return outcome.status != 0 or destination.rule is not None
