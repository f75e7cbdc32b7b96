"""Giving an exchange the transforms of its route, which whoever forwards or delegates it applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.pipeline import for_routes
from hostler.transforms.compiled import TRANSFORMS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["transform"]


@for_routes(lambda route: bool(route.transforms))
def transform(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Give the exchange its route's transforms; a stage that every proxy has in front of its pipeline."""
    if exchange.route is not None:
        exchange.transforms = exchange.route.equipment.get(TRANSFORMS)
    return onward(exchange)
