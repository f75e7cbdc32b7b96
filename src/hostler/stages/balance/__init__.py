"""Choosing one of several destinations (YARP: LoadBalancingPolicy).

A policy is called only when there is something to choose. `even.py` has YARP's policies, for clusters whose
destinations are equal; `weighted.py` the same for those that have weights; `consistent.py` the choice by a hash of the
request. `stage.py` has the stage, `settling.py` what the stages behind it do without it. Imports point from the stage
to the policies.

Randomness is anything with `random()`: the `random` module itself, or a seeded `random.Random`.
"""

from hostler.stages.balance.policy import BalancePolicy, Balancing, Candidates, Randomness
from hostler.stages.balance.settling import place, settle_for_one
from hostler.stages.balance.stage import BALANCE, RANKS, balance

__all__ = [
    "BALANCE",
    "RANKS",
    "BalancePolicy",
    "Balancing",
    "Candidates",
    "Randomness",
    "balance",
    "place",
    "settle_for_one",
]
