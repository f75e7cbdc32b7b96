"""Work that can be done at once, or in slices between which others have a turn.

It is written once, as a generator that yields where it may be interrupted and returns its result.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

__all__ = ["Steps", "finish"]

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that yields after each of its steps, each of which takes well under a millisecond, and returns a `T`."""


def finish(steps: Steps[T]) -> T:
    """Do all of it at once, and return its result; whatever it raises passes through."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
