"""The borrower's side of a named queue: a member that answers requests on lent connections."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import evolve

from hostler.errors import QueueError, Reason
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.server.usermode.connection import Connection
from hostler.server.usermode.lent import LentTransport
from hostler.server.usermode.link import KIND, Link
from hostler.server.usermode.loan import borrow_socket
from hostler.server.usermode.packets import Data, Done, GiveBack, Leaving, Lend, Packet, split

if TYPE_CHECKING:
    from hostler.exchange import Address
    from hostler.http.headers import RawHeaders
    from hostler.http.target import Target
    from hostler.server.usermode.connection import Host
    from hostler.server.usermode.directory import Hold
    from hostler.server.usermode.stream import ClientStream

__all__ = ["Member"]

_log = logging.getLogger("hostler.queues")


class Member:
    """A request queue that this process serves; `hostler.server.base.RequestQueue`."""

    def __init__(self, host: Host, hold: Hold) -> None:
        """Join the queue that `hold` holds, on the running event loop."""
        self.name = hold.directory.queue
        self._host = host
        self._hold = hold
        try:
            self._listener, self._path = hold.directory.bind_member(KIND)
        except BaseException:
            hold.release()
            raise
        self._links: set[_Lender] = set()
        self.leases: set[_Lease] = set()
        self.leaving = False
        self._idle = asyncio.Event()
        host.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        try:
            lender = _Lender(self, self._host, sock)
        except QueueError as error:
            sock.close()
            _log.error("queue %s: a lender is not trusted: %s", self.name, error)
        else:
            if not lender.link.closed:
                self._links.add(lender)

    def forget(self, lender: _Lender) -> None:
        """Forget a lender that hung up; what it lent is answered all the same."""
        self._links.discard(lender)

    def returned(self, lease: _Lease) -> None:
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
        self._listener.close()
        self._hold.directory.leave(self._path)
        for lender in list(self._links):
            lender.link.send(Leaving())  # one that is gone is forgotten now
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
        self._hold.release()


class _Lender:
    """A process that lends to us, at the other end of a link."""

    def __init__(self, member: Member, host: Host, sock: object) -> None:
        self._member = member
        self._host = host
        self._early: dict[int, bytes] = {}
        self.link = Link(host.loop, sock, self._on_packet, self._on_lost)  # type: ignore[arg-type]

    def _on_lost(self) -> None:
        self._member.forget(self)

    def _on_packet(self, packet: Packet, descriptor: int) -> None:
        if isinstance(packet, Lend):
            if self._member.leaving:
                os.close(descriptor)
                self.link.send(GiveBack(packet.loan))
            else:
                self._borrow(packet, descriptor)
        elif isinstance(packet, Data):
            self._early[packet.loan] = self._early.get(packet.loan, b"") + packet.data

    def _borrow(self, packet: Lend, descriptor: int) -> None:
        host, loop = self._host, self._host.loop
        lease = _Lease(self._member, self.link, packet.loan)
        connection = Connection(host, _placing(packet.prefix), "https" if packet.https else "http", lease)
        connection.client, connection.server = packet.client, packet.server
        if packet.headers:
            connection.extra_headers = _header_lines(packet.headers)
        transport = LentTransport(loop, borrow_socket(descriptor, packet.client[0]), connection)
        lease.transport = transport
        self._member.leases.add(lease)
        connection.connection_made(transport)
        data = self._early.pop(packet.loan, b"") + packet.data if self._early else packet.data
        connection.data_received(data)
        if not lease.over:
            loop.call_soon(transport.watch)


class _Lease:
    """One lent connection; `hostler.server.usermode.connection.Lease`."""

    __slots__ = ("_link", "_loan", "_member", "over", "transport")

    def __init__(self, member: Member, link: Link, loan: int) -> None:
        self._member = member
        self._link = link
        self._loan = loan
        self.over = False
        self.transport: LentTransport

    def done(self, stream: ClientStream | None, surplus: bytes, *, keep_alive: bool, complete: bool) -> None:
        """Give the connection back once everything written is with the system."""
        if not self.over:
            self.over = True
            status, received, sent, reason = 400, 0, 0, None
            if stream is not None:
                status, received, sent = stream.status, stream.bytes_received, stream.bytes_sent
                reason = None if complete else _why(stream)
            ahead, surplus = split(self._loan, surplus)
            last = Done(self._loan, status, received, sent, keep_alive and reason is None, reason, surplus)
            flushing = not self.transport.is_lost
            self.transport.when_flushed(lambda: self._give_back(ahead, last, flushing=flushing))

    def watch(self) -> None:
        """Notice when the client goes away."""
        self.transport.watch()

    def _give_back(self, ahead: list[Data], last: Done, *, flushing: bool) -> None:
        if flushing and self.transport.is_lost:
            # the client went away before it had all of it
            ahead, last = [], evolve(last, keep_alive=False, reason=Reason.RESPONSE_BODY_CLIENT, surplus=b"")
        self.transport.release()
        for packet in ahead:
            self._link.send(packet)
        self._link.send(last)
        self._member.returned(self)


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


@lru_cache(maxsize=256)
def _placing(prefix: str) -> _UnderPrefix:
    return _UnderPrefix(prefix)
