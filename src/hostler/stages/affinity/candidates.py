"""Finding a candidate by its key, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hostler.fleet import LiveDestination

__all__ = ["CandidatesByKey"]

K = TypeVar("K")


class CandidatesByKey(Generic[K]):
    """The candidates by key; computed anew only when they are others than the last time."""

    def __init__(self, key_of: Callable[[str], K]) -> None:
        """`key_of` returns the key of an id."""
        self._key_of = key_of
        self._candidates: tuple[LiveDestination, ...] = ()
        self._by_key: Mapping[K, LiveDestination] = {}

    def of(self, candidates: tuple[LiveDestination, ...]) -> Mapping[K, LiveDestination]:
        """Return these candidates by key."""
        if candidates is not self._candidates:
            self._by_key = {self._key_of(candidate.id): candidate for candidate in candidates}
            self._candidates = candidates
        return self._by_key
