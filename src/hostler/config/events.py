"""What becomes of configurations, for those who want to hear of it."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from hostler.config.model import Config

__all__ = ["ConfigEvent", "ConfigEventKind", "ConfigListener", "tell"]

_log: Final = logging.getLogger("hostler.proxy")


class ConfigEventKind(enum.Enum):
    """What became of a configuration (the methods of YARP's IConfigChangeListener)."""

    LOADED = "loaded"
    """The sources were read, and nothing has been filtered or checked yet."""

    LOAD_FAILED = "load failed"
    """A source could not be read; what it said before stays."""

    APPLIED = "applied"
    """It is in force."""

    APPLY_FAILED = "apply failed"
    """A filter, a check or a policy failed; the configuration before stays in force."""


@frozen
class ConfigEvent:
    """Something that became of a configuration."""

    kind: ConfigEventKind
    config: Config | None = None
    """What was loaded, applied or refused; None for LOAD_FAILED."""

    source: str | None = None
    """The name of the source that could not be read."""

    error: Exception | None = None


ConfigListener: TypeAlias = Callable[[ConfigEvent], object]
"""Is called with each event, where the proxy runs; what it raises is logged."""


def tell(listeners: Sequence[ConfigListener], event: ConfigEvent) -> None:
    """Tell every listener of an event."""
    for listener in listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - a user's
            _log.exception("a listener raised, told that a configuration was: %s", event.kind.value)
