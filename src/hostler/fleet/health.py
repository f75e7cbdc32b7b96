"""What health checks say of a destination."""

from __future__ import annotations

import enum

__all__ = ["Health"]


class Health(enum.Enum):
    """The verdict of one health check on one destination."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
