"""What a connection works with: its phases, the server it belongs to, where requests are placed, what it owes a lender."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hostler.exchange import Address, Handler
    from hostler.http.target import Target
    from hostler.server.options import ServerOptions
    from hostler.server.usermode.connection import Connection
    from hostler.server.usermode.stream import ClientStream

__all__ = ["Host", "Lease", "Phase", "Placing"]

_EAGER: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


class Phase(enum.Enum):
    """What a connection is doing."""

    HEAD = enum.auto()
    EXCHANGE = enum.auto()
    DRAIN = enum.auto()
    LENT = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


class Placing(Protocol):
    """Says under which URL prefix a request falls."""

    def place(self, scheme: str, host: str, server: Address, target: Target) -> tuple[str, str]:
        """Return (path base, path); raises ProtocolError when no prefix matches."""
        ...


class Lease(Protocol):
    """What a worker owes the process that lent it a connection."""

    def done(self, stream: ClientStream | None, surplus: bytes, *, keep_alive: bool, complete: bool) -> None:
        """Give the connection back, with the bytes that were read too far."""

    def watch(self) -> None:
        """Notice when the client goes away."""


@define(eq=False)
class Host:
    """What the connections of one server have in common."""

    handler: Handler
    options: ServerOptions
    loop: asyncio.AbstractEventLoop
    connections: set[Connection] = field(factory=set)
    tasks: set[asyncio.Task[None]] = field(factory=set)
    context: contextvars.Context = field(factory=contextvars.copy_context)
    """What every handler starts from; not what another handler left."""

    draining: bool = False
    """The server is stopping: connections close after their exchange."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a handler; it starts at once where Python can do that."""
        task: asyncio.Task[None] = asyncio.Task(
            coroutine, loop=self.loop, context=self.context.copy(), **_EAGER
        )
        if not task.done():
            self.tasks.add(task)
        return task
