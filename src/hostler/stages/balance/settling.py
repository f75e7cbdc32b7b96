"""What the last stages do with several candidates, and how they say where an exchange is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.stages.balance.policy import Randomness

__all__ = ["place", "settle_for_one"]


def settle_for_one(exchange: Exchange, log: logging.Logger, randomness: Randomness) -> LiveDestination:
    """Return the one candidate; of several, which no stage chose from, any one, and say so in `log`."""
    candidates = exchange.candidates
    if len(candidates) == 1:
        return candidates[0]
    picked = candidates[int(randomness.random() * len(candidates))]
    exchange.candidates = (picked,)
    log.warning(
        "%s: %d destinations are left and no stage chose one; took %s at random; put `balance` into the pipeline",
        place(exchange), len(candidates), picked.name,
    )  # fmt: skip
    return picked


def place(exchange: Exchange) -> str:
    """Say where an exchange is, for a log line: its route and its cluster."""
    route, cluster = exchange.route, exchange.cluster
    return f"route {route.id if route else '-'}, cluster {cluster.id if cluster else '-'}"
