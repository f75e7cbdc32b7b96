"""The stages of a proxy, folded for each cluster: what does not concern a cluster is no step on its exchanges' way.

A stage says which clusters it concerns (`hostler.pipeline.for_clusters`); one that says nothing concerns all. A stage
that is not hostler's own may move the exchange to another cluster. So the way goes on, behind each of those, by the chain
of the cluster that the exchange is in by then. Where such a stage has set the candidates, they need not be the cluster's,
and no stage is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.model import Cluster
from hostler.fleet.equipment import Part, Recipe
from hostler.pipeline import fold, is_ours, unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange, Outcome
    from hostler.pipeline import Next, Stage

__all__ = ["CHAINS", "Chains"]

CHAINS: Final[Part[tuple[Next, ...]]] = Part()
"""The ways of a cluster's exchanges: for each place in the pipeline, from there on."""


class Chains:
    """Folds the stages of one proxy."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._whole = self._fold(*(True for _ in stages))
        self.recipe: Recipe[Cluster] = Recipe(
            part=CHAINS, owner=Cluster, settings=self._concerned, make=self._fold
        )
        """How each cluster gets its chains."""

    def _concerned(self, cluster: Cluster) -> tuple[bool, ...]:
        """Say of each stage whether it concerns a cluster."""
        return tuple(
            concerns is None or concerns(cluster)
            for concerns in (getattr(stage, "concerns", None) for stage in self._stages)
        )

    def _fold(self, *concerned: bool) -> tuple[Next, ...]:
        """Return, for each place in the pipeline, the way from there on; the last one leads to no stage."""
        way: Next = unanswered
        ways = [way]
        for index in reversed(range(len(self._stages))):
            stage = self._stages[index]
            if concerned[index]:
                way = fold([stage], way if is_ours(stage) else self._looked_up(index + 1))
            ways.append(way)
        return tuple(reversed(ways))

    def _looked_up(self, index: int) -> Next:
        """Return what goes on at a place in the pipeline as the exchange's cluster has it by then."""

        def go_on(exchange: Exchange) -> Awaitable[Outcome]:
            cluster = exchange.cluster
            if cluster is None or exchange.candidates is not cluster.available:
                return self._whole[index](exchange)
            return cluster.equipment[CHAINS][index](exchange)

        return go_on
