"""A member of a queue, as the lender sees it: what it was lent, and the connections that it has a copy of.

States. A `Member` gets requests while it is neither backing off (it gave one back: for a moment it gets none on
connections that it has no copy of) nor leaving (it said so, or we closed the queue: it finishes what it has, and with
the last of that we close its link, so that no packet is under way in either direction then). The end of its link loses
it: each of its loans ends as `lender.py` says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

from hostler.server.usermode.queues.link import Link
from hostler.server.usermode.queues.packets import (
    Begun,
    Close,
    Data,
    Departed,
    Done,
    GiveBack,
    Leaving,
    Lend,
    Open,
    Packet,
    PacketError,
    encode,
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

MAX_IDLE_COPIES: Final = 512
"""Connections that a member holds a copy of between requests; more are opened for each request anew."""


class MemberOwner(Protocol):
    """The queue that a member is a member of, on the lender's side; `TargetQueue`."""

    loop: asyncio.AbstractEventLoop

    def wake(self) -> None:
        """Let the requests that wait look for a member."""

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
        self.loans: dict[int, asyncio.Future[Packet | None]] = {}
        self._early: dict[int, bytes] = {}
        self._statuses: dict[int, int] = {}
        """Of the answers that have begun and are not over."""
        self.link = Link(queue.loop, sock, self._on_packet, self._on_lost)

    async def lend(self, loan: Loan, prefix: str) -> Packet | None:
        """Lend, and wait for the last packet about it; None when the member is lost."""
        done: asyncio.Future[Packet | None] = self._queue.loop.create_future()
        number = self._next_number()
        ahead, data = split(number, loan.data)
        connection, link = loan.connection, self.link
        lend = Lend(number, connection.number, prefix, loan.headers, data, whole=loan.read is None)
        if ahead:
            encode(lend)  # if it is too large, that shows before some of it was sent
        self.loans[number] = done
        try:
            fresh = self not in connection.holders
            if fresh:
                opening = Open(connection.number, connection.client, connection.server, connection.https)
                link.open(opening, connection.socket.fileno())
                connection.holders.add(self)
                self._copies.add(connection)
            for packet in ahead:
                link.send(packet)
            link.send(lend)
            return await done if not link.closed else None
        finally:
            del self.loans[number]
            loan.status = self._statuses.pop(number, 0) if self._statuses else 0
            if self.leaving and not self.loans:
                link.close()

    def _next_number(self) -> int:
        """Return the number of the next loan: 32 bits, not 0, and not that of one under way."""
        while True:
            self._last = self._last % 0xFFFFFFFF + 1
            if self._last not in self.loans:
                return self._last

    def keep(self, connection: LentConnection, packet: Packet | None) -> None:
        """Note whether the member still has its copy of the connection after this last packet of a loan."""
        if self not in connection.holders:
            return  # the client or the member went away meanwhile, and the copy with it
        kept = isinstance(packet, Done) and packet.keep_alive and packet.reason is None
        if kept and len(self._copies) > MAX_IDLE_COPIES:
            self.forget(connection)
        elif kept:
            return
        else:
            self._copies.discard(connection)
        connection.holders.discard(self)

    def forget(self, connection: LentConnection) -> None:
        """Have the member close its copy of a connection."""
        self._copies.discard(connection)
        self.link.send(Close(connection.number))

    def departed(self, connection: int) -> None:
        """Have whoever answers on the connection told that its client is gone."""
        self.link.send(Departed(connection))

    def back_off(self) -> None:
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
        if isinstance(packet, Leaving):
            self.retire()
        elif isinstance(packet, Data) and packet.loan in self.loans:
            self._early[packet.loan] = self._early.get(packet.loan, b"") + packet.data
        elif isinstance(packet, Begun):
            if packet.loan in self.loans:
                self._statuses[packet.loan] = packet.status
        elif isinstance(packet, (Done, GiveBack)):
            done = self.loans.get(packet.loan)
            if done is not None and not done.done():
                done.set_result(packet)

    def all_unread(self, packet: Done) -> bytes:
        """Return all the bytes that were read too far."""
        early = self._early.pop(packet.loan, b"") if self._early else b""
        return early + packet.unread

    def _on_lost(self) -> None:
        self._queue.member_lost(self)
        for connection in self._copies:
            connection.holders.discard(self)
        self._copies.clear()
        for done in self.loans.values():
            if not done.done():
                done.set_result(None)
