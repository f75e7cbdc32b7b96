"""The stage, the kind of policy that it asks, and the order of fail-over."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.config.model import Cluster
from hostler.fleet.equipment import Part, PolicyKind, Recipe
from hostler.pipeline import for_clusters
from hostler.stages.balance.even import (
    PowerOfTwoChoices,
    RandomChoice,
    RoundRobin,
    first_alphabetical,
    least_requests,
)
from hostler.stages.balance.policy import BalancePolicy, Balancing
from hostler.stages.balance.weighted import (
    WeightedPowerOfTwoChoices,
    WeightedRandomChoice,
    WeightedRoundRobin,
    weighted_least_requests,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.stages.balance.policy import Candidates

__all__ = ["BALANCE", "RANKED", "RANKS", "balance", "best_ranked"]


def _make_consistent_hash(balancing: Balancing) -> BalancePolicy:
    from hostler.stages.balance.consistent import ConsistentHash  # noqa: PLC0415 - with it, hashlib

    return ConsistentHash(balancing)


_BUILTIN: Final[dict[str, Callable[[Balancing], BalancePolicy]]] = {
    "ConsistentHash": _make_consistent_hash,
    "FirstAlphabetical": lambda _: first_alphabetical,
    "LeastRequests": lambda given: weighted_least_requests if given.weighted else least_requests,
    "PowerOfTwoChoices": lambda given: WeightedPowerOfTwoChoices() if given.weighted else PowerOfTwoChoices(),
    "Random": lambda given: WeightedRandomChoice() if given.weighted else RandomChoice(),
    "RoundRobin": lambda given: WeightedRoundRobin() if given.weighted else RoundRobin(),
}

BALANCE: Final[PolicyKind[Cluster, BalancePolicy]] = PolicyKind(
    owner=Cluster,
    key="LoadBalancingPolicy",
    named=lambda cluster: cluster.balance,
    default="PowerOfTwoChoices",
    builtin=MappingProxyType(_BUILTIN),
    arguments=lambda cluster: (Balancing.of(cluster),),
)
"""The kind of policy that chooses; each cluster has a policy object of its own."""


def _rank(destination: LiveDestination) -> tuple[bool, int]:
    config = destination.config
    return config.weight == 0, config.priority


def best_ranked(candidates: Candidates) -> Candidates:
    """Keep the candidates that come first: by weight, those with 0 last; then by priority."""
    first = min(map(_rank, candidates))
    return tuple(candidate for candidate in candidates if _rank(candidate) == first)


RANKED: Final[Part[Callable[[Candidates], Candidates]]] = Part()
"""Keeps the candidates that come first; missing where all destinations are of one rank."""

RANKS: Final[Recipe[Cluster]] = Recipe(
    part=RANKED,
    owner=Cluster,
    settings=lambda cluster: (
        () if len({(item.weight == 0, item.priority) for item in cluster.destinations}) > 1 else None
    ),
    make=lambda: best_ranked,
)


@for_clusters(lambda cluster: len(cluster.destinations) > 1)
def balance(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Narrow the candidates to the one that the cluster's policy chooses; a stage (YARP: UseLoadBalancing).

    The policy chooses among those that come first in the order of fail-over.
    """
    candidates = exchange.candidates
    if len(candidates) > 1 and (cluster := exchange.cluster) is not None:
        ranked = cluster.equipment.get(RANKED)
        if ranked is not None:
            candidates = ranked(candidates)
        picked = cluster.equipment[BALANCE](exchange, candidates) if len(candidates) > 1 else candidates[0]
        exchange.candidates = () if picked is None else (picked,)
    return onward(exchange)
