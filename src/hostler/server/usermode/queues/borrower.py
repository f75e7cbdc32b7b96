"""The borrower's side of a named queue: a member that answers requests on lent connections.

States. A `ServedQueue` is serving from the start: it accepts lenders, and takes what they lend. `leave` makes it leaving:
it accepts nobody, tells every lender, gives back what is lent from then on, and answers what it has. A lender that was
told, and has everything back, hangs up: then nothing is under way in either direction. When every lender has done so and
nothing is answered any more it is idle, and `close` lets go of the queue; `hang_up` does so at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

from hostler.errors import QueueError
from hostler.server.usermode.queues.borrowed import BorrowedConnection
from hostler.server.usermode.queues.link import KIND, Link
from hostler.server.usermode.queues.loan_packets import read_lend
from hostler.server.usermode.queues.packets import (
    Client,
    Close,
    Data,
    Departed,
    GiveBack,
    Leaving,
    Lend,
    Open,
    Packet,
    PacketError,
)

if TYPE_CHECKING:
    import socket

    from hostler.server.usermode.context import ServerContext
    from hostler.server.usermode.queues.directory import QueueHandle

__all__ = ["ServedQueue"]

_log = logging.getLogger("hostler.queues")
WATCH_INTERVAL: Final = 1.0
"""Seconds, at most twice, after which the client of a request that has all come is watched here too."""

ACCEPT_RETRY_INTERVAL: Final = 1.0
"""Seconds until a member that has no room for a lender looks again."""


class ServedQueue:
    """A request queue that this process serves; `hostler.server.base.RequestQueue`."""

    def __init__(self, context: ServerContext, handle: QueueHandle) -> None:
        """Join the queue that `handle` opened, on the running event loop."""
        self.name = handle.directory.queue
        self._context = context
        self._handle = handle
        try:
            self._listener, self._path = handle.directory.bind_member(KIND)
        except BaseException:
            handle.release()
            raise
        self._links: set[Lender] = set()
        self.answering: set[BorrowedConnection] = set()
        self.leaving = False
        self.is_full = False
        """That there is no room for more descriptors has been said."""
        self._idle = asyncio.Event()
        self._short = False
        self._again: asyncio.TimerHandle | None = None
        self.watch_timer: asyncio.TimerHandle | None = None
        """Runs while requests are under way that have all come, and that their lenders therefore watch the clients of."""
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._context.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> bool:
        """Accept a lender; returns whether there may be another."""
        try:
            sock, _ = self._listener.accept()
        except (InterruptedError, ConnectionError):
            return True
        except BlockingIOError:
            return False
        except OSError as error:
            if not self._short:
                self._short = True
                _log.error("queue %s: a lender cannot be accepted (%s); trying on", self.name, error)
            self._context.loop.remove_reader(self._listener)
            self._again = self._context.loop.call_later(ACCEPT_RETRY_INTERVAL, self._listen)
            return False
        self._short = False
        try:
            lender = Lender(self, self._context, sock)
        except QueueError as error:
            sock.close()
            _log.error("queue %s: a lender is not trusted: %s", self.name, error)
        else:
            if not lender.link.closed:
                self._links.add(lender)
        return True

    def forget(self, lender: Lender) -> None:
        """Forget a lender that hung up; what it lent is answered all the same."""
        self._links.discard(lender)
        self.settle()

    def watch_later(self) -> None:
        """Watch the clients of requests that last: their lenders may be stopped, or have no room to read more."""
        self.watch_timer = self._context.loop.call_later(WATCH_INTERVAL, self._watch)

    def _watch(self) -> None:
        self.watch_timer = None
        for connection in self.answering:
            if connection.lasts:
                connection.watch()
            connection.lasts = True
        if self.answering:
            self.watch_later()

    def settle(self) -> None:
        """Be idle once everything is answered and every lender has hung up."""
        if self.leaving and not self.answering and not self._links:
            self._idle.set()

    def leave(self) -> None:
        """Take nothing more; what was lent will be answered."""
        if self.leaving:
            return
        self.leaving = True
        self._handle.directory.leave(self._path)
        while self._again is None and self._accept():
            """A lender that is connected already may have lent: it is told as the others are."""
        self._context.loop.remove_reader(self._listener)
        if self._again is not None:
            self._again.cancel()
        self._listener.close()
        for lender in list(self._links):
            lender.link.send(Leaving())
            lender.let_go()
            lender.link.flush()
        self.settle()

    async def close(self) -> None:
        """Take no more requests, finish those under way, let go of the queue.

        That takes as long as a lender takes to notice that we leave; one that does nothing is for the caller to give up on.
        """
        self.leave()
        await self._idle.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Let go of the queue now."""
        self.leave()
        for lender in list(self._links):
            lender.link.close()
        if self.watch_timer is not None:
            self.watch_timer.cancel()
        self._handle.release()


