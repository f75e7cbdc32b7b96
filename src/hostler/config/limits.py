"""What limits the requests of routes: rate limiters, and how many there may be at once.

They are in the `Policies` section of a document. Times are seconds.
"""

from __future__ import annotations

import enum
from typing import Final

from attrs import field, frozen

__all__ = [
    "REDIS_SCHEMES",
    "ConcurrencyDefinition",
    "RateLimitAlgorithm",
    "RateLimiterDefinition",
    "RedisDefinition",
    "RedisWhenDown",
]


REDIS_SCHEMES: Final = ("redis://", "rediss://", "redis+unix://")
"""What the address of a Redis begins with."""


class RateLimitAlgorithm(enum.Enum):
    """How a rate limiter counts."""

    FIXED_WINDOW = "FixedWindow"
    MOVING_WINDOW = "MovingWindow"
    SLIDING_WINDOW = "SlidingWindow"


class RedisWhenDown(enum.Enum):
    """What becomes of requests while nobody can count them."""

    ALLOW = "Allow"
    REJECT = "Reject"


@frozen
class RedisDefinition:
    """Where a rate limiter counts together with those of other proxies."""

    url: str = field(repr=False)
    """`redis://[:password@]host[:port][/database]`, `rediss://` with TLS, or `redis+unix:///path`."""

    timeout: float = field(default=0.5, kw_only=True)
    """Seconds that an answer may take."""

    when_down: RedisWhenDown = field(default=RedisWhenDown.ALLOW, kw_only=True)
    """What becomes of requests that cannot be counted."""


@frozen
class RateLimiterDefinition:
    """How many requests there may be in a time (Route.RateLimiterPolicy)."""

    permit_limit: int
    """Requests in a window."""

    window: float
    """Seconds, whole ones."""

    algorithm: RateLimitAlgorithm = field(default=RateLimitAlgorithm.SLIDING_WINDOW, kw_only=True)
    partition_by: str = field(default="ClientAddress", kw_only=True)
    """Whose requests are counted together: `ClientAddress`, `Route`, `Header`, or `package.module:function`."""

    header: str = field(default="", kw_only=True)
    """The header whose value requests are counted by."""

    ipv6_prefix_length: int = field(default=64, kw_only=True)
    """How much of an IPv6 address counts: a client has all of a /64."""

    max_keys: int = field(default=100_000, kw_only=True)
    """Keys that are counted at most, in memory; the one that was not asked for the longest goes."""

    redis: RedisDefinition | None = field(default=None, kw_only=True)
    """Where to count, if not in each process for itself."""


@frozen
class ConcurrencyDefinition:
    """How many exchanges there may be at once (Route.ConcurrencyPolicy, Cluster.DestinationConcurrency)."""

    permit_limit: int
    """How many at once."""

    queue_limit: int = field(default=0, kw_only=True)
    """How many more may wait, in order."""

    queue_timeout: float = field(default=10.0, kw_only=True)
    """Seconds that one may wait."""
