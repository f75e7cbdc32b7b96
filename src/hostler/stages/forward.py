"""Forwarding an exchange to the address of its destination; the last stage of a proxy (YARP: the forwarder)."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final, Protocol

from hostler.errors import Failure, Reason
from hostler.fleet.equipment import Part
from hostler.stages.balance import place, settle_for_one

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.client.probe import ProbeRequest, ProbeResponse
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
from hostler.stages.balance import Randomness

__all__ = ["SENDER", "Sender", "forward"]

_log: Final = logging.getLogger("hostler.stages.forward")


class Sender(Protocol):
    """Forwards exchanges to the destinations of one cluster, over pooled connections."""

    def send(self, exchange: Exchange, destination: LiveDestination | str) -> Awaitable[Outcome]:
        """Forward, and count as in flight at the destination meanwhile; the outcome says how it went."""
        ...

    async def probe(self, request: ProbeRequest, timeout: float) -> ProbeResponse:
        """Ask a destination whether it is well; raises an exception where it does not answer in so many seconds."""
        ...

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange ends."""


SENDER: Final[Part[Sender]] = Part()
"""What forwards the exchanges of a cluster."""


def forward(exchange: Exchange, onward: Next, /, randomness: Randomness = random) -> Awaitable[Outcome]:
    """Forward to the candidate that is left, over the cluster's connections; a stage that never goes onward.

    Without a candidate the client gets 503.
    """
    cluster, candidates = exchange.cluster, exchange.candidates
    if cluster is None or not candidates:
        _log.warning("%s: no destination is available", place(exchange))
        return exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS))
    destination = candidates[0] if len(candidates) == 1 else settle_for_one(exchange, _log, randomness)
    exchange.destination = destination
    if destination.config.queue is not None:
        return _refuse_queue(exchange, destination)
    return cluster.equipment[SENDER].send(exchange, destination)


def _refuse_queue(exchange: Exchange, destination: LiveDestination) -> Awaitable[Outcome]:
    """Fail rather than forward to a queue's URL prefix, which may well be this proxy's own."""
    why = (
        "the server cannot delegate, or opened no delegation rule"
        if destination.rule is None
        else "the pipeline has no `delegate` stage before `forward`"
    )
    _log.error(
        "%s: destination %s is a request queue, which cannot be forwarded to: %s",
        place(exchange), destination.name, why,
    )  # fmt: skip
    detail = f"queue {destination.name} cannot be forwarded to: {why}"
    return exchange.fail(Failure(Reason.REQUEST_CREATION, detail))
