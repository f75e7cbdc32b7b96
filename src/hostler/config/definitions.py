"""The policies that a document defines for its routes to name: its `Policies` section, ours beside YARP's.

Times are seconds (float), sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `keys_of` asks for the types
from typing import TYPE_CHECKING

from attrs import field, frozen

from hostler.config.fields import NOTHING, mapping, statuses, strings

if TYPE_CHECKING:
    # `keys_of` imports them for a document that defines some
    from hostler.config.access import AuthorizationDefinition, CorsDefinition
    from hostler.config.limits import ConcurrencyDefinition, RateLimiterDefinition

__all__ = ["Definitions", "RetryDefinition", "TimeoutDefinition"]


@frozen
class TimeoutDefinition:
    """How long exchanges may take (Route.TimeoutPolicy; ASP.NET's RequestTimeoutPolicy)."""

    timeout: float
    """Seconds from the request to the end of its answer."""

    timeout_status_code: int = 504
    """What a client gets whose answer has not begun by then."""


@frozen(kw_only=True)
class RetryDefinition:
    """What is sent again, and how often (Route.RetryPolicy)."""

    max_attempts: int = 3
    """How often a request is sent, the first time included."""

    failures: tuple[str, ...] = field(
        default=("Request", "RequestTimedOut", "RequestBodyDestination"), converter=strings
    )
    """After which failures, by YARP's names (`hostler.Reason`)."""

    statuses: tuple[str, ...] = field(default=(), converter=statuses)
    """After which statuses of an answer, 503 or "5xx"."""

    methods: tuple[str, ...] = field(
        default=("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"), converter=strings
    )
    """Which methods, where some of the request may have reached a destination; by default the idempotent ones."""

    max_body_size: int = 1 << 16
    """Bytes of a request's body that are kept to be sent again; a larger one is sent once."""

    try_timeout: float | None = None
    """Seconds that one try may take until its answer begins."""

    timeout: float | None = None
    """Seconds that all tries together may take until an answer begins."""

    budget_percent: int = 20
    """How many retries there may be for 100 requests of the routes that name the policy."""

    budget_reserve: int = 10
    """How many more there may be at once, after quieter times."""


@frozen(kw_only=True)
class Definitions:
    """The `Policies` section: definitions by name, which is case-insensitive."""

    timeouts: Mapping[str, TimeoutDefinition] = field(default=NOTHING, converter=mapping)
    rate_limiters: Mapping[str, RateLimiterDefinition] = field(default=NOTHING, converter=mapping)
    concurrency: Mapping[str, ConcurrencyDefinition] = field(default=NOTHING, converter=mapping)
    cors: Mapping[str, CorsDefinition] = field(default=NOTHING, converter=mapping)
    authorization: Mapping[str, AuthorizationDefinition] = field(default=NOTHING, converter=mapping)
    retries: Mapping[str, RetryDefinition] = field(default=NOTHING, converter=mapping)
