"""What an examination finds: one thing, and the verdict on it."""

from __future__ import annotations

import enum

from attrs import frozen

__all__ = ["Finding", "Verdict"]


class Verdict(enum.Enum):
    """How it stands with a thing."""

    OK = "ok"

    WARNING = "warning"
    """It works, but not as well or as long as it could."""

    MISSING = "missing"
    """It is not there, and only what needs it does without."""

    BROKEN = "broken"
    """What hostler, or the document, needs does not work."""


@frozen
class Finding:
    """One thing that was looked at."""

    what: str
    """What it is, in a few words, such as `descriptor limit`."""

    verdict: Verdict

    detail: str
    """What was found, with its values."""

    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""
