"""Stages that are watched: which exchanges they get, and what they leave of the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from hostler import stages

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.outcome import Outcome
    from hostler.pipeline import Next, Stage

__all__ = ["Visit", "Watched"]


@define(eq=False)
class Visit:
    """An exchange that came to a stage."""

    stage: str
    before: tuple[LiveDestination, ...]
    """The candidates that it came with."""

    after: tuple[LiveDestination, ...] | None = None
    """Those that it went onward with; None when the stage answered, or sent it."""


class Watched:
    """A stage that notes who comes by; it concerns the same clusters and routes."""

    def __init__(self, stage: Stage, visits: list[Visit]) -> None:
        self.name = _name(stage)
        self._stage = stage
        self._visits = visits
        for condition in ("concerns", "concerns_route"):
            if (concerns := getattr(stage, condition, None)) is not None:
                setattr(self, condition, concerns)

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Do what the stage does."""
        visit = Visit(self.name, exchange.candidates)
        self._visits.append(visit)

        def go_on(exchange: Exchange) -> Awaitable[Outcome]:
            visit.after = exchange.candidates
            return onward(exchange)

        return self._stage(exchange, go_on)


def _name(stage: Stage) -> str:
    """Return the name by which `hostler.stages` has a stage."""
    found = (name for name in stages.__all__ if getattr(stages, name) is stage)
    return next(found, getattr(stage, "__name__", type(stage).__name__))
