"""The stage, and the kinds of policies that it asks."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeGuard

from hostler.answering import AddedHeaders
from hostler.config.model import Cluster
from hostler.fleet.equipment import PolicyKind
from hostler.pipeline import for_clusters
from hostler.stages.affinity.builtin import FAILURE_POLICIES, POLICIES, find_fault
from hostler.stages.affinity.policy import AffinityFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.config.model import SessionAffinity
    from hostler.exchange import Exchange
    from hostler.fleet import LiveCluster
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.stages.affinity.policy import AffinityFailurePolicy, AffinityPolicy, Found

__all__ = ["AFFINITY", "AFFINITY_FAILURE", "affinity"]

_WRITTEN: Final = "hostler.affinity"
"""Among an exchange's items: the headers that have a key. The stage sees an exchange again, when it is tried again."""


def _is_on(config: SessionAffinity | None) -> TypeGuard[SessionAffinity]:
    return config is not None and config.enabled


AFFINITY: Final[PolicyKind[Cluster, AffinityPolicy]] = PolicyKind(
    owner=Cluster,
    key="SessionAffinity.Policy",
    named=lambda cluster: cluster.affinity.policy if _is_on(cluster.affinity) else None,
    default="HashCookie",
    builtin=MappingProxyType(POLICIES),
    arguments=lambda cluster: (cluster.affinity,),
    find_fault_here=find_fault,
)
"""The kind of policy that finds and writes keys."""

AFFINITY_FAILURE: Final[PolicyKind[Cluster, AffinityFailurePolicy]] = PolicyKind(
    owner=Cluster,
    key="SessionAffinity.FailurePolicy",
    named=lambda cluster: cluster.affinity.failure_policy if _is_on(cluster.affinity) else None,
    default="Redistribute",
    builtin=MappingProxyType(FAILURE_POLICIES),
)
"""The kind of policy that decides when a key is of no use."""


@for_clusters(lambda cluster: _is_on(cluster.affinity))
def affinity(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Narrow the candidates to those that the request's key names; a stage (YARP: UseSessionAffinity).

    A request without a key goes anywhere, and its response carries the key of where it went; so does one whose key is
    of no use, unless the failure policy answers it. A key may name a drained destination too.
    """
    cluster = exchange.cluster
    policy = None if cluster is None else cluster.equipment.get(AFFINITY)
    if cluster is None or policy is None:
        return onward(exchange)
    candidates = exchange.candidates
    if candidates is cluster.available:  # and was not narrowed by another stage
        candidates = cluster.for_affinity
    found = policy.find(exchange, candidates)
    if found is None or isinstance(found, tuple | AffinityFailure):
        return _go_by(found, exchange, cluster, onward)
    return _wait_for(found, exchange, cluster, onward)


async def _wait_for(
    coming: Awaitable[Found], exchange: Exchange, cluster: LiveCluster, onward: Next
) -> Outcome:
    return await _go_by(await coming, exchange, cluster, onward)


def _go_by(found: Found, exchange: Exchange, cluster: LiveCluster, onward: Next) -> Awaitable[Outcome]:
    """Go on as a policy's finding has it."""
    if found is None:
        return _go_anywhere(exchange, onward)
    if isinstance(found, tuple) and found:
        exchange.candidates = found
        return onward(exchange)
    why = found if isinstance(found, AffinityFailure) else AffinityFailure.DESTINATION_NOT_FOUND
    answer = cluster.equipment[AFFINITY_FAILURE](exchange, why)
    return _go_anywhere(exchange, onward) if answer is None else _unless(answer, exchange, onward)


async def _unless(answer: Awaitable[Outcome | None], exchange: Exchange, onward: Next) -> Outcome:
    """Go anywhere, unless a failure policy answers the exchange."""
    outcome = await answer
    return await _go_anywhere(exchange, onward) if outcome is None else outcome


def _go_anywhere(exchange: Exchange, onward: Next) -> Awaitable[Outcome]:
    exchange.on_response(partial(_write_key, exchange))
    return onward(exchange)


def _write_key(exchange: Exchange, headers: RawHeaders) -> None:
    """Add the key of where the exchange went, by the policy of the cluster that it is in by then."""
    destination, cluster = exchange.destination, exchange.cluster
    if destination is None or cluster is None or exchange.stream.closed:
        return
    policy = cluster.equipment.get(AFFINITY)
    if policy is not None and exchange.items.get(_WRITTEN) is not headers:
        exchange.items[_WRITTEN] = headers
        key = policy.key_headers(exchange, destination)
        if not isinstance(headers, AddedHeaders):
            _remove(headers, {name.lower() for name, _ in key} - {b"set-cookie"})
        headers += key


def _remove(headers: RawHeaders, names: set[bytes]) -> None:
    """Remove what a destination has to say in the header that is the key's: a client sends back what stands there."""
    if names:
        headers[:] = [pair for pair in headers if pair[0].lower() not in names]
