"""What a balancing policy is, and what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from hostler.config.model import Cluster, LoadBalancing
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination

__all__ = ["BalancePolicy", "Balancing", "Candidates", "Randomness"]

Candidates: TypeAlias = "tuple[LiveDestination, ...]"


class BalancePolicy(Protocol):
    """Chooses one of several destinations; the candidates are never empty."""

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination | None:
        """Return the choice, or None when none will do."""
        ...


class Randomness(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Return a number from 0 up to, and not including, 1."""
        ...


@frozen
class Balancing:
    """What a cluster's balancing policy is made of."""

    settings: LoadBalancing
    weighted: bool
    """Whether its destinations have weights, or may have a part of them; only then does a policy ask for them."""

    @classmethod
    def of(cls, cluster: Cluster) -> Balancing:
        """Return what the policy of a cluster is made of."""
        weights = {destination.weight for destination in cluster.destinations} - {0}
        warm_up = cluster.health_check.slow_start is not None
        return cls(cluster.load_balancing, weighted=len(weights) > 1 or warm_up)
