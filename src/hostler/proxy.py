"""The composition: configuration, fleet, routing and pipeline become one handler."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from hostler.config.check import check
from hostler.config.model import Config
from hostler.config.source import FileSource
from hostler.errors import ConfigError, Failure, HostlerError, Reason
from hostler.fleet import Fleet
from hostler.pipeline import fold, lifespans
from hostler.policies import Policies, make_sender
from hostler.routing.table import Match, Miss, MissKind, Table
from hostler.server.check import check_prefixes
from hostler.stages import affinity, balance, delegate, forward, passive_health

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator

    from hostler.config.model import Cluster, Route
    from hostler.errors import Problem
    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import LiveCluster, LiveDestination
    from hostler.pipeline import Stage
    from hostler.server.base import DelegationRule, Server

__all__ = ["DEFAULT_PIPELINE", "Proxy", "find_problems"]

_log = logging.getLogger("hostler.proxy")

DEFAULT_PIPELINE: Final[tuple[Stage, ...]] = (affinity, balance, passive_health, delegate, forward)
"""YARP's order: affinity, balance, passive health, delegate, forward."""


@frozen(eq=False)
class _Snapshot:
    """What one configuration comes to; swapped whole."""

    config: Config
    table: Table
    clusters: dict[str | None, LiveCluster]
    """By the id as routes write it."""


@define(eq=False)
class _Rule:
    key: tuple[str, str]
    rule: DelegationRule


