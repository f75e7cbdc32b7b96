"""A cluster's health checks."""

from __future__ import annotations

from attrs import field, frozen

from hostler.config.fields import statuses

__all__ = [
    "FAILURE_RATE_METADATA",
    "THRESHOLD_METADATA",
    "ActiveHealthCheck",
    "HealthCheck",
    "PassiveHealthCheck",
]

FAILURE_RATE_METADATA = "TransportFailureRateHealthPolicy.RateLimit"
"""The metadata key of a cluster that sets from which share of failures (0 to 1) on a destination is unhealthy."""

THRESHOLD_METADATA = "ConsecutiveFailuresHealthPolicy.Threshold"
"""The metadata key of a cluster that sets how many failed probes in a row make a destination unhealthy."""


@frozen
class PassiveHealthCheck:
    """Judge destinations by what became of the exchanges sent to them."""

    enabled: bool = True
    policy: str = "TransportFailureRate"
    reactivation_period: float = 60.0
    """Seconds for which an unhealthy destination gets nothing, before it is unknown again."""

    half_open: bool = False
    """Whether it gets one exchange at a time then, until one succeeds (HalfOpen, hostler's own)."""

    unhealthy_statuses: tuple[str, ...] = field(default=(), converter=statuses)
    """Statuses of answers that count as failures, 503 or "5xx" (UnhealthyStatuses, hostler's own)."""

    latency_limit: float | None = None
    """Seconds after which the beginning of an answer counts as a failure (LatencyLimit, hostler's own)."""


@frozen
class ActiveHealthCheck:
    """Judge destinations by asking them."""

    enabled: bool = True
    interval: float = 15.0
    """Seconds from the end of one round of probes to the next."""

    timeout: float = 10.0
    """Seconds that one probe may take."""

    policy: str = "ConsecutiveFailures"
    path: str | None = None
    """What is appended to the path of a destination's `Health` or `Address`; begins with a slash."""

    query: str | None = None
    """The query, with its question mark."""

    request: str = "Get"
    """What makes the request of a probe (Request, hostler's own)."""


@frozen
class HealthCheck:
    """A cluster's health checks, and which destinations are available given their verdicts."""

    passive: PassiveHealthCheck = PassiveHealthCheck(enabled=False)
    active: ActiveHealthCheck = ActiveHealthCheck(enabled=False)
    available_destinations_policy: str = "HealthyOrPanic"
    slow_start: float | None = None
    """Seconds in which a destination that comes back gets all of its weight (SlowStart, hostler's own)."""
