"""What a rate limiter is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange

__all__ = ["ClosingPolicy", "RateLimiterPolicy", "Refused"]


@frozen
class Refused:
    """A rate limiter's answer for a request that is one too many, or of which nobody can say so."""

    retry_after: float
    """Seconds after which another may come."""

    status: int = 429
    """What the client gets."""


class RateLimiterPolicy(Protocol):
    """Counts requests, and refuses those that are too many."""

    def __call__(self, exchange: Exchange, /) -> Awaitable[Refused | None]:
        """Count a request; returns why it is refused, None to let it go on."""
        ...


@runtime_checkable
class ClosingPolicy(Protocol):
    """A rate limiter that has connections."""

    async def close(self) -> None:
        """Let go of them; requests may come afterwards, in another event loop."""
