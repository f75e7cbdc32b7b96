"""A loan: a client's connection on its way to another process, and what comes back."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from hostler.completion import Completion
from hostler.contract import Delegated
from hostler.errors import Failure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.http.security import Tls
    from hostler.server.usermode.queues.lent_socket import LentSocket

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

    socket: LentSocket
    client: Address
    """Who is connected; whom a request is from is said with its loan, where that is another one."""

    server: Address
    https: bool
    tls: Tls | None = None
    """How it is encrypted, where it is."""

    number: int = field(factory=lambda: next(_numbers) & 0xFFFFFFFF)
    holders: set[Holder] = field(factory=set)
    """The members that have a copy."""

    waiting: Callable[[], None] | None = None
    """Called when the connection is lost while its request waits for a member."""

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.socket.fileno() < 0

    def departed(self) -> None:
        """Have whoever answers told that the client is gone."""
        for holder in self.holders:
            holder.departed(self.number)

    def close(self) -> None:
        """Have every copy closed, and a request that waits end."""
        self.socket.close()
        if self.waiting is not None:
            self.waiting()
        holders, self.holders = self.holders, set()
        for holder in holders:
            holder.forget(self)


@define
class Returned(Delegated):
    """What became of a request that a member answered, and of the connection."""

    keep_alive: bool = False
    unread: bytes = b""
    """Bytes of later requests that the borrower read."""


class LoanKeeper(Protocol):
    """Whoever has a loan in hand: the queue while it waits, then a member."""

    def release(self, loan: Loan, /) -> None:
        """Forget the loan: nobody wants it answered."""


class Loan(Completion[Returned | Failure]):
    """A client's connection with one request, on its way to a member and back.

    States. It waits in its queue, or is with a member; `keeper` knows which. It is over when it is completed, with what
    the member says or why there is none, or cancelled.
    """

    prefix = ""
    """The URL prefix that the request is delegated under."""

    number = 0
    """Its number with the member that has it."""

    status = 0
    """The status of an answer that has begun; 0 when nobody knows."""

    crashes = 0
    """Members that have ended with it in their hands."""

    body_limit: int | None = None
    """Bytes that the request's body may have; None for any number."""

    origin: tuple[Address, bool] | None = None
    """Whom the request is from, and whether by https, where that is not what the connection says."""

    early = b""
    """Bytes of later requests that came back ahead of the request."""

    keeper: LoanKeeper | None = None
    deadline: float | None = None
    """When it has waited long enough, by the event loop's clock; None when it has not waited yet."""

    timer: asyncio.TimerHandle | None = None

    def __init__(
        self, connection: LentConnection, data: bytes, headers: bytes, read: int | None = None
    ) -> None:
        super().__init__()
        self.connection = connection
        self.data = data
        """The request's head, and what was read of its body."""
        self.headers = headers
        """Header lines to add to the answer."""
        self.read = read
        """What is counted as read from the client before the loan; None when nothing will be read from it."""

    def begun(self, status: int) -> None:
        """Note the status of an answer that has begun and lasts."""
        self.status = status

    def settle(self, result: Returned | Failure) -> None:
        """Take what became of it."""
        self.resolve(result)

    def cancel(self, msg: object = None) -> bool:
        """Give up on it: its request is for nobody."""
        if self.keeper is not None and not self.done():
            self.keeper.release(self)
        return super().cancel(msg)

    def stop_waiting(self) -> None:
        """Be out of the queue."""
        self.keeper = self.connection.waiting = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def untouched(self) -> bool:
        """Whether it is certain that nothing was sent to the client since, and no body taken from it."""
        sock = self.connection.socket
        if sock.written is None or sock.bytes_written() != sock.written:
            return False
        return self.read is None or sock.bytes_read() == self.read
