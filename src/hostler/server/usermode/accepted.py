"""Connections that this server accepted: their owner, and the one that lends them to other processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from hostler.client.outgoing import delegated_head
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.encode import encode_header_lines
from hostler.server.usermode.http1.connection import Http1Connection
from hostler.server.usermode.queues.lent_socket import SharedSocket
from hostler.server.usermode.queues.loan import LentConnection, Loan

if TYPE_CHECKING:
    from hostler.contract import Delegated, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.http.security import Tls
    from hostler.server.base import DelegationRule
    from hostler.server.placing import Placing
    from hostler.server.usermode.client_socket import ClientSocket
    from hostler.server.usermode.context import ServerContext
    from hostler.server.usermode.http1.stream import Http1Stream
    from hostler.server.usermode.queues.lent_socket import LentSocket
    from hostler.server.usermode.queues.loan import Returned
    from hostler.server.usermode.queues.rule import Rule

__all__ = ["LAST_CALL", "AcceptedConnection"]

LAST_CALL: Final = 0.5
"""Seconds that an idle connection has to bring one more request in while the server stops."""


class AcceptedConnection:
    """A connection from this server's listeners; `hostler.server.usermode.owner.ConnectionOwner`."""

    __slots__ = (
        "_context",
        "_is_fresh",
        "_lent",
        "added_headers",
        "body_limit",
        "can_lend",
        "connection",
        "keeps_open",
        "placing",
        "reads_ahead",
        "socket",
    )
    is_borrowed = False

    def __init__(
        self,
        context: ServerContext,
        placing: Placing,
        socket: ClientSocket,
        scheme: str = "http",
        tls: Tls | None = None,
    ) -> None:
        """Wait for the first request on a socket that has just been connected."""
        self._context = context
        self._lent: LentConnection | None = None
        self._is_fresh = True
        """Nothing has been written yet."""
        self.placing = placing
        self.added_headers: RawHeaders = []
        self.body_limit: int | None = None
        self.can_lend = True
        self.reads_ahead = True
        self.keeps_open = False  # it is told of the first exchange
        self.socket = socket
        self.connection = Http1Connection(context, self, socket, socket.addresses(), scheme, tls=tls)
        context.connections.add(self)
        context.unfinished.add(self)
        socket.deadline.set(context.options.timeouts.idle_connection)
        if context.stopping:
            self.finish()

    # -- ConnectionOwner ------------------------------------------------------------------------------------------

    def exchange_over(self, stream: Http1Stream | None, *, reusable: bool) -> bool:
        """Let a reusable connection go on, and end another."""
        self._is_fresh = False
        lent = self._lent
        if lent is None:
            self.keeps_open = True
        else:
            sock = lent.socket
            sock.written, sock.written_by_member = sock.written_by_member, None
        if not reusable:
            self.connection.end()
            self.socket.when_flushed(self._finished)
        return reusable

    def peek(self) -> bytes:
        """Return nothing: all that arrives is read."""
        return b""

    def departed(self) -> None:
        """Have whoever answers told that the client is gone."""
        if self._lent is not None:
            self._lent.departed()

    def gone(self, stream: Http1Stream | None) -> None:
        """Forget the connection, and have every copy of it closed."""
        self._context.connections.discard(self)
        self._finished()
        del self.connection  # which knows us: the two would wait for the collector
        if self._lent is not None:
            self._lent.departed()
            self._lent.close()

    def _finished(self) -> None:
        self._context.unfinished.discard(self)

    def informed(self) -> None:
        """Have what is written counted anew before the next loan."""
        self._is_fresh = False
        if self._lent is not None:
            self._lent.socket.written = None

    def body_complete(self) -> None:
        """Read on: what follows is ours too."""

    async def lend(
        self, stream: Http1Stream, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Delegated | Failure:
        """Lend the connection to a process of the rule's queue, and take it back when that has answered."""
        if stream.failure is not None:
            return stream.failure
        connection, socket = self.connection, self.socket
        try:
            head = delegated_head(source, connection.head)
            added = encode_header_lines(headers) if headers else b""
        except ProtocolError as error:
            return Failure(Reason.REQUEST_CREATION, str(error), error)
        body, whole = connection.suspend()
        loan: _RequestLoan | None = None
        try:
            lent = self._lent
            # what a member has answered is with the system; what we have written may not be
            is_unsent = (lent is None or lent.socket.written is None) and socket.unsent
            if (is_unsent or socket.is_closing()) and not await socket.flushed():
                return Failure(Reason.REQUEST_CANCELED, "the client went away")
            if lent is None:
                made = self._lend_first()
                if isinstance(made, Failure):
                    connection.restore(body)
                    return made
                lent = made
            lent.socket.lend()
            data = head + body if body else head
            loan = _RequestLoan(lent, data, added, None if whole else lent.socket.lend_reading())
            loan.http, loan.client, loan.stream, loan.body = connection, socket, stream, body
            loan.body_limit = stream.body_limit
            if source.client is not lent.client or source.scheme != connection.scheme:
                loan.origin = source.client, source.scheme == "https"
            await cast("Rule", rule).lend(loan)
        except asyncio.CancelledError:
            if loan is not None and not loan.number:
                loan.take_back()
            else:
                stream.abort()  # while the socket is lent: the reset is for every copy
            raise
        return loan.result()

    def _lend_first(self) -> LentConnection | Failure:
        """Make what is lent of the connection from now on; a failure where there is no room for a relay."""
        connection, context = self.connection, self._context
        sock: LentSocket
        if self.socket.is_relayed:
            from hostler.server.usermode.queues.relay import Relay  # noqa: PLC0415 - TCP connections do without

            try:
                sock = Relay(context.loop, context.handling.context, self.socket, connection)
            except OSError as error:
                why = f"no room to lend the connection: {error}; raise the limit of open files"
                return Failure(Reason.NO_AVAILABLE_DESTINATIONS, why, error)
        else:
            sock = SharedSocket(self.socket, 0 if self._is_fresh else None)
        self.keeps_open = False  # it is told of every exchange
        client, server = connection.addresses
        lent = self._lent = LentConnection(
            sock,
            connection.peer or client,
            server,
            https=connection.scheme == "https",
            tls=connection.tls,
        )
        return lent

    # -- stopping -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Close after the exchange under way; an idle connection gets a moment for a request that is on its way."""
        self.connection.finish(LAST_CALL)

    def stop(self) -> None:
        """End now."""
        self.connection.stop()


class _RequestLoan(Loan):
    """A loan of a request on an accepted connection."""

    http: Http1Connection
    client: ClientSocket
    stream: Http1Stream
    body: bytes
    """What had come of the request's body, and goes on with it when nobody takes it."""

    def begun(self, status: int) -> None:
        """Let whoever awaits the outcome know too with which status the answer has begun."""
        super().begun(status)
        self.stream.status = status

    def take_back(self) -> None:
        """Go on as if the request had not been lent: no member has had it."""
        back = self.connection.socket.regain()
        self.http.restore(self.body + back if back else self.body)

    def settle(self, result: Returned | Failure) -> None:
        """Take the connection back, have whoever awaits the loan go on, and then the connection."""
        if isinstance(result, Failure):
            self.take_back()
            self.resolve(result)
            return
        back = self.connection.socket.regain()
        self.stream.answered_elsewhere(result)
        self.resolve(result)
        # its next request may have come already: within the task that awaits this loan, that could not begin
        if result.failure is None:
            self.http.resume(result.unread + back if back else result.unread, reusable=result.keep_alive)
        else:
            self.client.reset()
