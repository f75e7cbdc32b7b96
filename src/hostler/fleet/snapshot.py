"""A configuration brought to life, and how one takes the place of another."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from hostler.config.model import Config
from hostler.fleet.clusters import LiveCluster
from hostler.fleet.destinations import LiveDestination
from hostler.fleet.equipment import Equipment, Shared, equip
from hostler.fleet.health import HealthListeners
from hostler.fleet.routes import LiveRoute
from hostler.routing.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.config.model import Cluster, Route
    from hostler.fleet.equipment import Recipe
    from hostler.steps import Steps

__all__ = ["Fleet", "Snapshot"]

Equip: TypeAlias = Callable[..., Equipment]
"""Makes the equipment of a cluster or a route, given what is live of the same id."""


@frozen(eq=False)
class Snapshot:
    """What one configuration comes to; put in force whole."""

    config: Config
    table: Table[LiveRoute]
    routes: Mapping[str, LiveRoute]
    """By lower-case id, in the configuration's order."""

    clusters: Mapping[str, LiveCluster]
    """By lower-case id, in the configuration's order."""

    shared: Shared = field(factory=Shared)
    """What several routes or clusters have together."""


class Fleet:
    """The live routes and clusters of the configuration that is in force: `snapshot`.

    Another configuration is built aside, which changes nothing, and then applied, which cannot fail and takes no
    longer than looking at every destination once.
    """

    def __init__(
        self, recipes: Iterable[Recipe[Any]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` is what destinations warm up by."""
        self._recipes = tuple(recipes)
        self._clock = clock
        self.snapshot = Snapshot(Config(), Table(()), {}, {})
        self.listeners = HealthListeners()
        """Told when the health of any destination has changed."""

    def find_cluster(self, cluster_id: str) -> LiveCluster | None:
        """Return the cluster of that id, in any case."""
        return self.snapshot.clusters.get(cluster_id.lower())

    def route(self, route_id: str) -> LiveRoute:
        """Return the route of that id, in any case; raises LookupError when there is none."""
        route = self.snapshot.routes.get(route_id.lower())
        if route is None:
            raise _unknown("route", route_id, self.snapshot.routes.values())
        return route

    def cluster(self, cluster_id: str) -> LiveCluster:
        """Return the cluster of that id, in any case; raises LookupError when there is none."""
        cluster = self.find_cluster(cluster_id)
        if cluster is None:
            raise _unknown("cluster", cluster_id, self.snapshot.clusters.values())
        return cluster

    def destination(self, cluster_id: str, destination_id: str) -> LiveDestination:
        """Return a destination by its cluster's id and its own, in any case; raises LookupError when there is none."""
        cluster = self.cluster(cluster_id)
        for destination in cluster.destinations:
            if destination.id.lower() == destination_id.lower():
                return destination
        raise _unknown("destination", destination_id, cluster.destinations)

    def build(self, config: Config) -> Steps[Snapshot]:
        """Bring a configuration without problems to life, beside the one that is in force.

        Destinations of the same cluster and id are the same objects, still with the configuration that is in force.
        Whatever a recipe raises passes through. When another snapshot comes in force between two steps, what was built
        so far is of no use.
        """
        shared = Shared(self.snapshot.shared)
        equipped = partial(equip, self._recipes, definitions=config.definitions, shared=shared)
        clusters: dict[str, LiveCluster] = {}
        for cluster in config.clusters:
            yield
            clusters[cluster.id.lower()] = self._cluster(cluster, equipped)
        routes: dict[str, LiveRoute] = {}
        for route in config.routes:
            yield
            routes[route.id.lower()] = self._route(route, clusters, equipped)
        shared.forget_before()
        table = yield from Table.build(routes.values())
        return Snapshot(config, table, routes, clusters, shared)

    def _cluster(self, config: Cluster, equipped: Equip) -> LiveCluster:
        previous = self.find_cluster(config.id)
        known = {} if previous is None else {live.id.lower(): live for live in previous.destinations}
        find = partial(self.find_cluster, config.id)
        destinations = tuple(
            known.get(destination.id.lower())
            or LiveDestination(destination.id, destination, find_cluster=find)
            for destination in config.destinations
        )
        cluster = LiveCluster(
            config.id,
            config,
            equipped(config, previous),
            destinations,
            find_current=self.find_cluster,
            listeners=self.listeners,
            clock=self._clock,
        )
        cluster.refresh_this()
        return cluster

    def _route(self, config: Route, clusters: Mapping[str, LiveCluster], equipped: Equip) -> LiveRoute:
        previous = self.snapshot.routes.get(config.id.lower())
        cluster = None if config.cluster_id is None else clusters.get(config.cluster_id.lower())
        equipment = equipped(config, previous)
        if previous is None:
            return LiveRoute(config.id, config, cluster, equipment)
        return LiveRoute(config.id, config, cluster, equipment, previous.state)

    def apply(self, snapshot: Snapshot) -> None:
        """Put in force what was built last."""
        for cluster in snapshot.clusters.values():
            for destination, config in zip(cluster.destinations, cluster.config.destinations, strict=True):
                destination.config = config
            cluster.refresh_this()  # health may have changed since the snapshot was built
        self.snapshot = snapshot


def _unknown(kind: str, name: str, known: Iterable[LiveRoute | LiveCluster | LiveDestination]) -> LookupError:
    return LookupError(
        f"there is no {kind} {name!r}; there is {', '.join(repr(one.id) for one in known) or 'none'}"
    )
