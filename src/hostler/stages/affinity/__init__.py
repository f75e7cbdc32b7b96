"""Keeping a client on the destination that answered it first (YARP: SessionAffinity).

A key names the destination. It travels in a cookie or a header, as a hash of the destination's id (`hashed.py`) or as
the id itself, sealed (`sealed.py`, by keys of `keys.py`). So any proxy with the same configuration finds the same
destination, and nothing has to be remembered. `stage.py` has the stage, `policy.py` what a policy is. Imports point from the stage to the
policies.
"""

from hostler.stages.affinity.policy import (
    AffinityFailure,
    AffinityFailurePolicy,
    AffinityPolicy,
    redistribute,
    return_503_error,
)
from hostler.stages.affinity.stage import AFFINITY, AFFINITY_FAILURE, affinity

__all__ = [
    "AFFINITY",
    "AFFINITY_FAILURE",
    "AffinityFailure",
    "AffinityFailurePolicy",
    "AffinityPolicy",
    "affinity",
    "redistribute",
    "return_503_error",
]
