"""The borrower's side of a named queue: a member that answers requests on lent connections."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import evolve

from hostler.errors import PrefixError, QueueError, Reason
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.server.usermode.connection import Connection
from hostler.server.usermode.queues.lent_transport import LentTransport
from hostler.server.usermode.queues.link import KIND, Link
from hostler.server.usermode.queues.packets import (
    Close,
    Data,
    Done,
    GiveBack,
    Leaving,
    Lend,
    Open,
    Packet,
    PacketError,
    split,
)
from hostler.server.usermode.queues.tcp_info import borrow_socket

if TYPE_CHECKING:
    import socket

    from hostler.contract import Address
    from hostler.http.headers import RawHeaders
    from hostler.http.target import Target
    from hostler.server.usermode.host import Host
    from hostler.server.usermode.queues.directory import QueueHandle
    from hostler.server.usermode.stream import ClientStream

__all__ = ["ServedQueue"]

_log = logging.getLogger("hostler.queues")
ACCEPT_RETRY_INTERVAL: Final = 1.0
"""Seconds until a member that has no room for a lender looks again."""


class ServedQueue:
    """A request queue that this process serves; `hostler.server.base.RequestQueue`."""

    def __init__(self, host: Host, handle: QueueHandle) -> None:
        """Join the queue that `handle` opened, on the running event loop."""
        self.name = handle.directory.queue
        self._host = host
        self._handle = handle
        try:
            self._listener, self._path = handle.directory.bind_member(KIND)
        except BaseException:
            handle.release()
            raise
        self._links: set[Lender] = set()
        self.leases: set[BorrowedConnection] = set()
        self.leaving = False
        self.is_full = False
        """That there is no room for more descriptors has been said."""
        self._idle = asyncio.Event()
        self._short = False
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._host.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as error:
            if not self._short:
                self._short = True
                _log.error("queue %s: a lender cannot be accepted (%s); trying on", self.name, error)
            self._host.loop.remove_reader(self._listener)
            self._again = self._host.loop.call_later(ACCEPT_RETRY_INTERVAL, self._listen)
            return
        self._short = False
        try:
            lender = Lender(self, self._host, sock)
        except QueueError as error:
            sock.close()
            _log.error("queue %s: a lender is not trusted: %s", self.name, error)
        else:
            if not lender.link.closed:
                self._links.add(lender)

    def forget(self, lender: Lender) -> None:
        """Forget a lender that hung up; what it lent is answered all the same."""
        self._links.discard(lender)

    def returned(self, lease: BorrowedConnection) -> None:
        """Note that a lent connection went back."""
        self.leases.discard(lease)
        if self.leaving and not self.leases:
            self._idle.set()

    def leave(self) -> None:
        """Take nothing more; what was lent will be answered."""
        if self.leaving:
            return
        self.leaving = True
        self._host.loop.remove_reader(self._listener)
        if self._again is not None:
            self._again.cancel()
        self._listener.close()
        self._handle.directory.leave(self._path)
        for lender in list(self._links):
            lender.link.send(Leaving())
            lender.let_go()
            lender.link.flush()  # one that is gone is forgotten now
        if not self.leases:
            self._idle.set()

    async def close(self) -> None:
        """Take no more requests, finish those under way, let go of the queue."""
        self.leave()
        await self._idle.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Let go of the queue now."""
        self.leave()
        for lender in list(self._links):
            lender.link.close()
        self._handle.release()


class Lender:
    """A process that lends to us, at the other end of a link."""

    def __init__(self, queue: ServedQueue, host: Host, sock: socket.socket) -> None:
        self.queue = queue
        self._host = host
        self._early: dict[int, bytes] = {}
        self._refused: set[int] = set()
        """Connections whose descriptor we had no room for."""
        self.borrowed: dict[int, BorrowedConnection] = {}
        self.link = Link(host.loop, sock, self._on_packet, self._on_lost)

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

    def _on_packet(self, packet: Packet, descriptor: int) -> None:
        if isinstance(packet, Lend):
            borrowed = self.borrowed.get(packet.connection)
            if self.queue.leaving or packet.connection in self._refused:
                self._give_back(packet, borrowed)
            elif borrowed is None or borrowed.loan:
                raise PacketError(f"connection {packet.connection} is not open, or is lent twice")
            else:
                early = self._early.pop(packet.loan, b"") if self._early else b""
                borrowed.begin(packet, early + packet.data if early else packet.data)
        elif isinstance(packet, Open):
            if packet.connection in self.borrowed:
                if descriptor >= 0:
                    os.close(descriptor)
                raise PacketError(f"connection {packet.connection} is open already")
            if descriptor < 0:
                self._refuse(packet.connection)
            else:
                self.borrowed[packet.connection] = BorrowedConnection(self, self._host, packet, descriptor)
        elif isinstance(packet, Close):
            self._refused.discard(packet.connection)
            if (borrowed := self.borrowed.get(packet.connection)) is not None:
                borrowed.orphaned()
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


