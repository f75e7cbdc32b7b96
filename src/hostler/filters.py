"""Functions of a user that look at each cluster and each route before they are checked, and may change them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from attrs import evolve, frozen

from hostler.config.model import Cluster, Config, Route
from hostler.errors import Problem

if TYPE_CHECKING:
    from hostler.config.union import Draft

__all__ = ["ClusterFilter", "Filters", "RouteFilter"]

T = TypeVar("T", Route, Cluster)

ClusterFilter: TypeAlias = Callable[[Cluster], Awaitable[Cluster]]
"""Gets a cluster and returns it, or another in its place. (IProxyConfigFilter.ConfigureClusterAsync)"""

RouteFilter: TypeAlias = Callable[[Route, Cluster | None], Awaitable[Route]]
"""Gets a route, and its cluster if there is one, and returns it, or another. (IProxyConfigFilter.ConfigureRouteAsync)"""

_SLICE: Final = 0.005
"""Seconds that filters which wait for nothing may keep the event loop."""

_log: Final = logging.getLogger("hostler.proxy")


@frozen
class Filters:
    """The filters of a proxy: every cluster goes through all of its filters in order, then every route."""

    clusters: Sequence[ClusterFilter] = ()
    routes: Sequence[RouteFilter] = ()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.clusters or self.routes)

    async def apply(self, draft: Draft) -> Draft:
        """Return what filters make of a configuration; one that raises leaves it as it was, which is a problem."""
        if not self:
            return draft
        problems: list[Problem] = []
        turns = _Turns()
        clusters = []
        for cluster in draft.config.clusters:
            filtered = await _filter(f"Clusters.{cluster.id}", cluster, (), self.clusters, problems)
            clusters.append(filtered)
            await turns.take()
        by_id = {cluster.id.lower(): cluster for cluster in clusters}
        routes = []
        for route in draft.config.routes:
            its = by_id.get((route.cluster_id or "").lower())
            routes.append(await _filter(f"Routes.{route.id}", route, (its,), self.routes, problems))
            await turns.take()
        config: Config = evolve(draft.config, clusters=clusters, routes=routes)
        return evolve(draft, config=config, problems=(*draft.problems, *problems))


async def _filter(
    path: str,
    given: T,
    others: tuple[object, ...],
    filters: Sequence[Callable[..., Awaitable[Any]]],
    problems: list[Problem],
) -> T:
    made = given
    for function in filters:
        name = getattr(function, "__qualname__", None) or type(function).__qualname__
        try:
            found = await function(made, *others)
        except Exception as error:  # noqa: BLE001 - a user's
            _log.exception("%s: the filter %s raised", path, name)
            problems.append(Problem(path, f"the filter {name} raised {error!r}; correct it"))
            return given
        if not isinstance(found, type(given)):
            kind = type(given).__name__
            message = f"the filter {name} returned {found!r}; return the {kind}, or another {kind}"
            problems.append(Problem(path, message))
            return given
        made = found
    return made


class _Turns:
    """Gives others their turn every few milliseconds."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + _SLICE

    async def take(self) -> None:
        """Let others have a turn, if it is time."""
        if time.perf_counter() >= self._end:
            await asyncio.sleep(0)
            self._end = time.perf_counter() + _SLICE
