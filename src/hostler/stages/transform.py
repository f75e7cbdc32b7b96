"""Giving an exchange the transforms of its route, which whoever forwards or delegates it applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hostler.config.model import Route
from hostler.fleet.equipment import Part, Recipe
from hostler.pipeline import for_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.transforms.compiled import Transforms
    from hostler.transforms.reading import Factories

__all__ = ["TRANSFORMS", "compiling", "transform"]

TRANSFORMS: Final[Part[Transforms]] = Part()
"""The transforms of a route; a route without any has none."""


def compiling(factories: Factories) -> Recipe[Route]:
    """Return how the transforms of each route that has any are compiled; `factories` make those of a user's own."""

    def make(*transforms: Any) -> Transforms:
        from hostler.transforms.reading import make_transforms  # noqa: PLC0415 - for routes with transforms alone

        return make_transforms(transforms, factories)

    return Recipe(
        part=TRANSFORMS,
        owner=Route,
        settings=lambda route: route.transforms or None,
        make=make,
    )


@for_routes(lambda route: bool(route.transforms))
def transform(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Give the exchange its route's transforms; a stage that every proxy has in front of its pipeline."""
    if exchange.route is not None:
        exchange.transforms = exchange.route.equipment.get(TRANSFORMS)
    return onward(exchange)
