"""What a program writes: lines on standard output, hostler's log on standard error."""

from __future__ import annotations

import logging
import sys

__all__ = ["log_to_stderr", "write_out"]


def write_out(text: str) -> None:
    """Write to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def log_to_stderr(level: int) -> logging.Handler:
    """Write what hostler logs from `level` on to standard error; returns the handler that does."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("hostler")
    logger.setLevel(level)
    logger.addHandler(handler)
    return handler