class Lender:
    """A process that lends to us, at the other end of a link."""

    def __init__(self, queue: ServedQueue, context: ServerContext, sock: socket.socket) -> None:
        self.queue = queue
        self._context = context
        self._early: dict[int, bytes] = {}
        self._refused: set[int] = set()
        """Connections whose descriptor we had no room for."""
        self.borrowed: dict[int, BorrowedConnection] = {}
        self._begun: list[BorrowedConnection] = []
        """Connections on which an answer was begun in this turn of the event loop."""
        self.link = Link(context.loop, sock, self._on_packet, self._on_lost, self._take_lend)

    def _on_lost(self) -> None:
        self.let_go()
        self.queue.forget(self)

    def let_go(self) -> None:
        """Close the copies of connections that will not be lent again, now or after the request on them.

        When it is we who hung up, the lender gives requests that we have not begun to answer to somebody else.
        """
        for borrowed in list(self.borrowed.values()):
            if self.link.broken:
                borrowed.break_off()
            borrowed.orphaned()

    def answer_begun(self, connection: BorrowedConnection) -> None:
        """Have the connection asked at the end of this turn of the event loop whether its answer is still under way."""
        if not self._begun:
            self._context.loop.call_soon(self._tell_begun)
        self._begun.append(connection)

    def _tell_begun(self) -> None:
        begun, self._begun = self._begun, []
        for connection in begun:
            connection.tell_begun()

    def _take_lend(self, block: bytes) -> bool:
        """Take a LEND of a connection that is open and idle: nearly every packet is one."""
        lend = read_lend(block)
        if lend is None:
            return False
        loan, connection, prefix, headers, data, whole, body_limit = lend
        borrowed = self.borrowed.get(connection)
        if borrowed is None or borrowed.loan or self.queue.leaving or self._early:
            return False
        borrowed.begin(loan, prefix, headers, data, whole, body_limit)
        return True

    def _on_packet(self, packet: Packet, descriptor: int) -> None:
        if isinstance(packet, Lend):
            borrowed = self.borrowed.get(packet.connection)
            if self.queue.leaving or packet.connection in self._refused:
                self._give_back(packet, borrowed)
            elif borrowed is None or borrowed.loan:
                raise PacketError(f"connection {packet.connection} is not open, or is lent twice")
            else:
                data = self._early.pop(packet.loan, b"") + packet.data
                borrowed.begin(
                    packet.loan, packet.prefix.encode(), packet.headers, data, packet.whole, packet.body_limit
                )
        elif isinstance(packet, Open):
            if packet.connection in self.borrowed:
                if descriptor >= 0:
                    os.close(descriptor)
                raise PacketError(f"connection {packet.connection} is open already")
            if descriptor < 0:
                self._refuse(packet.connection)
            else:
                self.borrowed[packet.connection] = BorrowedConnection(self, self._context, packet, descriptor)
        elif isinstance(packet, Client):
            if (borrowed := self.borrowed.get(packet.connection)) is not None:
                borrowed.told = packet
        elif isinstance(packet, Close):
            self._refused.discard(packet.connection)
            if (borrowed := self.borrowed.get(packet.connection)) is not None:
                borrowed.orphaned()
        elif isinstance(packet, Departed):
            if (borrowed := self.borrowed.get(packet.connection)) is not None and borrowed.loan:
                borrowed.connection.departed()
        elif isinstance(packet, Data):
            self._early[packet.loan] = self._early.get(packet.loan, b"") + packet.data

    def _refuse(self, connection: int) -> None:
        self._refused.add(connection)
        if not self.queue.is_full:
            self.queue.is_full = True
            _log.error("queue %s: there is no room for another connection; raise the limit of open files",
                       self.queue.name)  # fmt: skip

    def _give_back(self, packet: Lend, borrowed: BorrowedConnection | None) -> None:
        self._early.pop(packet.loan, None)
        self._refused.discard(packet.connection)
        if borrowed is not None:
            borrowed.orphaned()
        self.link.send(GiveBack(packet.loan))
