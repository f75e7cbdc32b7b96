"""Judging destinations by what became of the exchanges sent to them (YARP: HealthCheck.Passive).

The policy judges; the stage has the cluster record the verdict, which after a while forgets a bad one
(`LiveCluster.set_passive`): an unhealthy destination gets no requests, so it would have no other way to prove itself.

States and transitions of a destination, as far as this check goes. It begins UNKNOWN, and is then what the policy says
after each of its exchanges, HEALTHY or UNHEALTHY. UNHEALTHY sets a timer, whose end makes it UNKNOWN again. That is all,
unless the cluster has HalfOpen, which makes of it what is known as a circuit breaker: healthy or unknown, the circuit is
closed; unhealthy, it is open. Then the timer's end puts the destination on trial, the half-open circuit: it is UNKNOWN,
and the first exchange that comes is its trial. While that is under way it gets no others. A trial that fails makes it
UNHEALTHY, with a new timer; one that succeeds makes it HEALTHY. One that says nothing of the destination, since its client
left, is followed by another; so is one that lasts longer than the ReactivationPeriod, and whichever ends first decides.
What exchanges say that are not the trial does not count meanwhile.
"""

from __future__ import annotations

import logging
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hostler.config.model import Cluster
from hostler.deadline import call_later
from hostler.fleet import Health
from hostler.fleet.equipment import PolicyKind
from hostler.stages.balance import balance
from hostler.stages.failure_rate import LATENCY, TransportFailureRate, is_to_blame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.deadline import Timer
    from hostler.exchange import Exchange
    from hostler.fleet import LiveCluster, LiveDestination
    from hostler.fleet.health import Trial
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["PASSIVE_HEALTH", "PassiveHealth", "PassiveHealthPolicy", "TransportFailureRate", "passive_health"]

_log: Final = logging.getLogger("hostler.stages.health")


class PassiveHealthPolicy(Protocol):
    """Judges a destination by what became of an exchange."""

    def __call__(self, exchange: Exchange, destination: LiveDestination, outcome: Outcome, /) -> Health:
        """Return what the destination's passive health is now."""


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


class PassiveHealth:
    """The stage that judges destinations when their exchanges are over (YARP: UsePassiveHealthChecks).

    An unhealthy destination becomes unknown again after the cluster's ReactivationPeriod, or after the policy's
    `window` (in seconds, where it has one) if that is longer; with HalfOpen it is on trial after the former. Timers are
    the event loop's, unless `call_later` is given.
    """

    def __init__(
        self, call_later: Callable[..., Timer] = call_later, time: Callable[[], float] = time.monotonic
    ) -> None:
        self._call_later = call_later
        self._time = time

    def concerns(self, cluster: Cluster) -> bool:
        """Whether a cluster has passive checks (`hostler.pipeline.for_clusters`)."""
        return cluster.health_check.passive.enabled

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Wait for the exchange to end, then judge where it went; delegated exchanges count too."""
        cluster = exchange.cluster
        if cluster is None or PASSIVE_HEALTH not in cluster.equipment:
            return onward(exchange)
        if cluster.config.health_check.passive.latency_limit is not None:
            self._time_answer(exchange)
        candidates = exchange.candidates
        if len(candidates) == 1 and (trial := candidates[0].trial) is not None:
            return self._on_trial(exchange, onward, cluster, candidates[0], trial)
        return self._judged(exchange, onward)

    def _time_answer(self, exchange: Exchange) -> None:
        began = self._time()

        def note(_: RawHeaders) -> None:
            exchange.items[LATENCY] = self._time() - began

        exchange.on_response(note)

    async def _judged(self, exchange: Exchange, onward: Next) -> Outcome:
        outcome = await onward(exchange)
        destination, cluster = exchange.destination, exchange.cluster
        if destination is not None and cluster is not None and destination.trial is None:
            self._judge(exchange, cluster, destination, outcome)
        return outcome

    def _judge(
        self, exchange: Exchange, cluster: LiveCluster, destination: LiveDestination, outcome: Outcome
    ) -> None:
        policy = cluster.equipment.get(PASSIVE_HEALTH)
        if policy is not None:
            self._record(exchange, cluster, destination, outcome, policy(exchange, destination, outcome))

    def _record(
        self,
        exchange: Exchange,
        cluster: LiveCluster,
        destination: LiveDestination,
        outcome: Outcome,
        health: Health,
    ) -> None:
        if health is destination.passive:
            return
        check = cluster.config.health_check.passive
        window: float = getattr(cluster.equipment.get(PASSIVE_HEALTH), "window", 0.0)
        delay = check.reactivation_period if check.half_open else max(check.reactivation_period, window)
        cluster.set_passive(destination, health, reactivation_period=delay, call_later=self._call_later)
        if health is not Health.UNHEALTHY:
            _log.info("cluster %s: destination %s is %s", cluster.id, destination.name, health.value)
            return
        _log.warning(
            "cluster %s: destination %s is unhealthy for %g s; the last exchange, by route %s, ended with %s",
            cluster.id, destination.name, delay,
            exchange.route.id if exchange.route else "-", outcome.failure or outcome.status,
        )  # fmt: skip

    # -- trials ---------------------------------------------------------------------------------------------------

    def _on_trial(
        self,
        exchange: Exchange,
        onward: Next,
        cluster: LiveCluster,
        destination: LiveDestination,
        trial: Trial,
    ) -> Awaitable[Outcome]:
        """Make the exchange the destination's trial, or choose another one if that is under way."""
        if not trial.under_way:
            return self._try(exchange, onward, cluster, destination, trial)
        if destination in cluster.available:  # all are unhealthy, and the policy panics
            return self._judged(exchange, onward)
        exchange.candidates = cluster.available  # the trial began after this exchange's were listed
        return balance(exchange, lambda again: self(again, onward))

    async def _try(
        self,
        exchange: Exchange,
        onward: Next,
        cluster: LiveCluster,
        destination: LiveDestination,
        trial: Trial,
    ) -> Outcome:
        period = cluster.config.health_check.passive.reactivation_period
        trial.under_way = True
        cluster.refresh()
        timer = self._call_later(period, _allow_another, cluster, trial)
        try:
            outcome = await onward(exchange)
        except BaseException:
            _allow_another(cluster, trial)
            raise
        finally:
            timer.cancel()
        if destination.trial is trial:
            self._conclude(exchange, cluster, destination, outcome, trial)
        elif destination.trial is None:  # another one that was allowed meanwhile has decided
            self._judge(exchange, cluster, destination, outcome)
        return outcome

    def _conclude(
        self,
        exchange: Exchange,
        cluster: LiveCluster,
        destination: LiveDestination,
        outcome: Outcome,
        trial: Trial,
    ) -> None:
        """End a trial with the policy's verdict, where the exchange says anything of its destination."""
        health = Health.UNKNOWN
        if exchange.destination is destination and (
            outcome.failure is None or is_to_blame(destination, outcome)
        ):
            health = cluster.equipment[PASSIVE_HEALTH](exchange, destination, outcome)
        if health is Health.UNKNOWN:
            _allow_another(cluster, trial)
        else:
            self._record(exchange, cluster, destination, outcome, health)


def _allow_another(cluster: LiveCluster, trial: Trial) -> None:
    trial.under_way = False
    cluster.refresh()


passive_health: Final = PassiveHealth()
"""The stage, on the event loop's clock."""
