"""Rules for how one of several destinations is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.values import TOKEN
from hostler.config.model import HashBy, LoadBalancing
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Cluster

__all__ = ["check_balancing"]

_WITHOUT_SETTINGS: Final = {
    "", "firstalphabetical", "leastrequests", "poweroftwochoices", "random", "roundrobin"
}  # fmt: skip
_NAMED: Final = {HashBy.HEADER: "header", HashBy.COOKIE: "cookie"}
_MAX_SEGMENT: Final = 1000


def check_balancing(path: str, cluster: Cluster) -> Iterator[Problem]:
    """Find what is wrong with the settings of a cluster's balancing policy."""
    settings = cluster.load_balancing
    if settings != LoadBalancing() and cluster.balance.lower() in _WITHOUT_SETTINGS:
        message = f"is for ConsistentHash, and {cluster.balance or 'PowerOfTwoChoices'} does not look at it"
        yield Problem(path, f"{message}; remove it, or set LoadBalancingPolicy to ConsistentHash")
        return
    kind = _NAMED.get(settings.hash_by)
    if kind is None:
        if settings.name:
            message = (
                f"HashBy {settings.hash_by.value} takes no name; remove it, or hash by a header or a cookie"
            )
            yield Problem(f"{path}.Name", message)
    elif not settings.name:
        yield Problem(f"{path}.Name", f"is missing; name the {kind} to hash by")
    elif not TOKEN.fullmatch(settings.name):
        message = f"{settings.name!a} is not a {kind}'s name; use letters, digits and !#$%&'*+-.^_`|~"
        yield Problem(f"{path}.Name", message)
    if not 1 <= settings.segment <= _MAX_SEGMENT:
        message = f"{settings.segment} is out of range; use 1 for the first segment, up to {_MAX_SEGMENT}"
        yield Problem(f"{path}.Segment", message)