class BorrowedConnection:
    """A connection that is lent to us, one request at a time; `hostler.server.usermode.host.Lease`."""

    __slots__ = ("_lender", "_loop", "_number", "_orphaned", "_returning", "connection", "loan", "transport")

    def __init__(self, lender: Lender, host: Host, packet: Open, descriptor: int) -> None:
        self._lender = lender
        self._loop = host.loop
        self._number = packet.connection
        self.loan = 0
        """The number of the loan that we answer; 0 between loans."""
        self._returning = False
        self._orphaned = False
        scheme = "https" if packet.https else "http"
        self.connection = Connection(host, _NOWHERE, scheme, self)
        self.connection.client, self.connection.server = packet.client, packet.server
        self.transport = LentTransport(
            host.loop, borrow_socket(descriptor, packet.client[0]), self.connection
        )
        self.connection.connection_made(self.transport)

    def begin(self, packet: Lend, data: bytes) -> None:
        """Answer a request."""
        placing = _placing(packet.prefix)
        self.loan = packet.loan
        self._lender.queue.leases.add(self)
        connection = self.connection
        connection.host.connections.add(connection)
        connection.placing = placing
        connection.extra_headers = _header_lines(packet.headers) if packet.headers else None
        connection.data_received(data)
        if self.loan:
            self._loop.call_soon(self.watch)

    def watch(self) -> None:
        """Notice when the client goes away, while we answer."""
        if self.loan:
            self.transport.watch()

    def done(self, stream: ClientStream | None, surplus: bytes, *, keep_alive: bool, complete: bool) -> None:
        """Give the connection back once everything written is with the system."""
        if not self.loan:
            self._drop()  # it broke, or was closed, between loans
        if not self.loan or self._returning:
            return
        self._returning = True
        status, received, sent, reason = 400, 0, 0, None
        if stream is not None:
            status, received, sent = stream.status, stream.bytes_received, stream.bytes_sent
            reason = None if complete else _why(stream)
        ahead, surplus = split(self.loan, surplus)
        last = Done(self.loan, status, received, sent, keep_alive and reason is None, reason, surplus)
        if self.transport.is_lost or not self.transport.get_write_buffer_size():
            self._give_back(ahead, last)
        else:
            self.transport.when_flushed(lambda: self._flushed(ahead, last))

    def _flushed(self, ahead: list[Data], last: Done) -> None:
        if self.transport.is_lost:
            # the client went away before it had all of it
            ahead, last = [], evolve(last, keep_alive=False, reason=Reason.RESPONSE_BODY_CLIENT, unread=b"")
        self._give_back(ahead, last)

    def _give_back(self, ahead: list[Data], last: Done) -> None:
        self.loan, self._returning = 0, False
        self.connection.host.connections.discard(self.connection)
        if last.keep_alive and not self._orphaned and not self._lender.queue.leaving:
            self.connection.pause_reading()
            self.transport.pause_reading()  # nor watch
        else:
            self._drop()
        for packet in ahead:
            self._lender.link.send(packet)
        self._lender.link.send(last)
        self._lender.queue.returned(self)

    def orphaned(self) -> None:
        """Let go of a connection that nobody will lend again; the request that we answer is finished first."""
        self._orphaned = True
        if not self.loan:
            self._drop()

    def break_off(self) -> None:
        """Have a request that we have not begun to answer come to nothing: the lender gives it to somebody else."""
        stream = self.connection._stream
        if self.loan and stream is not None and not stream.started:
            self.transport.abort()

    def _drop(self) -> None:
        self._lender.borrowed.pop(self._number, None)
        self.transport.release()
        self.connection.let_go()


def _why(stream: ClientStream) -> Reason:
    """Say whose fault it is that a connection was lost before its exchange was complete."""
    if stream.aborted:
        return Reason.RESPONSE_BODY_DESTINATION
    if stream.started:
        return Reason.RESPONSE_BODY_CLIENT
    return Reason.REQUEST_CANCELED


def _header_lines(block: bytes) -> RawHeaders:
    return [
        (name, value) for line in block.split(b"\r\n") if line for name, _, value in [line.partition(b": ")]
    ]


class _UnderPrefix:
    """Places requests under the URL prefix that they were delegated with."""

    def __init__(self, text: str) -> None:
        self._table = PrefixTable()
        prefix = UrlPrefix.parse(text)
        self._scheme, self._port = prefix.scheme, prefix.port
        self._path = UrlPrefix.parse(f"{prefix.scheme}://+:{prefix.port or 80}{prefix.path}")
        self._table.add(self._path)

    def place(self, scheme: str, host: str, server: Address, target: Target) -> tuple[str, str]:
        """Return (path base, path); a path outside the prefix is all path."""
        match = self._table.match(self._path.scheme, host, self._path.port, server[0], target.path)
        return ("", target.path) if match is None else (match.path_base, match.path)


_NOWHERE: Final = _UnderPrefix("http://+:80/")
"""Where a connection's requests are placed before the first of them comes."""


@lru_cache(maxsize=256)
def _placing(prefix: str) -> _UnderPrefix:
    try:
        return _UnderPrefix(prefix)
    except PrefixError as error:
        raise PacketError(str(error)) from error
