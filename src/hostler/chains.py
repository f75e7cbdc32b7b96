"""The stages of a proxy, folded: what does not concern a route or a cluster is no step on its exchanges' way.

A stage says which clusters and which routes it concerns (`for_clusters`, `for_routes` of `hostler.pipeline`); one that
says nothing concerns all. A stage that is not hostler's own may move the exchange to another cluster. So the way goes
on, behind each of those, as the exchange's route and cluster have it by then. Where such a stage has set the candidates,
they need not be the cluster's, and no stage is left out because of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.model import Cluster, Route
from hostler.errors import Problem
from hostler.fleet.equipment import Part, Recipe
from hostler.pipeline import fold, is_ours, unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from hostler.checking import Check
    from hostler.config.model import Config
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next, Stage

__all__ = ["CONCERNED", "Chains", "pipeline_checks"]

CONCERNED: Final[Part[int]] = Part()
"""Which stages concern a cluster or a route: a bit each, the first stage's is 1."""


class Chains(dict[int, "tuple[Next, ...]"]):
    """Folds the stages of one proxy.

    A chain is found by the stages that are in it, as `CONCERNED` has them; it is folded when it is first asked for. It is
    one function for each place in the pipeline: the way from there on.
    """

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        self._stages = stages
        self._all = (1 << len(stages)) - 1
        self.recipes: tuple[Recipe[Cluster], Recipe[Route]] = (
            Recipe(part=CONCERNED, owner=Cluster, settings=self._concerning("concerns"), make=int),
            Recipe(part=CONCERNED, owner=Route, settings=self._concerning("concerns_route"), make=int),
        )
        """How each cluster and each route gets its `CONCERNED`."""

    def _concerning(self, attribute: str) -> Callable[[Cluster | Route], tuple[int]]:
        conditions = [
            (1 << index, getattr(stage, attribute, None)) for index, stage in enumerate(self._stages)
        ]

        def concerned(config: Cluster | Route) -> tuple[int]:
            return (sum(bit for bit, concerns in conditions if concerns is None or concerns(config)),)

        return concerned

    def __missing__(self, concerned: int) -> tuple[Next, ...]:
        """Fold the chain of these stages; the last of its ways leads to no stage."""
        way: Next = unanswered
        ways = [way]
        for index in reversed(range(len(self._stages))):
            stage = self._stages[index]
            if concerned >> index & 1:
                way = fold([stage], way if is_ours(stage) else self._looked_up(index + 1))
            ways.append(way)
        self[concerned] = chain = tuple(reversed(ways))
        return chain

    def _looked_up(self, index: int) -> Next:
        """Return what goes on at a place in the pipeline as the exchange has it by then."""

        def go_on(exchange: Exchange) -> Awaitable[Outcome]:
            route, cluster = exchange.route, exchange.cluster
            concerned = self._all if route is None else route.equipment[CONCERNED]
            if cluster is not None and exchange.candidates is cluster.available:
                concerned &= cluster.equipment[CONCERNED]
            return self[concerned][index](exchange)

        return go_on


def _condition(stage: Stage) -> object:
    """Return what tells which routes a stage concerns, the same one for all stages of a class; None for every route."""
    concerns = getattr(stage, "concerns_route", None)
    return getattr(concerns, "__func__", concerns)


def pipeline_checks(stages: tuple[Stage, ...], ours: Iterable[Stage]) -> tuple[Check, ...]:
    """Return what finds the routes that do not go with a pipeline; `ours` are the stages that do what routes can ask for."""
    return _find_missing_stages(stages, ours), _find_unseen_requests(stages)


def _find_missing_stages(stages: tuple[Stage, ...], ours: Iterable[Stage]) -> Check:
    """Return what finds the routes that ask for something which none of a pipeline's stages does, as ASP.NET does.

    A stage that is told by the same function or method which
    routes it concerns counts as one of them: it is of the same class, or stands around it. Without this a route that is
    meant to be guarded would be open.
    """
    # a partial of a stage is that stage
    there = {_condition(getattr(stage, "func", stage)) for stage in stages}
    missing = [
        (stage, concerns)
        for stage in ours
        if _condition(stage) not in there and (concerns := getattr(stage, "concerns_route", None)) is not None
    ]

    def find(config: Config) -> Iterator[Problem]:
        for route in config.routes if missing else ():
            for stage, concerns in missing:
                if concerns(route):
                    name = getattr(stage, "__name__", type(stage).__name__)
                    yield Problem(
                        f"Routes.{route.id}",
                        f"it asks for what the stage {name} does, which the pipeline does not have; put "
                        f"hostler.stages.{name} into the pipeline, or remove the setting",
                    )

    return find


def _find_unseen_requests(stages: tuple[Stage, ...]) -> Check:
    """Return what finds the routes with `ResponseCaching` that a stage of the user's own concerns.

    It may guard, count or change requests, and would not see those that the server answers with what it keeps.
    """
    own = [stage for stage in stages if not is_ours(getattr(stage, "func", stage))]

    def find(config: Config) -> Iterator[Problem]:
        caching = [route for route in config.routes if route.response_caching] if own else []
        for route in caching:
            for stage in own:
                concerns = getattr(stage, "concerns_route", None)
                if concerns is None or concerns(route):
                    name = getattr(stage, "__name__", type(stage).__name__)
                    yield Problem(
                        f"Routes.{route.id}.ResponseCaching",
                        f"the stage {name} concerns the route, and does not see requests that the server answers with a "
                        "response that it keeps; have it leave the route out (hostler.pipeline.for_routes), or "
                        "remove ResponseCaching",
                    )

    return find
