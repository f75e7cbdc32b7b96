"""The composition: configuration, fleet, routing and pipeline become one handler."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from hostler.chains import CONCERNED, Chains, pipeline_checks
from hostler.checking import accept, find_problems, find_undelegated, find_unkept
from hostler.client.forwarder import Forwarder
from hostler.config.definitions import Definitions
from hostler.config.model import Cluster, Config, Route
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.fleet.delegation import DestinationRules
from hostler.fleet.equipment import Recipe
from hostler.fleet.snapshot import Fleet
from hostler.pipeline import lifespans
from hostler.policies import Policies
from hostler.probing.monitor import Monitor
from hostler.resolving import Resolving
from hostler.routing.readings import find_conflict
from hostler.routing.table import Match
from hostler.stages.balance import RANKS
from hostler.stages.forward import SENDER
from hostler.stages.transform import compiling, transform
from hostler.steps import finish, in_slices
from hostler.unrouted import answer_missed, answer_without_cluster, refuse_ambiguous_path

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from hostler.checking import Check
    from hostler.config.events import ConfigListener
    from hostler.config.httpsys import HttpSys
    from hostler.config.source import Source
    from hostler.exchange import Exchange
    from hostler.filters import ClusterFilter, RouteFilter
    from hostler.fleet import LiveCluster, LiveDestination, LiveRoute
    from hostler.fleet.health import HealthListener
    from hostler.fleet.snapshot import Snapshot
    from hostler.outcome import Outcome
    from hostler.pipeline import Stage
    from hostler.routing.table import Table
    from hostler.server.base import Server
    from hostler.sources import Sources
    from hostler.stages.forward import Sender

__all__ = ["Proxy"]

_log = logging.getLogger("hostler.proxy")

CERTIFICATES_INTERVAL: Final = 1.0
"""Seconds between two looks at the files of certificates that clusters name."""

_SENDERS: Final[Recipe[Cluster]] = Recipe(
    part=SENDER,
    owner=Cluster,
    settings=lambda cluster: (cluster.http_client, cluster.http_request),
    make=Forwarder,
)
"""A client for the destinations of each cluster, with its own connections."""


class Proxy:
    """A reverse proxy; an instance is a handler: `await proxy(exchange)`.

    `routes` and `clusters` are the configuration, `pipeline` the stages that every routed exchange goes through,
    `policies` what names in the configuration stand for beyond hostler's own, and `definitions` what they stand for as
    data (a document's `Policies` section). `httpsys` is a document's `HttpSys` section, for `hostler.run`; `from_config`
    has the others of the server. A path that leads to different routes depending on how a destination reads it is answered
    with 400, unless `dangerous_allow_ambiguous_paths`: then a stage that guards a route can be walked around
    (`routing.readings`). Raises ConfigError with every problem.
    """

    def __init__(
        self,
        routes: Iterable[Route] = (),
        clusters: Iterable[Cluster] = (),
        *,
        urls: Iterable[str] = (),
        definitions: Definitions | None = None,
        httpsys: HttpSys | None = None,
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
        dangerous_allow_ambiguous_paths: bool = False,
    ) -> None:
        self._stages = (transform, *pipeline)
        self._chains = Chains(self._stages)
        self._policies = policies or Policies()
        recipes = (RANKS, _SENDERS, compiling(self._policies.transforms), *self._chains.recipes)
        self._fleet = Fleet((*self._policies.recipes, *recipes))
        self._resolving = Resolving(self._policies)
        self._applying = asyncio.Lock()
        self._rules: DestinationRules | None = None
        self._server: Server | None = None
        self._monitor: Monitor | None = None
        self._sources: Sources | None = None
        self._validators: tuple[Check, ...] = pipeline_checks(self._stages, DEFAULT_PIPELINE)
        self._allow_ambiguous_paths = dangerous_allow_ambiguous_paths
        self.update(
            Config(tuple(routes), tuple(clusters), tuple(urls), definitions or Definitions(), httpsys)
        )

    @classmethod
    def from_config(
        cls,
        config: Config,
        *,
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
        dangerous_allow_ambiguous_paths: bool = False,
    ) -> Proxy:
        """Make a proxy of a whole configuration."""
        proxy = cls(
            pipeline=pipeline,
            policies=policies,
            dangerous_allow_ambiguous_paths=dangerous_allow_ambiguous_paths,
        )
        proxy.update(config)
        return proxy

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *others: str | os.PathLike[str],
        environment: str | None = None,
        layers: bool = True,
        cluster_filters: Iterable[ClusterFilter] = (),
        route_filters: Iterable[RouteFilter] = (),
        validators: Iterable[Check] = (),
        listeners: Iterable[ConfigListener] = (),
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
        dangerous_allow_ambiguous_paths: bool = False,
    ) -> Proxy:
        """Make a proxy of one YARP document or several; while it runs, it follows the files.

        Over each document are laid the file of the environment beside it, as `appsettings.Production.json` over
        `appsettings.json`, and the environment variables, unless `layers` is False (`docs/configuration.md`).
        `environment` is what the environment is called. Raises OSError when a document cannot be read, ConfigError with
        every problem. A later version of a file that is wrong is logged, and the one before stays in force.
        """
        from hostler.config.environment import Environment  # noqa: PLC0415 - for documents alone, as below
        from hostler.config.source import file_sources  # noqa: PLC0415

        around = Environment.of(environment) if layers else None
        return cls.from_sources(
            file_sources((path, *others), around),
            cluster_filters=cluster_filters,
            route_filters=route_filters,
            validators=validators,
            listeners=listeners,
            pipeline=pipeline,
            policies=policies,
            dangerous_allow_ambiguous_paths=dangerous_allow_ambiguous_paths,
        )

    @classmethod
    def from_sources(
        cls,
        sources: Iterable[Source],
        *,
        urls: Iterable[str] = (),
        cluster_filters: Iterable[ClusterFilter] = (),
        route_filters: Iterable[RouteFilter] = (),
        validators: Iterable[Check] = (),
        listeners: Iterable[ConfigListener] = (),
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
        dangerous_allow_ambiguous_paths: bool = False,
    ) -> Proxy:
        """Make a proxy of what sources say, together; while it runs, it follows them.

        Files and what is in memory are read now, and it is as with `from_file`. Where there are filters, or sources of
        your own, everything is loaded when the proxy starts: it has no routes before, listens on `urls`, and what is
        wrong then is raised there. `urls` take the place of the sources'.
        """
        from hostler.filters import Filters  # noqa: PLC0415
        from hostler.sources import Sources  # noqa: PLC0415

        stages, known = tuple(pipeline), policies or Policies()
        checks = (*validators, *pipeline_checks(stages, DEFAULT_PIPELINE))
        found = Sources(
            tuple(sources),
            known,
            filters=Filters(tuple(cluster_filters), tuple(route_filters)),
            validators=checks,
            listeners=listeners,
            urls=urls,
        )
        proxy = cls.from_config(
            found.read() if found.can_be_read else found.find_server(),
            pipeline=stages,
            policies=known,
            dangerous_allow_ambiguous_paths=dangerous_allow_ambiguous_paths,
        )
        proxy._sources, proxy._validators = found, checks
        if found.can_be_read:
            found.applied(proxy.config)
        return proxy

    @property
    def config(self) -> Config:
        """The configuration in force, with the destinations that it lists, whatever resolvers make of them."""
        return self._config

    @property
    def table(self) -> Table[LiveRoute]:
        """The table of the routes as they stand now."""
        return self._fleet.snapshot.table

    @property
    def routes(self) -> tuple[LiveRoute, ...]:
        """The routes as they stand now, each with its cluster."""
        return tuple(self._fleet.snapshot.routes.values())

    @property
    def clusters(self) -> tuple[LiveCluster, ...]:
        """The clusters as they stand now."""
        return tuple(self._fleet.snapshot.clusters.values())

    def route(self, route_id: str) -> LiveRoute:
        """Return a route as it stands now; ids have no case. Raises LookupError when there is none."""
        return self._fleet.route(route_id)

    def cluster(self, cluster_id: str) -> LiveCluster:
        """Return a cluster as it stands now; ids have no case. Raises LookupError when there is none."""
        return self._fleet.cluster(cluster_id)

    def destination(self, cluster_id: str, destination_id: str) -> LiveDestination:
        """Return a destination as it stands now, to look at it, drain it, disable it or enable it; ids have no case.

        It is the same object for as long as the configuration has it. Raises LookupError when there is none.
        """
        return self._fleet.destination(cluster_id, destination_id)

    @property
    def initial_probes_completed(self) -> bool:
        """Whether each destination with an active health check has been probed since the proxy started.

        However that ended (IActiveHealthCheckMonitor.InitialProbeCompleted). It is False while the proxy does not run.
        """
        return self._monitor is not None and self._monitor.initial_probes_completed

    async def check_health(self, *cluster_ids: str) -> None:
        """Probe the destinations of these clusters now, or of all clusters; return when their health has been judged.

        Those without an active health check are not probed. Raises LookupError for a cluster that there is not,
        RuntimeError when the proxy does not run. (IActiveHealthCheckMonitor.CheckHealthAsync)
        """
        if self._monitor is None:
            raise RuntimeError("this proxy does not run, and probes nobody; serve it first")
        found = [self.cluster(name) for name in cluster_ids]
        await self._monitor.check(found or self.clusters)

    def on_health_change(self, listener: HealthListener) -> Callable[[], None]:
        """Call `listener(cluster, destination, before, after)` whenever a destination's standing has changed.

        That is what its health checks say, or its operator; by then `cluster.available` is what follows from it. It
        is called in the event loop, by whatever brought the change about, and should return soon. One that raises is
        logged. What is returned ends it.
        """
        return self._fleet.listeners.add(listener)

    def update(self, config: Config) -> None:
        """Put another configuration in force, whole; exchanges under way keep the one that they began with.

        Destinations that are in both, by id, keep their health and counts. It is done when this returns, and the event
        loop stands still meanwhile, for about 0.1 ms a route: an `InMemorySource` has it done in slices. Raises
        ConfigError with every problem, and UnsupportedError when it delegates and the server cannot; then nothing has
        changed.
        """
        accept(config, find_problems(config, self._policies, self._validators))
        self._put_in_force(finish(self._fleet.build(self._resolving.resolved(config))), config)

    async def _apply(self, config: Config, before: Config) -> bool:
        """Put a checked configuration in force, without stopping the event loop.

        Returns False where another one than `before` is in force by then, which prevails.
        """
        await self._resolving.learn(config)
        async with self._applying:
            in_force = self._fleet.snapshot
            snapshot = await in_slices(self._fleet.build(self._resolving.resolved(config)))
            if self.config is not before or self._fleet.snapshot is not in_force:
                return False
            self._put_in_force(snapshot, config)
        return True

    async def _apply_again(self, config: Config) -> None:
        """Put the configuration that is in force, in force with the destinations that have been found since."""
        await self._apply(config, config)

    def _put_in_force(self, snapshot: Snapshot, config: Config) -> None:
        rules = None if self._rules is None else self._rules.open(snapshot.clusters.values())
        before = self._fleet.snapshot
        self._fleet.apply(snapshot)
        self._config = config
        self._resolving.config_changed()
        if self._rules is not None and rules is not None:
            self._rules.apply(rules)
        if self._monitor is not None:
            self._monitor.follow(snapshot.clusters.values())
        for sender in _senders(before) - _senders(snapshot):
            sender.close()

    # -- exchanges ------------------------------------------------------------------------------------------------

    def __call__(self, exchange: Exchange) -> Awaitable[Outcome]:
        """Route an exchange and run it through the pipeline."""
        table = self._fleet.snapshot.table
        if exchange.place_reading is not None and not self._allow_ambiguous_paths:
            conflict = find_conflict(exchange, table)
            if conflict is not None:
                return refuse_ambiguous_path(exchange, conflict)
        found = table.only or table.find(
            exchange.method, exchange.host, exchange.port, exchange.path or "/", exchange
        )
        if not isinstance(found, Match):
            return answer_missed(exchange, found)
        exchange.route = route = found.route
        exchange.route_match, exchange.routed_path = found, exchange.path
        cluster = route.cluster
        if cluster is None:
            return answer_without_cluster(exchange, route)
        exchange.cluster = cluster
        exchange.candidates = cluster.available
        way = route.way
        if way is None:
            concerned = route.equipment[CONCERNED] & cluster.equipment[CONCERNED]
            way = route.way = self._chains[concerned][0]
        return way(exchange)

    # -- running --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, server: Server) -> AsyncIterator[None]:
        """Run with a server: open the delegation rules, enter the stages' lifespans, probe, follow the sources and names."""
        if self._rules is not None:
            raise RuntimeError("this proxy runs already; make one for each server")
        if self._sources is not None and not self._sources.can_be_read:
            await self._load(self._sources)
        self._applying = asyncio.Lock()  # the last run may have been in another event loop
        if await self._resolving.learn(self.config):
            await self._apply_again(self.config)
        rules = DestinationRules(server)
        rules.apply(rules.open(self.clusters))
        if not server.delegates_changes:
            for problem in find_undelegated(self.config, self._policies):
                _log.warning("%s", problem)
        if not server.keeps_responses:
            for problem in find_unkept(self.config):
                _log.warning("%s", problem)
        self._rules, self._server = rules, server
        async with AsyncExitStack() as stack:
            stack.callback(self._stop, rules)
            await stack.enter_async_context(lifespans(self._stages))
            self._monitor = Monitor()
            stack.push_async_callback(self._stop_probing, self._monitor)
            self._monitor.follow(self.clusters)
            if self._sources is not None:
                following = asyncio.create_task(self._sources.follow(lambda: self.config, self._apply))
                stack.push_async_callback(_cancel, following)
            renewing = asyncio.create_task(self._renew())
            stack.push_async_callback(_cancel, renewing)
            resolving = asyncio.create_task(self._resolving.follow(lambda: self.config, self._apply_again))
            stack.push_async_callback(_cancel, resolving)
            yield

    async def _renew(self) -> None:
        """Have senders use the files of certificates that have changed."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(CERTIFICATES_INTERVAL)
            for sender in _senders(self._fleet.snapshot):
                if isinstance(sender, Forwarder):
                    sender.renew(clock())

    async def _load(self, sources: Sources) -> None:
        before = self.config
        config = await sources.load()
        if await self._apply(config, before):
            sources.applied(config)

    async def _stop_probing(self, monitor: Monitor) -> None:
        self._monitor = None
        await monitor.close()

    def _stop(self, rules: DestinationRules) -> None:
        self._rules = self._server = None
        rules.close()
        for cluster in self.clusters:
            cluster.stop_timers()
            cluster.equipment[SENDER].close()
            # what is closed keeps no connections, and the next run may be in another event loop
            cluster.equipment[SENDER] = Forwarder(cluster.config.http_client, cluster.config.http_request)

    def reload(self, done: Callable[[], object] = lambda: None) -> bool:
        """Have a running proxy load its sources again, whether they changed or not; returns whether it has any.

        `done` is called when that has been tried, whatever came of it.
        """
        if self._sources is None:
            return False
        self._sources.reload(done)
        return True

    async def flush_cache(self, url: str, *, recursive: bool = False) -> None:
        """Drop the responses that the server keeps of a URL, as clients ask for it; with `recursive`, of all below it too.

        Raises ValueError for what is no absolute URL, OSError for what HTTP.sys refuses. (HttpFlushResponseCache.)
        """
        if self._server is not None:
            await self._server.flush_cache(url, recursive=recursive)

    def reset_queue(self, queue: str, prefix: str) -> None:
        """Let go of a queue that is delegated to under `prefix`; the next request opens it anew.

        A queue and prefix that no destination names is no error. (IHttpSysDelegator.ResetQueue)
        """
        if self._rules is not None:
            self._rules.reset(queue, prefix)


def _senders(snapshot: Snapshot) -> set[Sender]:
    return {cluster.equipment[SENDER] for cluster in snapshot.clusters.values()}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
