"""Whose a client's connection is: what a connection asks, and what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hostler.server.usermode.http1.stream import RequestLender

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders
    from hostler.server.usermode.http1.stream import Http1Stream

__all__ = ["ConnectionOwner"]


class ConnectionOwner(RequestLender, Protocol):
    """Whose a connection is: the server that accepted it, or the member of a queue that borrowed it."""

    added_headers: RawHeaders
    """Headers to add to the next answer."""

    body_limit: int | None
    """Bytes that the body of the next request may have, where that is known already; None for any number."""

    reads_ahead: bool
    """Whether what the client sends behind the request under way is read here, and nowhere else."""

    keeps_open: bool
    """Whether `exchange_over` has nothing to do but say yes where the connection is reusable."""

    def peek(self) -> bytes:
        """Return what has arrived behind the request under way and is to stay where it is."""
        ...

    def departed(self) -> None:
        """The client of a request that was lent is gone, by its own word."""

    def exchange_over(self, stream: Http1Stream | None, *, reusable: bool) -> bool:
        """Say whether the connection may go on with the next request; if not, the owner ends it or takes it back.

        `stream` is None when what was answered was no request.
        """
        ...

    def gone(self, stream: Http1Stream | None) -> None:
        """The connection is gone; `stream` was under way on it."""

    def body_complete(self) -> None:
        """The request under way was read to its end."""
