"""By what a certificate's files are told from those that were there before, and how long new ones may take to fit.

A certificate and its key are two files, which change one after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PATIENCE", "RETRY", "Stamp", "stamps_of"]

PATIENCE: Final = 10.0
"""Seconds that files which have changed may take to fit."""

RETRY: Final = 60.0
"""Seconds after which files are tried again that were said to be wrong, and have not changed since."""

Stamp: TypeAlias = "tuple[int, int, int, int] | None"
"""None for a file that cannot be looked at."""


def stamps_of(paths: Iterable[str | None]) -> tuple[Stamp, ...]:
    """Return by what files are told from others of the same names; without those that are None or empty."""
    return tuple(_stamp(path) for path in paths if path)


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
