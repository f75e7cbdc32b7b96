"""What a connection works with: its phases, the server it belongs to, where requests are placed, what it owes a lender."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

if TYPE_CHECKING:
    import asyncio

    from hostler.server.handling import Handling
    from hostler.server.options import ServerOptions
    from hostler.server.usermode.connection import Connection
    from hostler.server.usermode.stream import ClientStream

__all__ = ["Host", "Lease", "Phase"]


class Phase(enum.Enum):
    """What a connection is doing."""

    HEAD = enum.auto()
    EXCHANGE = enum.auto()
    DRAIN = enum.auto()
    LENT = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


class Lease(Protocol):
    """What a worker owes the process that lent it a connection."""

    def done(self, stream: ClientStream | None, surplus: bytes, *, keep_alive: bool, complete: bool) -> None:
        """Give the connection back, with the bytes that were read too far."""

    def watch(self) -> None:
        """Notice when the client goes away."""


@define(eq=False)
class Host:
    """What the connections of one server have in common."""

    handling: Handling
    options: ServerOptions
    connections: set[Connection] = field(factory=set)
    draining: bool = False
    """The server is stopping: connections close after their exchange."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server belongs to."""
        return self.handling.loop
