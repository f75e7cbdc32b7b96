"""Judging destinations by what became of the exchanges sent to them (YARP: HealthCheck.Passive).

The policy judges; the stage records the verdict and, after a while, forgets a bad one: an unhealthy destination gets
no requests, so it would have no other way to prove itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field

from hostler.config.model import FAILURE_RATE_METADATA, Cluster
from hostler.errors import Reason, Side
from hostler.fleet import Health
from hostler.fleet.equipment import PolicyKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.deadline import Timer
    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import LiveCluster, LiveDestination
    from hostler.pipeline import Next

__all__ = [
    "PASSIVE_HEALTH",
    "PassiveHealth",
    "PassiveHealthPolicy",
    "TransportFailureRate",
    "passive_health",
]

_log: Final = logging.getLogger("hostler.stages.health")

_WINDOW: Final = 60.0
_MINIMUM: Final = 10
_LIMIT: Final = 0.3
_BUCKET: Final = 1.0

_HISTORY: Final = "TransportFailureRate"
_TIMER: Final = "reactivation"

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


class PassiveHealthPolicy(Protocol):
    """Judges a destination by what became of an exchange."""

    def __call__(self, exchange: Exchange, destination: LiveDestination, outcome: Outcome, /) -> Health:
        """Return what the destination's passive health is now."""


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
    """Unhealthy is a destination whose share of broken exchanges reached a limit (YARP: TransportFailureRate).

    The share is that of the last 60 seconds, and up to one more since whole seconds are forgotten, once they saw 10
    exchanges; the limit is 0.3 unless the cluster's metadata
    `TransportFailureRateHealthPolicy.RateLimit` says otherwise. Any status counts as success, a 500 too. The history
    belongs to the destination and survives reloads.
    """

    window: Final = _WINDOW
    """How long the policy looks back, in seconds."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = float(cluster.metadata.get(FAILURE_RATE_METADATA, _LIMIT))
        self._clock = clock

    def __call__(self, exchange: Exchange, destination: LiveDestination, outcome: Outcome, /) -> Health:
        """Count the exchange and judge."""
        history: _History | None = destination.state.get(_HISTORY)
        if history is None:
            history = destination.state[_HISTORY] = _History()
        failed = outcome.failure is not None and _to_blame(destination, outcome)
        history.record(self._clock(), failed=failed)
        return Health.HEALTHY if history.rate() < self._limit else Health.UNHEALTHY


def _to_blame(destination: LiveDestination, outcome: Outcome) -> bool:
    """Tell whether a failure is the destination's and the client was still there to see it."""
    failure = outcome.failure
    if failure is None or failure.reason not in _COUNTED or failure.side is Side.CLIENT:
        return False
    # A client that is there gets at least the failure's status. Of a delegated exchange that broke under way nobody
    # knows what the client got.
    return outcome.status != 0 or destination.rule is not None


def _policy_name(cluster: Cluster) -> str | None:
    check = cluster.health_check.passive
    return check.policy if check.enabled else None


PASSIVE_HEALTH: Final[PolicyKind[Cluster, PassiveHealthPolicy]] = PolicyKind(
    owner=Cluster,
    key="HealthCheck.Passive.Policy",
    named=_policy_name,
    default="TransportFailureRate",
    builtin=MappingProxyType({"TransportFailureRate": TransportFailureRate}),
    arguments=lambda cluster: (cluster,),
)
"""The kind of policy that judges."""


def _call_later(delay: float, callback: Callable[..., object], *args: object) -> Timer:
    return asyncio.get_running_loop().call_later(delay, callback, *args)


class PassiveHealth:
    """The stage that judges destinations when their exchanges are over (YARP: UsePassiveHealthChecks).

    An unhealthy destination becomes unknown again after the cluster's ReactivationPeriod, or after the policy's
    `window` (in seconds, where it has one) if that is longer. `call_later` is the event loop's, unless given.
    """

    def __init__(self, call_later: Callable[..., Timer] = _call_later) -> None:
        self._call_later = call_later

    def concerns(self, cluster: Cluster) -> bool:
        """Whether a cluster has passive checks (`hostler.pipeline.for_clusters`)."""
        return cluster.health_check.passive.enabled

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Wait for the exchange to end, then judge where it went; delegated exchanges count too."""
        cluster = exchange.cluster
        if cluster is None or PASSIVE_HEALTH not in cluster.equipment:
            return onward(exchange)
        return self._judged(exchange, onward)

    async def _judged(self, exchange: Exchange, onward: Next) -> Outcome:
        outcome = await onward(exchange)
        destination, cluster = exchange.destination, exchange.cluster
        if destination is not None and cluster is not None:
            policy = cluster.equipment.get(PASSIVE_HEALTH)
            if policy is not None:
                health = policy(exchange, destination, outcome)
                if cluster.set_passive(destination, health):
                    self._changed(exchange, cluster, destination, outcome)
        return outcome

    def _changed(
        self, exchange: Exchange, cluster: LiveCluster, destination: LiveDestination, outcome: Outcome
    ) -> None:
        timer: Timer | None = destination.state.pop(_TIMER, None)
        if timer is not None:
            timer.cancel()
        if destination.passive is not Health.UNHEALTHY:
            _report(logging.INFO, cluster, destination)
            return
        window: float = getattr(cluster.equipment.get(PASSIVE_HEALTH), "window", 0.0)
        delay = max(cluster.config.health_check.passive.reactivation_period, window)
        destination.state[_TIMER] = self._call_later(delay, _reactivate, cluster, destination)
        _log.warning(
            "cluster %s: destination %s is unhealthy for %g s; the last exchange, by route %s, ended with %s",
            cluster.id, destination.name, delay,
            exchange.route.id if exchange.route else "-", outcome.failure or outcome.status,
        )  # fmt: skip


def _reactivate(cluster: LiveCluster, destination: LiveDestination) -> None:
    destination.state.pop(_TIMER, None)
    if destination.passive is Health.UNHEALTHY:
        cluster.set_passive(destination, Health.UNKNOWN)
        _report(logging.INFO, cluster, destination)


def _report(level: int, cluster: LiveCluster, destination: LiveDestination) -> None:
    _log.log(
        level, "cluster %s: destination %s is %s", cluster.id, destination.name, destination.passive.value
    )


passive_health: Final = PassiveHealth()
"""The stage, on the event loop's clock."""
