"""Rules for the metadata keys that mean something to hostler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hostler.config.model import (
    FAILURE_RATE_METADATA,
    QUEUE_METADATA,
    THRESHOLD_METADATA,
    check_queue_name,
)
from hostler.errors import Problem, QueueNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["check_metadata"]


def check_metadata(path: str, metadata: Mapping[str, str]) -> Iterator[Problem]:
    """Check the keys that mean something to hostler."""
    spelling = {key.lower(): key for key in _METADATA_RULES}
    for key, value in metadata.items():
        known = spelling.get(key.lower(), key)
        if known != key:
            yield Problem(
                f"{path}.{key}",
                f'"{key}" has no effect in this spelling (metadata keys are case-sensitive); write {known}',
            )
        elif key in _METADATA_RULES and (message := _METADATA_RULES[key](value)):
            yield Problem(f"{path}.{key}", message)


def _queue_rule(value: str) -> str | None:
    try:
        check_queue_name(value)
    except QueueNameError as error:
        return str(error)
    return None


def _rate_rule(value: str) -> str | None:
    try:
        fits = 0 <= float(value) <= 1
    except ValueError:
        fits = False
    return None if fits else f'"{value}" is not a failure rate; use a number from 0 to 1, such as "0.3"'


def _threshold_rule(value: str) -> str | None:
    if re.fullmatch(r"0*[1-9][0-9]{0,8}", value):
        return None
    return f'"{value}" is not a threshold; use a whole number of failed probes, 1 or more, such as "2"'


_METADATA_RULES: Mapping[str, Callable[[str], str | None]] = {
    QUEUE_METADATA: _queue_rule,
    FAILURE_RATE_METADATA: _rate_rule,
    THRESHOLD_METADATA: _threshold_rule,
}
