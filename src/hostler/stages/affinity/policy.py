"""What affinity policies are, what may become of a key, and what then happens to its request."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from hostler.errors import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome

__all__ = [
    "AffinityFailure",
    "AffinityFailurePolicy",
    "AffinityPolicy",
    "Found",
    "redistribute",
    "return_503_error",
]


class AffinityFailure(enum.Enum):
    """Why a request that carries a key has no destination by it (YARP: AffinityStatus)."""

    KEY_EXTRACTION_FAILED = "AffinityKeyExtractionFailed"
    """The key is not one that this policy wrote."""

    DESTINATION_NOT_FOUND = "DestinationNotFound"
    """The key names a destination that is not a candidate."""


Found: TypeAlias = "tuple[LiveDestination, ...] | AffinityFailure | None"
"""What a policy makes of a request: the destinations of its key, why there are none, or None when it has no key."""


class AffinityPolicy(Protocol):
    """Finds the destination that a request's key names, and writes the key of the one that answers."""

    def find(
        self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /
    ) -> Found | Awaitable[Found]:
        """Return those candidates that the request's key names; may be a coroutine.

        None means that the request has no key; an empty tuple is DESTINATION_NOT_FOUND.
        """
        ...

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the response headers that carry the key of `destination`."""
        ...


class AffinityFailurePolicy(Protocol):
    """Decides about a request whose key is of no use."""

    def __call__(self, exchange: Exchange, failure: AffinityFailure, /) -> Awaitable[Outcome | None] | None:
        """Answer the exchange, or return None to have it go to any of its candidates; may be a coroutine."""
        ...


def redistribute(_: Exchange, __: AffinityFailure, /) -> None:
    """Let the request go to any candidate, whose key the response then carries (YARP: Redistribute)."""


def return_503_error(exchange: Exchange, failure: AffinityFailure, /) -> Awaitable[Outcome]:
    """Answer 503 (YARP: Return503Error)."""
    return exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS, _DETAILS[failure]))


_DETAILS = {
    AffinityFailure.KEY_EXTRACTION_FAILED: "its affinity key is not one of this cluster",
    AffinityFailure.DESTINATION_NOT_FOUND: "its affinity key names no available destination",
}
