"""How an attempt at a promise ends when it is not kept."""

from __future__ import annotations

__all__ = ["BrokenPromiseError", "NotTriedError", "expect"]


class BrokenPromiseError(Exception):
    """What was promised did not happen."""


class NotTriedError(Exception):
    """A promise cannot be tried here, and why."""


def expect(kept: object, what: str, came: object) -> None:
    """Raise BrokenPromiseError unless what was expected came."""
    if not kept:
        raise BrokenPromiseError(f"expected {what}; got {came!r}")
