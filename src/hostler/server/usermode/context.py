"""What the connections of one server have in common."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from hostler.server.pending import Pending

if TYPE_CHECKING:
    import asyncio

    from hostler.server.handling import Handling
    from hostler.server.options import ServerOptions

__all__ = ["OpenConnection", "ServerContext"]


class OpenConnection(Protocol):
    """A connection that this server works on, accepted or borrowed."""

    def finish(self) -> None:
        """Be done after the exchange under way: the server stops."""

    def stop(self) -> None:
        """End now: the server's patience is over."""


@define(eq=False)
class ServerContext:
    """The handler, the options, and the connections of one server."""

    handling: Handling
    options: ServerOptions
    connections: set[OpenConnection] = field(factory=set)
    """Every connection that was accepted and is open; every borrowed one, while we answer on it."""

    unfinished: Pending[OpenConnection] = field(factory=Pending)
    """Accepted connections of which closing would lose a request, or part of an answer."""

    refused_headers: Counter[str] = field(factory=Counter)
    """Connections that were closed in place of a header of the PROXY protocol, by what was wrong.

    `not trusted`: the peer is no trusted proxy; `malformed`; `too slow`: not complete in time; `left`: the peer ended it.
    """

    stopping: bool = False
    """The server is stopping: connections close after their exchange."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server belongs to."""
        return self.handling.loop
