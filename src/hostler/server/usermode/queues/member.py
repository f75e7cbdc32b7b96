"""A member of a queue, as the lender sees it: what it was lent, and the connections that it has a copy of.

States. A `Member` gets requests while it is neither backing off (it gave one back: for a moment it gets none on
connections that it has no copy of) nor leaving (it said so, or we closed the queue: it finishes what it has, and with
the last of that we close its link, so that no packet is under way in either direction then). The end of its link loses
it: each of its loans ends as `lender.py` says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

from hostler.errors import Failure
from hostler.server.usermode.queues.link import Link
from hostler.server.usermode.queues.loan import Returned
from hostler.server.usermode.queues.loan_packets import encode_lend, read_done
from hostler.server.usermode.queues.packets import (
    MAX_DATA,
    Begun,
    Client,
    Close,
    Data,
    Departed,
    Done,
    GiveBack,
    Leaving,
    Open,
    Packet,
    PacketError,
    split,
)

if TYPE_CHECKING:
    import asyncio
    import socket
    from pathlib import Path

    from hostler.server.usermode.queues.loan import LentConnection, Loan

__all__ = ["Member"]

BACK_OFF_INTERVAL: Final = 1.0
"""Seconds for which a member that gave a request back gets none on other connections."""

MAX_NUMBER: Final = 0xFFFFFFFF
"""The largest number that a loan can have."""

MAX_IDLE_COPIES: Final = 512
"""Connections that a member holds a copy of between requests; more are opened for each request anew."""


class MemberOwner(Protocol):
    """The queue that a member is a member of, on the lender's side; `TargetQueue`."""

    loop: asyncio.AbstractEventLoop

    def wake(self) -> None:
        """Let the requests that wait look for a member."""

    def settle(self, loan: Loan, result: Returned, /) -> None:
        """Take back what a member has answered."""

    def offer(self, loan: Loan, /) -> None:
        """Lend what a member has not begun to answer and will not to another, or to the same after a moment."""

    def member_ended(self, loan: Loan, member: Member, /) -> None:
        """Take back what a member had when it ended."""

    def member_lost(self, member: Member, /) -> None:
        """Forget a member whose link is closed."""


