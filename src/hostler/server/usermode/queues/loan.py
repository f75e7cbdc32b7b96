"""A loan: a client's connection on its way to another process, and what comes back."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

from hostler.server.usermode.queues.tcp_info import bytes_read, bytes_written

if TYPE_CHECKING:
    import asyncio
    import socket

    from hostler.contract import Address
    from hostler.errors import Failure

__all__ = ["Holder", "LentConnection", "Loan", "Returned"]


class Holder(Protocol):
    """A member that holds a copy of a connection's descriptor."""

    def forget(self, connection: LentConnection) -> None:
        """Have the copy closed."""

    def departed(self, connection: int) -> None:
        """Have whoever answers on the connection told that its client is gone."""


_numbers = itertools.count(1)


@define(eq=False)
class LentConnection:
    """A client's connection that other processes have copies of, on the lender's side."""

    socket: socket.socket
    client: Address
    server: Address
    https: bool
    number: int = field(factory=lambda: next(_numbers) & 0xFFFFFFFF)
    holders: set[Holder] = field(factory=set)
    """The members that have a copy."""

    written: int | None = None
    """What the kernel counts as written on the connection; None when it does not say, or nobody has looked."""

    written_by_member: int | None = None
    """The same behind an answer that a member has just given."""

    waiting: asyncio.Future[None] | None = None
    """Resolved when the connection is lost while its request waits for a member."""

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.socket.fileno() < 0

    def count_written(self) -> None:
        """Have what is written counted before a loan."""
        if self.written is None:
            self.written = bytes_written(self.socket)

    def answered(self, written: int) -> None:
        """Note that a member has answered, and how much it wrote."""
        if self.written is not None:
            self.written_by_member = self.written + written

    def exchange_over(self) -> None:
        """Note that an exchange is over: what is written is known when a member answered, and said how much that was."""
        self.written, self.written_by_member = self.written_by_member, None

    def departed(self) -> None:
        """Have whoever answers told that the client is gone."""
        for holder in self.holders:
            holder.departed(self.number)

    def close(self) -> None:
        """Have every copy closed, and a request that waits end."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)
        holders, self.holders = self.holders, set()
        for holder in holders:
            holder.forget(self)


@define(eq=False)
class Loan:
    """A client's connection with one request, on its way to a member."""

    connection: LentConnection
    data: bytes
    """The request's head, and what was read of its body."""

    headers: bytes
    read: int | None = None
    """What the kernel counts as read from the connection before the loan; None when nothing will be read from it."""

    status: int = 0
    """The status of an answer that had begun when its member was lost; 0 when nobody knows."""

    def untouched(self) -> bool:
        """Whether the kernel vouches that nothing was sent on the connection since, and no body taken from it."""
        connection = self.connection
        if connection.written is None or bytes_written(connection.socket) != connection.written:
            return False
        return self.read is None or bytes_read(connection.socket) == self.read


@frozen
class Returned:
    """A connection that came back, and what became of the exchange."""

    status: int
    bytes_received: int
    bytes_sent: int
    keep_alive: bool
    unread: bytes
    """Bytes of later requests that the borrower read."""

    failure: Failure | None = None