def find_problems(config: Config, policies: Policies | None = None) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration."""
    known = policies or Policies()
    found: list[Problem] = []
    for problems in (check_prefixes(config), check(config, policies=known.names()), known.unresolved(config)):
        reported = {problem.path for problem in found}
        found += [problem for problem in problems if problem.path not in reported]
    return found


def load_config(source: FileSource, policies: Policies | None = None) -> Config:
    """Read a document and check it; raises OSError, and ConfigError with what cannot be read and what is wrong else."""
    try:
        config = source.load()
    except ConfigError as error:
        if error.partial is None:
            raise
        unread = [problem.path for problem in error.problems]
        others = [
            problem
            for problem in find_problems(error.partial, policies)
            if not any(_is_within(problem.path, path) or _is_within(path, problem.path) for path in unread)
        ]
        raise ConfigError([*error.problems, *others]) from error
    problems = find_problems(config, policies)
    if problems:
        raise ConfigError(problems)
    return config


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


class Proxy:
    """A reverse proxy; an instance is a handler: `await proxy(exchange)`.

    `routes` and `clusters` are the configuration, `pipeline` the stages that every routed exchange goes through,
    `policies` what names in the configuration stand for beyond hostler's own. Raises ConfigError with every problem.
    """

    def __init__(
        self,
        routes: Iterable[Route] = (),
        clusters: Iterable[Cluster] = (),
        *,
        urls: Iterable[str] = (),
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
    ) -> None:
        self._stages = tuple(pipeline)
        self._run = fold(self._stages)
        self._policies = policies or Policies()
        self._fleet = Fleet()
        self._server: Server | None = None
        self._rules: dict[LiveDestination, _Rule] = {}
        self._source: FileSource | None = None
        self._snapshot: _Snapshot
        self.update(Config(tuple(routes), tuple(clusters), tuple(urls)))

    @classmethod
    def from_config(
        cls, config: Config, *, pipeline: Iterable[Stage] = DEFAULT_PIPELINE, policies: Policies | None = None
    ) -> Proxy:
        """Make a proxy of a whole configuration."""
        return cls(config.routes, config.clusters, urls=config.urls, pipeline=pipeline, policies=policies)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        pipeline: Iterable[Stage] = DEFAULT_PIPELINE,
        policies: Policies | None = None,
    ) -> Proxy:
        """Make a proxy of a YARP document; while it runs, it follows the file.

        Raises OSError when it cannot be read, ConfigError with every problem. A later version of the file that is
        wrong is logged, and the one before stays in force.
        """
        source = FileSource(path)
        proxy = cls.from_config(load_config(source, policies), pipeline=pipeline, policies=policies)
        proxy._source = source
        return proxy

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._snapshot.config

    @property
    def clusters(self) -> tuple[LiveCluster, ...]:
        """The clusters as they stand now."""
        return tuple(self._fleet)

    def update(self, config: Config) -> None:
        """Put another configuration in force, whole; exchanges under way keep the one that they began with.

        Destinations that are in both, by id, keep their health and counts. Raises ConfigError with every problem, and
        UnsupportedError when it delegates and the server cannot; then nothing has changed.
        """
        problems = find_problems(config, self._policies)
        if problems:
            raise ConfigError(problems)
        table = Table(config.routes)
        with self._rules_for(config):
            self._apply(config, table)

    @contextmanager
    def _rules_for(self, config: Config) -> Iterator[None]:
        """Have the rules that a configuration needs open meanwhile; what a server refuses is refused before a change."""
        with ExitStack() as stack:
            if self._server is not None:
                for cluster in config.clusters:
                    for destination in cluster.destinations:
                        if destination.queue is not None:
                            rule = self._server.open_rule(destination.queue, destination.address)
                            stack.callback(self._server.close_rule, rule)
            yield

    def _apply(self, config: Config, table: Table) -> None:
        before = {id(cluster.equipment.sender): cluster.equipment.sender for cluster in self._fleet}
        self._fleet.apply(config.clusters, self._policies.equip)
        for cluster in self._fleet:
            before.pop(id(cluster.equipment.sender), None)
        clusters: dict[str | None, LiveCluster] = {}
        for route in config.routes:
            found = self._fleet.find(route.cluster_id)
            if found is not None:
                clusters[route.cluster_id] = found
        self._snapshot = _Snapshot(config, table, clusters)
        self._open_rules()
        for sender in before.values():
            sender.close()

    # -- exchanges ------------------------------------------------------------------------------------------------

    def __call__(self, exchange: Exchange) -> Awaitable[Outcome]:
        """Route an exchange and run it through the pipeline."""
        snapshot = self._snapshot
        found = snapshot.table.find(
            exchange.request.method, exchange.host, exchange.port, exchange.path or "/"
        )
        if not isinstance(found, Match):
            return self._missed(exchange, found)
        exchange.route = found.route
        exchange.route_values = found.values
        cluster = snapshot.clusters.get(found.route.cluster_id)
        if cluster is None:
            _log.warning(
                "route %s: there is no cluster %r; add it, or correct the route's ClusterId",
                found.route.id, found.route.cluster_id,
            )  # fmt: skip
            return exchange.fail(
                Failure(Reason.NO_AVAILABLE_DESTINATIONS, "the route's cluster does not exist")
            )
        exchange.cluster = cluster
        exchange.candidates = cluster.available
        return self._run(exchange)

    @staticmethod
    def _missed(exchange: Exchange, miss: Miss) -> Awaitable[Outcome]:
        headers = []
        if miss.kind is MissKind.METHOD_NOT_ALLOWED:
            headers.append(("allow", ", ".join(miss.allow)))
            text = "405 Method Not Allowed\n"
        elif miss.kind is MissKind.AMBIGUOUS:
            _log.error(
                "%s matches the routes %s equally well; give one of them an Order",
                exchange.path, " and ".join(miss.routes),
            )  # fmt: skip
            text = "500 Internal Server Error\n"
        else:
            text = "404 Not Found\n"
        return exchange.respond(miss.status, text, headers=headers)

    # -- running --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, server: Server) -> AsyncIterator[None]:
        """Run with a server: open the delegation rules, enter the stages' lifespans, follow the file."""
        if self._server is not None:
            raise RuntimeError("this proxy runs already; make one for each server")
        self._server = server
        async with AsyncExitStack() as stack:
            stack.callback(self._stop)
            self._open_rules()
            await stack.enter_async_context(lifespans(self._stages))
            if self._source is not None:
                following = asyncio.create_task(self._follow(self._source))
                stack.push_async_callback(_cancel, following)
            yield

    def _stop(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        for destination, held in self._rules.items():
            destination.rule = None
            server.close_rule(held.rule)
        self._rules.clear()
        for cluster in self._fleet:
            cluster.equipment.sender.close()
            # what is closed keeps no connections, and the next run may be in another event loop
            cluster.equipment.sender = make_sender(cluster.config)

    def _open_rules(self) -> None:
        """Have a rule open for every destination that names a queue, and for no other."""
        server = self._server
        if server is None:
            return
        wanted: dict[LiveDestination, tuple[str, str]] = {}
        for cluster in self._fleet:
            for destination in cluster.destinations:
                queue = destination.config.queue
                if queue is not None:
                    wanted[destination] = (queue, destination.config.address)
        fresh: dict[LiveDestination, _Rule] = {}
        for destination, key in wanted.items():
            held = self._rules.get(destination)
            if held is None or held.key != key:
                fresh[destination] = _Rule(key, server.open_rule(*key))
        gone = [
            destination for destination in self._rules if destination not in wanted or destination in fresh
        ]
        for destination in gone:
            held = self._rules.pop(destination)
            destination.rule = None
            server.close_rule(held.rule)
        for destination, held in fresh.items():
            self._rules[destination] = held
            destination.rule = held.rule

    def reset_queue(self, queue: str, prefix: str) -> None:
        """Let go of a queue that is delegated to under `prefix`; the next request opens it anew.

        A queue and prefix that no destination names is no error. (IHttpSysDelegator.ResetQueue)
        """
        key = (queue.lower(), prefix.lower())
        for held in self._rules.values():
            if (held.key[0].lower(), held.key[1].lower()) == key:
                held.rule.reset()
                return

    async def _follow(self, source: FileSource) -> None:
        async for _ in source.changes():
            try:
                self.update(load_config(source, self._policies))
            except (OSError, HostlerError) as error:
                _log.error(
                    "%s is not used, the configuration before it stays in force:\n%s", source.path, error
                )
            except Exception:  # noqa: BLE001 - whatever a policy does, the file is followed on
                _log.exception("%s is not used, the configuration before it stays in force", source.path)
            else:
                _log.info("%s is in force", source.path)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
