"""Clusters to choose from, and randomness that was decided before."""

from __future__ import annotations

from hostler.config.model import Cluster, Destination, LoadBalancing
from hostler.stages.balance import BALANCE, Balancing
from hostler.testing import live


class Numbers:
    """Randomness that was decided before."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def fleet_of(*ids, **equipment):
    return live(Cluster("api", {name: f"http://{name}:80" for name in ids}), **equipment)


def weighing(**weights):
    """Bring destinations of these weights to life; returns them."""
    made = [Destination(f"http://{name}", id=name, weight=weight) for name, weight in weights.items()]
    return live(Cluster("api", made)).available


def policy(name, *, weighted=False, settings=None):
    """Make a policy of hostler's."""
    return BALANCE.builtin[name](Balancing(settings or LoadBalancing(), weighted))
