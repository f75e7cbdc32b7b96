"""How many workers a supervisor keeps, and when: a value, from the command line or a program to the supervisor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["WorkerPolicy"]


def _count(instance: object, attribute: Attribute[Any], value: object) -> None:
    least = 1 if attribute.name == "maximum" else 0
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{attribute.name}: {value!r} is not a number of workers; use {least} or more")


def _crashes(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(
            f"max_crashes: {value!r} is not a number of failures; use 1 or more, or None for no limit"
        )


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    none = attribute.name == "idle_timeout"
    if none and value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        never = ", or None for never" if none else ""
        raise ValueError(f"{attribute.name}: {value!r} is not a number of seconds above 0{never}")


@frozen
class WorkerPolicy:
    """How many worker processes serve, and when they are started and stopped (an application pool of IIS).

    Between `minimum` and `maximum` workers are started when a request waits that no worker has asked for, and stopped
    when they are idle. That is for HTTP.sys alone, which says when a request waits.
    """

    maximum: int = field(validator=_count)
    """Workers at a time (processModel.maxProcesses)."""

    minimum: int = field(default=0, validator=_count, kw_only=True)
    """Workers that are always there; with 0 the first request starts the first (startMode OnDemand)."""

    idle_timeout: float | None = field(default=1200.0, validator=_seconds, kw_only=True)
    """Seconds without a request after which a worker above the minimum stops; None for never (idleTimeout)."""

    max_crashes: int | None = field(default=5, validator=_crashes, kw_only=True)
    """Failures of workers within `crash_interval` that take the queue out of service (rapidFailProtectionMaxCrashes).

    A worker fails when it ends without having been asked to, or cannot start. None for no limit.
    """

    crash_interval: float = field(default=300.0, validator=_seconds, kw_only=True)
    """Seconds in which `max_crashes` are too many (rapidFailProtectionInterval)."""

    def __attrs_post_init__(self) -> None:
        """Refuse more than there may be."""
        if self.minimum > self.maximum:
            raise ValueError(
                f"minimum: {self.minimum} is more than the maximum, {self.maximum}; use {self.maximum} or less, "
                "or raise the maximum"
            )

    @classmethod
    def fixed(cls, workers: int) -> WorkerPolicy:
        """Return a policy for so many workers, which are started again for ever."""
        return cls(workers, minimum=workers, idle_timeout=None, max_crashes=None)

    @property
    def is_fixed(self) -> bool:
        """Whether any server can have it."""
        return self.minimum == self.maximum and self.max_crashes is None

    def __str__(self) -> str:
        """Say how many workers there are."""
        least = "" if self.minimum == self.maximum else f"{self.minimum} to "
        return f"{least}{self.maximum} worker{'s' * (self.maximum != 1)}"
