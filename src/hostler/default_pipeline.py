"""The stages that a proxy has unless it is told others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.stages import (
    affinity,
    authorize,
    balance,
    cache,
    cors,
    delegate,
    forward,
    limit_concurrency,
    limit_in_flight,
    limit_rate,
    limit_time,
    mirror,
    passive_health,
    retry,
)

if TYPE_CHECKING:
    from hostler.pipeline import Stage

__all__ = ["DEFAULT_PIPELINE"]

DEFAULT_PIPELINE: Final[tuple[Stage, ...]] = (
    cors,
    authorize,
    limit_rate,
    limit_concurrency,
    limit_time,
    cache,
    mirror,
    retry,
    affinity,
    balance,
    limit_in_flight,
    passive_health,
    delegate,
    forward,
)
"""Who may use a route, its limits, what is kept of its responses, copies and retries; then YARP's order, from affinity on."""
