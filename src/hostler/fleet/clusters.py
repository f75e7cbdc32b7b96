"""A live cluster: its destinations, which of them are available, and its equipment."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from attrs import define, field

from hostler.deadline import call_later
from hostler.fleet.available import AVAILABLE_DESTINATIONS
from hostler.fleet.health import Health, HealthListeners, Override, Trial
from hostler.fleet.ramp import Ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hostler.config.model import Cluster
    from hostler.deadline import Timer
    from hostler.fleet.destinations import LiveDestination
    from hostler.fleet.equipment import Equipment
    from hostler.fleet.health import Standing

__all__ = ["LiveCluster"]

_log: Final = logging.getLogger("hostler.fleet")


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
    """The destinations that health checks leave (`AvailableDestinationsPolicy`), and that no operator took out."""

    for_affinity: tuple[LiveDestination, ...] = ()
    """`available`, and the drained destinations that health checks leave: where a request with affinity may go."""

    _find_current: Callable[[str], LiveCluster | None] = _nothing_newer
    """Finds the cluster of an id in the configuration that is in force."""

    _listeners: HealthListeners = field(factory=HealthListeners)
    _clock: Callable[[], float] = time.monotonic

    def refresh(self) -> None:
        """Compute `available` and `for_affinity` again; call after any health changed.

        An exchange or a timer may still hold the cluster of before a reload. Health is the destinations', which
        outlive it, so the cluster that is in force is computed again with it.
        """
        self.refresh_this()
        current = self._current()
        if current is not self:
            current.refresh_this()

    def refresh_this(self) -> None:
        """Compute `available` and `for_affinity` again for this cluster alone.

        What an operator took out is no candidate when the policy chooses, so that no panic brings it back.
        """
        choose, destinations = self.equipment[AVAILABLE_DESTINATIONS], self.destinations
        in_service = tuple(one for one in destinations if one.override is None)
        self.available = self.for_affinity = choose(in_service)
        if len(in_service) < len(destinations):
            enabled = tuple(one for one in destinations if one.override is not Override.DISABLED)
            self.for_affinity += tuple(one for one in choose(enabled) if one.override is not None)

    def find_other(self, cluster_id: str) -> LiveCluster | None:
        """Return the cluster of another id in the configuration that is in force; None when there is none."""
        return self._find_current(cluster_id)

    def _current(self) -> LiveCluster:
        return self._find_current(self.id) or self

    def set_passive(
        self,
        destination: LiveDestination,
        health: Health,
        *,
        reactivation_period: float | None = None,
        call_later: Callable[..., Timer] = call_later,
    ) -> bool:
        """Record what the passive check says, which ends a trial; returns whether that changed anything.

        A destination that is unhealthy is unknown again after `reactivation_period` seconds, or, with HalfOpen, on trial
        then; None is the cluster's ReactivationPeriod. Call it in the event loop, which has the timer.
        (IDestinationHealthUpdater.SetPassive)
        """
        if destination.passive is health:
            return False
        timer = None
        if health is Health.UNHEALTHY:
            period = reactivation_period
            if period is None:
                period = self.config.health_check.passive.reactivation_period
            timer = call_later(period, self._reactivate, destination)
        self._change_passive(destination, health, timer=timer)
        return True

    def stop_timers(self) -> None:
        """Make unknown at once what a timer would: the event loop that has it ends."""
        for destination in self.destinations:
            if destination.reactivation is not None:
                self._reactivate(destination)

    def _reactivate(self, destination: LiveDestination) -> None:
        trial = Trial() if self._current().config.health_check.passive.half_open else None
        self._change_passive(destination, Health.UNKNOWN, trial=trial)
        state = "unknown" if trial is None else "on trial"
        _log.info("cluster %s: destination %s is %s", self.id, destination.name, state)

    def _change_passive(
        self,
        destination: LiveDestination,
        health: Health,
        *,
        trial: Trial | None = None,
        timer: Timer | None = None,
    ) -> None:
        before = destination.standing
        if destination.reactivation is not None:
            destination.reactivation.cancel()
        destination.passive, destination.trial, destination.reactivation = health, trial, timer
        self.changed([(destination, before)])

    def set_active(self, verdicts: Mapping[LiveDestination, Health]) -> list[LiveDestination]:
        """Record what the active check says; returns the destinations for which that changed anything."""
        changes = [
            (destination, destination.standing)
            for destination, health in verdicts.items()
            if destination.active is not health
        ]
        for destination, _ in changes:
            destination.active = verdicts[destination]
        if changes:
            self.changed(changes)
        return [destination for destination, _ in changes]

    def changed(self, changes: Iterable[tuple[LiveDestination, Standing]]) -> None:
        """Have changes take effect, and tell the listeners; each comes with what it was before."""
        self.refresh()
        current = self._current()
        for destination, before in changes:
            current._warm_up(destination)
            self._listeners.tell(current, destination, before)

    def _warm_up(self, destination: LiveDestination) -> None:
        """Have a destination warm up that was out and is back, if that is asked for."""
        out, was_out = self._is_out(destination), destination.was_out
        destination.was_out = out
        period = self.config.health_check.slow_start
        if out:
            destination.ramp = None
        elif was_out and period is not None:
            destination.ramp = Ramp(period, self._clock)

    def _is_out(self, destination: LiveDestination) -> bool:
        """Whether its operator or a check that is on has taken a destination out, or lets it prove itself first."""
        checks = self.config.health_check
        return (
            destination.override is not None
            or (checks.active.enabled and destination.active is Health.UNHEALTHY)
            or (
                checks.passive.enabled
                and (destination.passive is Health.UNHEALTHY or destination.trial is not None)
            )
        )
