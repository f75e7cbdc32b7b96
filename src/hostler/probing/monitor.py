"""Probing the destinations of clusters, round after round (YARP: IActiveHealthCheckMonitor).

Each cluster whose active check is on has a `_Watch`, which is in one of three states. It begins PROBING: a task asks all
of the cluster's destinations at once, and has the policy judge when the last of them has answered or its time is over.
Then it is WAITING, with a timer for the cluster's Interval, which leads back to PROBING. So rounds never overlap, and a
destination that hangs puts off nobody's round but the next of its own cluster, by Timeout at most. `close` leads from
both to CLOSED: the timer or the task is cancelled, and its connections with it.

A reload changes nothing of a round that is under way. The next one finds the cluster as it is by then; if the Interval is
another, the timer is set anew, counted from the end of the last round. So however often a configuration is reloaded,
destinations are probed no more often than it says.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Final

from hostler.fleet import Health
from hostler.probing.policy import ACTIVE_HEALTH, ProbeResult
from hostler.probing.request import PROBE_REQUEST
from hostler.stages.forward import SENDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hostler.client.probe import ProbeRequest
    from hostler.deadline import Timer
    from hostler.fleet import LiveCluster, LiveDestination

__all__ = ["MAX_PROBES", "MAX_PROBES_OF_CLUSTER", "Monitor"]

_log: Final = logging.getLogger("hostler.probing")

MAX_PROBES: Final = 500
"""How many probes of a proxy are under way at a time, each with a connection; more wait, which costs them no time."""

MAX_PROBES_OF_CLUSTER: Final = 100
"""How many of one cluster, so that one whose destinations all hang does not keep the others waiting."""


class Monitor:
    """Probes the destinations of clusters for as long as it is open; belongs to the running event loop.

    `clock` and `call_later` are the event loop's, unless given.
    """

    def __init__(
        self, clock: Callable[[], float] | None = None, call_later: Callable[..., Timer] | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock or loop.time
        self.call_later = call_later or loop.call_later
        self.slots = asyncio.Semaphore(MAX_PROBES)
        self._watches: dict[str, _Watch] = {}
        """By lower-case cluster id."""
        self._ending: set[asyncio.Task[None]] = set()
        """Rounds that were cut short."""
        self._initial: tuple[_Watch, ...] | None = None
        """Those that there were at the start; None before it."""

    @property
    def initial_probes_completed(self) -> bool:
        """Whether each destination that there was at the start has been probed once, however that ended."""
        return self._initial is not None and all(watch.seen for watch in self._initial)

    def follow(self, clusters: Iterable[LiveCluster]) -> None:
        """Probe these clusters from now on, and no others."""
        wanted = {cluster.id.lower(): cluster for cluster in clusters if ACTIVE_HEALTH in cluster.equipment}
        for key in self._watches.keys() - wanted.keys():
            self._end(self._watches.pop(key))
        for key, cluster in wanted.items():
            watch = self._watches.get(key)
            if watch is None:
                self._watches[key] = _Watch(self, cluster)
            else:
                watch.follow(cluster)
        if self._initial is None:
            self._initial = tuple(self._watches.values())

    async def check(self, clusters: Iterable[LiveCluster]) -> None:
        """Probe these clusters now, those that are probed at all; return when that is over.

        A round that is under way counts; the next one comes an Interval after it.
        """
        watches = [self._watches.get(cluster.id.lower()) for cluster in clusters]
        rounds = [watch.begin() for watch in watches if watch is not None]
        if rounds:
            await asyncio.wait(rounds)

    async def close(self) -> None:
        """Probe nobody any more, at once."""
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        if self._ending:
            await asyncio.wait(self._ending)

    def _end(self, watch: _Watch) -> None:
        task = watch.close()
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Watch:
    """The probing of one cluster; the states are above."""

    def __init__(self, monitor: Monitor, cluster: LiveCluster) -> None:
        self.seen = False
        """Its first round is over, or will never be."""
        self._monitor = monitor
        self._cluster = cluster
        self._slots = asyncio.Semaphore(MAX_PROBES_OF_CLUSTER)
        self._closed = False
        self._ended = 0.0
        """When the last round did."""
        self._timer: Timer | None = None
        self._round: asyncio.Task[None] | None = None
        self.begin()

    def follow(self, cluster: LiveCluster) -> None:
        """Take the cluster as it is after a reload."""
        before, self._cluster = self._interval, cluster
        if self._timer is not None and self._interval != before:
            self._timer.cancel()
            self._wait()

    def begin(self) -> asyncio.Task[None]:
        """Begin a round, unless one is under way; returns its task."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is None:
            self._round = asyncio.create_task(self._run())
        return self._round

    def close(self) -> asyncio.Task[None] | None:
        """End it; returns the task that is ending."""
        self._closed = self.seen = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is not None:
            self._round.cancel()
        return self._round

    @property
    def _interval(self) -> float:
        return self._cluster.config.health_check.active.interval

    async def _run(self) -> None:
        try:
            await self._probe_all()
        finally:
            self._round = None
            self.seen = True
            self._ended = self._monitor.clock()
            if not self._closed:
                self._wait()

    def _wait(self) -> None:
        delay = max(0.0, self._ended + self._interval - self._monitor.clock())
        self._timer = self._monitor.call_later(delay, self.begin)

    async def _probe_all(self) -> None:
        cluster = self._cluster
        async with asyncio.TaskGroup() as group:
            probes = [group.create_task(self._probe(cluster, one)) for one in cluster.destinations]
        results = [result for probe in probes if (result := probe.result()) is not None]
        try:
            self._record(cluster.equipment[ACTIVE_HEALTH](cluster, results), results)
        except Exception:  # noqa: BLE001 - a policy may be the user's code
            _log.exception("cluster %s: judging the destinations by their probes raised", cluster.id)

    async def _probe(self, cluster: LiveCluster, destination: LiveDestination) -> ProbeResult | None:
        timeout = cluster.config.health_check.active.timeout
        async with self._slots, self._monitor.slots:
            try:
                request = await _make_request(cluster, destination, timeout)
            except Exception:  # noqa: BLE001 - it may be the user's code
                _log.exception(
                    "cluster %s: destination %s is not probed: making the request raised",
                    cluster.id, destination.name,
                )  # fmt: skip
                return None
            clock = self._monitor.clock
            began = clock()
            try:
                response = await cluster.equipment[SENDER].probe(request, timeout)
            except Exception as error:  # noqa: BLE001 - whatever it is, there was no answer
                result = ProbeResult(destination, request, error=error, seconds=clock() - began)
            else:
                result = ProbeResult(destination, request, response, seconds=clock() - began)
        _log.debug("cluster %s: destination %s: %s", cluster.id, destination.name, result)
        return result

    def _record(self, verdicts: Mapping[LiveDestination, Health], results: Iterable[ProbeResult]) -> None:
        """Put verdicts in force for the destinations that are still there."""
        cluster = self._cluster
        for health in verdicts.values():
            if not isinstance(health, Health):
                raise TypeError(f"{health!r} is no verdict; return hostler.fleet.Health of each destination")
        probed = {result.destination: result for result in results}
        still = {one: verdicts[one] for one in cluster.destinations if one in verdicts}
        for destination in cluster.set_active(still):
            bad = destination.active is Health.UNHEALTHY
            _log.log(
                logging.WARNING if bad else logging.INFO,
                "cluster %s: destination %s is %s; %s",
                cluster.id, destination.name, destination.active.value, probed.get(destination, "it was not probed"),
            )  # fmt: skip


async def _make_request(cluster: LiveCluster, destination: LiveDestination, timeout: float) -> ProbeRequest:
    made = cluster.equipment[PROBE_REQUEST](cluster, destination)
    if inspect.isawaitable(made):
        async with asyncio.timeout(timeout):
            return await made
    return made