class Member:
    """A member of the queue, at the other end of a link."""

    def __init__(self, queue: MemberOwner, path: Path, sock: socket.socket) -> None:
        self._queue = queue
        self.path = path
        self.leaving = False
        """It gets nothing more, and its link is closed when what was lent has come back."""
        self.backing_off = False
        """It gave a request back, and gets none on a connection that it has not for a moment."""
        self._copies: set[LentConnection] = set()
        self._last = 0
        self.loans: dict[int, Loan] = {}
        self.link = Link(queue.loop, sock, self._on_packet, self._on_lost, self._take_done)

    def lend(self, loan: Loan) -> None:
        """Lend; raises PacketError or OSError when the request, or its connection, cannot travel."""
        number = self._last + 1
        if number > MAX_NUMBER or number in self.loans:
            number = self._free_number(number)
        loan.number = self._last = number
        connection, link, data = loan.connection, self.link, loan.data
        ahead: list[Data | Client] = []
        if len(data) > MAX_DATA:
            cut, data = split(number, data)
            ahead += cut
        if loan.origin is not None:
            ahead.append(Client(connection.number, *loan.origin))
        # if it is too large, that shows before some of it was sent
        block = encode_lend(
            number, connection.number, loan.prefix, loan.headers, data, loan.read is None, loan.body_limit
        )
        if self not in connection.holders:
            opening = Open(
                connection.number, connection.client, connection.server, connection.https, connection.tls
            )
            link.open(opening, connection.socket.fileno(), b"" if ahead else block)
            connection.holders.add(self)
            self._copies.add(connection)
            if not ahead:
                block = b""
        for packet in ahead:
            link.send(packet)
        if block:
            link.write(block)
        self.loans[number], loan.keeper = loan, self

    def release(self, loan: Loan) -> None:
        """Have nothing more to do with a loan: it is over, or nobody wants it answered."""
        del self.loans[loan.number]
        loan.keeper = None
        if self.leaving and not self.loans:
            self.link.close()

    def _free_number(self, number: int) -> int:
        """Return the first number from `number` on, in a circle, that is not 0 and not that of a loan under way."""
        while number > MAX_NUMBER or number in self.loans:
            number = 1 if number >= MAX_NUMBER else number + 1
        return number

    def _keep(self, connection: LentConnection, *, kept: bool) -> None:
        """Note whether the member still has its copy of the connection after a loan."""
        if self not in connection.holders:
            return  # the client or the member went away meanwhile, and the copy with it
        if not kept:
            self._copies.discard(connection)
        elif len(self._copies) > MAX_IDLE_COPIES:
            self.forget(connection)
        else:
            return
        connection.holders.discard(self)

    def forget(self, connection: LentConnection) -> None:
        """Have the member close its copy of a connection."""
        self._copies.discard(connection)
        self.link.send(Close(connection.number))

    def departed(self, connection: int) -> None:
        """Have whoever answers on the connection told that its client is gone."""
        self.link.send(Departed(connection))

    def _back_off(self) -> None:
        """Lend nothing on another connection for a moment."""
        if not self.backing_off and not self.leaving:
            self.backing_off = True
            self._queue.loop.call_later(BACK_OFF_INTERVAL, self._recovered)

    def _recovered(self) -> None:
        self.backing_off = False
        if not self.leaving:
            self._queue.wake()

    def retire(self) -> None:
        """Lend nothing more, and hang up when what was lent has come back."""
        self.leaving = True
        if not self.loans:
            self.link.close()

    def _on_packet(self, packet: Packet, descriptor: int) -> None:
        if descriptor >= 0:
            os.close(descriptor)
            raise PacketError("a member opens no connections")
        if isinstance(packet, Done):
            if (loan := self.loans.get(packet.loan)) is not None:
                self._answered(loan, packet)
        elif isinstance(packet, GiveBack):
            if (loan := self.loans.get(packet.loan)) is not None:
                self.release(loan)
                self._keep(loan.connection, kept=False)
                self._back_off()
                self._queue.offer(loan)
        elif isinstance(packet, Leaving):
            self.retire()
        elif isinstance(packet, Data) and packet.loan in self.loans:
            self.loans[packet.loan].early += packet.data
        elif isinstance(packet, Begun) and packet.loan in self.loans:
            self.loans[packet.loan].begun(packet.status)

    def _take_done(self, block: bytes) -> bool:
        """Take a DONE without a failure, of a connection that lasts: nearly every packet is one."""
        done = read_done(block)
        if done is None:
            return False
        number, status, received, sent, keep_alive, unread, written = done
        loan = self.loans.get(number)
        if (
            loan is None
            or loan.early
            or not keep_alive
            or self.leaving
            or len(self._copies) > MAX_IDLE_COPIES
        ):
            return False
        del self.loans[number]
        loan.keeper = None
        failure = loan.connection.socket.answered(written)
        self._queue.settle(loan, Returned(status, received, sent, failure, True, unread))
        return True

    def _answered(self, loan: Loan, done: Done) -> None:
        connection = loan.connection
        self.release(loan)
        self._keep(connection, kept=done.keep_alive and done.reason is None)
        failure = connection.socket.answered(done.bytes_written)
        if done.reason is not None:
            failure = Failure(done.reason, "reported by the worker")
        unread = loan.early + done.unread
        self._queue.settle(
            loan,
            Returned(done.status, done.bytes_received, done.bytes_sent, failure, done.keep_alive, unread),
        )

    def _on_lost(self) -> None:
        self._queue.member_lost(self)
        for connection in self._copies:
            connection.holders.discard(self)
        self._copies.clear()
        loans, self.loans = self.loans, {}
        for loan in loans.values():
            loan.keeper = None
            self._queue.member_ended(loan, self)
