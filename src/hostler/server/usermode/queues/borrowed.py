"""A client's connection that another process lent to us, and that we answer requests on.

States. A `BorrowedConnection` is idle, between loans, when its lender has opened it: nothing is read, and nobody watches the
client. LEND makes it answering. It is returning once the exchange is over, or the client is gone, until everything
written is with the system; then DONE goes to the lender, and it is idle again with keep alive, else closed. CLOSE, the
end of the lender's link, and leaving make it orphaned: it is closed as soon as it is idle.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Protocol

from attrs import evolve

from hostler.errors import DelegationError, Failure, PrefixError, Reason
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.server.usermode.addresses import borrow_socket
from hostler.server.usermode.client_socket import ClientSocket
from hostler.server.usermode.http1.connection import Http1Connection
from hostler.server.usermode.queues.lent_transport import LentTransport
from hostler.server.usermode.queues.loan_packets import encode_done
from hostler.server.usermode.queues.packets import (
    MAX_DATA,
    Begun,
    Client,
    Open,
    PacketError,
    split,
)

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from hostler.contract import Address, Delegated, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.http.limits import Limits
    from hostler.server.base import DelegationRule
    from hostler.server.placing import Placing
    from hostler.server.usermode.context import ServerContext
    from hostler.server.usermode.http1.stream import Http1Stream
    from hostler.server.usermode.queues.link import Link

__all__ = ["BorrowedConnection"]

_UPGRADED: Final = 101


class BorrowingQueue(Protocol):
    """The queue that a connection is borrowed for; `ServedQueue`."""

    answering: set[BorrowedConnection]
    """The connections whose request we answer."""

    leaving: bool
    watch_timer: TimerHandle | None

    def watch_later(self) -> None:
        """Watch the clients of requests that last."""

    def settle(self) -> None:
        """Be idle once everything is answered and every lender has hung up."""


class ConnectionLender(Protocol):
    """The process that lends connections; `Lender`."""

    link: Link
    borrowed: dict[int, BorrowedConnection]

    def answer_begun(self, connection: BorrowedConnection, /) -> None:
        """Have the connection asked at the end of this turn of the event loop whether its answer is still under way."""

    @property
    def queue(self) -> BorrowingQueue:
        """The queue that it lends them for."""


class BorrowedConnection:
    """A connection that is lent to us, one request at a time; `hostler.server.usermode.owner.ConnectionOwner`."""

    __slots__ = (
        "_context",
        "_lender",
        "_number",
        "_opened",
        "_orphaned",
        "_prefix",
        "_returning",
        "_transport",
        "added_headers",
        "body_limit",
        "can_lend",
        "connection",
        "keeps_open",
        "lasts",
        "loan",
        "placing",
        "reads_ahead",
        "socket",
        "told",
    )  # fmt: skip
    is_borrowed = True

    def __init__(
        self, lender: ConnectionLender, context: ServerContext, packet: Open, descriptor: int
    ) -> None:
        self._lender = lender
        self._context = context
        self._opened = packet
        self._number = packet.connection
        self.told: Client | None = None
        """Whom the next request is from, where that is not the connection's own client."""
        self.loan = 0
        """The number of the loan that we answer; 0 between loans."""
        self.lasts = False
        """The loan has gone on for a while, and its client is watched here too."""
        self._returning = False
        self._orphaned = False
        self.placing: Placing = _NOWHERE
        self._prefix = b""
        """The URL prefix of `placing`."""
        self.added_headers: RawHeaders = []
        self.body_limit: int | None = None
        self.can_lend = self.reads_ahead = self.keeps_open = False
        self.socket = ClientSocket(context.loop, lambda _: self.connection, context.options.timeouts.send)
        scheme = "https" if packet.https else "http"
        addresses, limits = (packet.client, packet.server), _for_lent(context.options.limits)
        self.connection = Http1Connection(context, self, self.socket, addresses, scheme, limits, packet.tls)
        self._transport = LentTransport(
            context.loop, borrow_socket(descriptor, packet.client[0]), self.socket
        )
        self.socket.connection_made(self._transport)
        self.socket.pause_reading()  # nothing is read before a body is wanted

    def begin(
        self, loan: int, prefix: bytes, headers: bytes, data: bytes, whole: bool, body_limit: int | None
    ) -> None:
        """Answer a request: what LEND says."""
        if prefix != self._prefix:
            self.placing, self._prefix = _placing(prefix), prefix
        self.added_headers = _header_lines(headers) if headers else []
        self.loan, self.body_limit = loan, body_limit
        self.reads_ahead = not whole
        self.lasts = False
        queue = self._lender.queue
        queue.answering.add(self)
        self._context.connections.add(self)
        self.socket.ended = False  # as far as this loan knows
        connection, transport = self.connection, self._transport
        if self.told is not None or connection.peer is not None:
            self._take_client()
        transport.readable = transport.on_first_write = None
        transport.bytes_written = 0
        connection.received(data)  # a handler that starts at once may be over before this returns
        if not self.loan:
            return
        transport.readable = connection.body_missing
        if connection.answer_status:
            self._answering()
        else:
            transport.on_first_write = self._answering
        if not whole:
            self._context.loop.call_soon(self.watch)
        elif queue.watch_timer is None:
            queue.watch_later()

    def _take_client(self) -> None:
        """Have the next request be from whom the lender has told, or from the connection's own client again."""
        connection, opened, told = self.connection, self._opened, self.told
        client, https = (opened.client, opened.https) if told is None else (told.address, told.https)
        connection.addresses = client, opened.server
        connection.scheme = "https" if https else "http"
        connection.peer = None if told is None else opened.client
        self.told = None

    def watch(self) -> None:
        """Notice when the client goes away, while we answer and read nothing."""
        if self.loan:
            self._transport.watch()

    def _answering(self) -> None:
        self._lender.answer_begun(self)

    def tell_begun(self) -> None:
        """Say with which status an answer has begun that was not over at once: should we end in it, nobody else knows."""
        if not self.loan or self._returning:
            return
        if status := self.connection.answer_status:
            self._lender.link.send(Begun(self.loan, status))
        else:  # it was an interim response
            self._transport.on_first_write = self._answering

    # -- ConnectionOwner ------------------------------------------------------------------------------------------

    def exchange_over(self, stream: Http1Stream | None, *, reusable: bool) -> bool:
        """Give the connection back once everything written is with the system."""
        unread = self.connection.take_unread()
        if self.loan and not self._returning:
            if self._transport.is_flushed:
                self._flushed(stream, unread, reusable, None)
            else:
                self._return(stream, unread, reusable, None)
        return False

    def gone(self, stream: Http1Stream | None) -> None:
        """Report that the client is gone; close the copy of a connection that broke between loans."""
        if not self.loan:
            self._drop()
        elif not self._returning:
            self._return(stream, b"", False, _why(stream))

    def peek(self) -> bytes:
        """Return what has arrived and is the lender's to read."""
        return self._transport.peek()

    def departed(self) -> None:
        """Do nothing: what was borrowed is not lent."""

    def informed(self) -> None:
        """Do nothing: what is written is counted."""

    def body_complete(self) -> None:
        """Read no further: what follows is the lender's; of a request that had all come nothing was read."""
        if self.reads_ahead:
            self.socket.pause_reading()
            self.watch()

    async def lend(
        self, stream: Http1Stream, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Delegated | Failure:
        """Refuse: a connection is lent once."""
        raise DelegationError(f"a connection that was lent cannot be lent on to queue {rule.queue!r}")

    # -- giving back ----------------------------------------------------------------------------------------------

    def _return(
        self, stream: Http1Stream | None, unread: bytes, reusable: bool, reason: Reason | None
    ) -> None:
        self._returning = True
        self.socket.when_flushed(partial(self._flushed, stream, unread, reusable, reason))

    def _flushed(
        self, stream: Http1Stream | None, unread: bytes, reusable: bool, reason: Reason | None
    ) -> None:
        transport, lender, loan = self._transport, self._lender, self.loan
        queue = lender.queue
        status, received, sent = 400, 0, 0
        if stream is not None:
            status, received, sent = stream.status, stream.bytes_received, stream.bytes_sent
        if transport.is_closing() and reason is None and status != _UPGRADED:
            # the client went away before it had all of it; one of an upgraded connection need not wait for our end
            failure = None if stream is None else stream.failure
            unread, reusable = b"", False
            reason = (
                Reason.RESPONSE_BODY_CLIENT if failure is None else failure.reason
            )  # as it was told of before
        self.loan, self._returning = 0, False
        self._context.connections.discard(self)
        if not reusable or self._orphaned or queue.leaving:
            self._drop()
        elif not transport.is_at_rest:
            self.socket.pause_reading()
            transport.pause_reading()  # nor watch
            transport.is_at_rest = True
        if len(unread) > MAX_DATA:
            ahead, unread = split(loan, unread)
            for packet in ahead:
                lender.link.send(packet)
        lender.link.write(
            encode_done(loan, status, received, sent, reusable, reason, unread, transport.bytes_written)
        )
        queue.answering.discard(self)
        if queue.leaving:
            queue.settle()

    def orphaned(self) -> None:
        """Let go of a connection that nobody will lend again; the request that we answer is finished first."""
        self._orphaned = True
        if self.loan:
            self.watch()  # nobody else does any more
        else:
            self._drop()

    def break_off(self) -> None:
        """Have a request that we have not begun to answer come to nothing: the lender gives it to somebody else."""
        if self.loan and not self.connection.answer_status:
            self._transport.abort()

    def _drop(self) -> None:
        if self._lender.borrowed.get(self._number) is self:
            del self._lender.borrowed[self._number]
            self._transport.release()
            self.socket.let_go()
            del self.connection  # which knows us: the two would wait for the collector

    # -- stopping -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Tell whoever answers that the server stops; whether the connection lasts is the lender's to say."""
        self.connection.going_away()

    def stop(self) -> None:
        """Break off."""
        self.connection.stop()


@lru_cache(maxsize=8)
def _for_lent(limits: Limits) -> Limits:
    """Make room for what a lender made longer: escapes in the target, and what it says of the client."""
    line = 3 * limits.request_line
    return evolve(limits, request_line=line, head=limits.head + line + 1024, headers=limits.headers + 4)


def _why(stream: Http1Stream | None) -> Reason | None:
    """Say whose fault it is that a connection was lost before its exchange was complete; None when it was as good as."""
    if stream is None:
        return Reason.REQUEST_CANCELED
    if stream.half_ended:
        return None  # all was said, such as a WebSocket's closing handshake
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
        self._is_everything = prefix.path == "/"

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path); a path outside the prefix is all path."""
        if self._is_everything:
            return "", path
        found = self._table.match(self._path.scheme, host, self._path.port, server[0], path)
        return ("", path) if found is None else (found.path_base, found.path)


_NOWHERE: Final = _UnderPrefix("http://+:80/")
"""Where a connection's requests are placed before the first of them comes."""


@lru_cache(maxsize=256)
def _placing(prefix: bytes) -> _UnderPrefix:
    try:
        return _UnderPrefix(prefix.decode())
    except (PrefixError, UnicodeDecodeError) as error:
        raise PacketError(str(error)) from error
