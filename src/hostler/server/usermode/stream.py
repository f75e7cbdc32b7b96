"""One request and its response on a client's connection: `hostler.contract.Stream` over HTTP/1.1."""

from __future__ import annotations

import asyncio
import sys
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.contract import Delegated
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.body import NO_BODY, body_reader, encode_chunk, encode_last_chunk
from hostler.http.framing import check_response_framing, outgoing_framing
from hostler.http.h1 import encode_response
from hostler.http.message import BODILESS, CHUNKED, UNTIL_CLOSE
from hostler.server.usermode.queues.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Collection

    from hostler.contract import Pump
    from hostler.http.body import Body
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response
    from hostler.server.base import DelegationRule
    from hostler.server.usermode.connection import Connection

__all__ = ["HIGH_WATER", "ClientStream"]

HIGH_WATER: Final = 1 << 16
"""Bytes that may wait in one direction of one connection before its source is paused."""

_COPY: Final = 1 << 15
_LINES_ARE_HELD_BACK: Final = not (
    (3, 12) <= sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
)
"""Whether asyncio's `writelines` ever says that it is too much (CVE-2024-12254)."""

_date: tuple[int, bytes] = (0, b"")


def _today() -> bytes:
    global _date  # noqa: PLW0603 - a second's Date header is the same for every response
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True).encode("ascii"))
    return _date[1]


class ClientStream:
    """A request's body on its way in, its response on its way out."""

    __slots__ = (
        "_chunked", "_connection", "_head", "_keep_alive", "_paused", "_pump", "_remaining", "_silent", "_tunnel",
        "_waiting", "_waits_for_100", "aborted", "body", "bytes_received", "bytes_sent", "closed", "failure", "request", "rest",
        "started", "status", "task",
    )  # fmt: skip

    def __init__(self, connection: Connection, request: Request, head: bytes, rest: bytes) -> None:
        self._connection = connection
        self.request = request
        self._head = head
        self._waiting = rest
        self._pump: Pump | None = None
        self._paused = False
        self._waits_for_100 = request.expect_continue
        self._keep_alive = request.keep_alive
        self._silent = False
        self._chunked = False
        self._tunnel = False
        self._remaining: int | None = None
        self.body: Body = (
            body_reader(request.framing, connection.host.options.limits) if request.framing else NO_BODY
        )
        self.rest = b""
        """What followed the request, once its body is complete."""
        self.task: asyncio.Task[None] | None = None
        """The handler's task, while it runs and is not the current one."""
        self.failure: Failure | None = None
        """Why the client is gone, or its body no use, once that is so."""
        self.started = False
        self.closed = False
        self.aborted = False
        """The handler gave up on the response."""
        self.status = 0
        self.bytes_received = 0
        self.bytes_sent = 0

    # -- the request's body ---------------------------------------------------------------------------------------

    def attach(self, pump: Pump) -> None:
        """Send the body to `pump`, what waits first, and tell it about the client from now on."""
        if self.closed:
            if self.body.complete:
                pump.feed_end([])
            pump.lost(self.failure or Failure(Reason.REQUEST_CANCELED))
            return
        self._pump = pump
        if self._connection.write_paused:
            pump.pause()
        waiting, self._waiting = self._waiting, b""
        if self.body.complete:
            self.rest += waiting
            pump.feed_end(list(self.body.trailers))
        else:
            self._paused = False
            self._connection.deadline.set(self._connection.host.options.timeouts.entity_body)
            self._connection.resume_reading()
            if waiting:
                self._decode(waiting)
            if self._connection.half_closed and not self.closed:
                self.received_eof()

    def detach(self) -> None:
        """Keep the body for the next pump."""
        self._pump = None

    def received(self, data: bytes) -> None:
        """Take bytes from the connection."""
        if self.failure is not None:
            return  # whatever it is, it is no body
        if self._tunnel:
            self.bytes_received += len(data)
            assert self._pump is not None
            self._pump.feed(data)
        elif self.closed and not self.body.complete:
            self._discard(data)
        elif self._pump is None:
            self._waiting += data
            if len(self._waiting) > HIGH_WATER:
                self._connection.pause_reading()
        elif self.body.complete:
            self.rest += data
            if len(self.rest) > HIGH_WATER:
                self._connection.pause_reading()
        else:
            self._decode(data)

    def _decode(self, data: bytes) -> None:
        body, pump = self.body, self._pump
        assert pump is not None
        self._waits_for_100 = False
        try:
            pieces = body.feed(data)
        except ProtocolError as error:
            self._body_failed(Failure(Reason.REQUEST_BODY_CLIENT, str(error), error, error.status))
            return
        for piece in pieces:
            self.bytes_received += len(piece)
            pump.feed(piece)
        if body.complete:
            self.rest = body.unread
            self._connection.deadline.clear()
            if self._connection.lease is not None:
                # what follows is the lender's to read
                self._connection.pause_reading()
                self._connection.watch()
            pump.feed_end(body.trailers)
        elif not self._paused:
            self._connection.deadline.set(self._connection.host.options.timeouts.entity_body)

    def _body_failed(self, failure: Failure) -> None:
        """Give up on the request's body: the connection carries nothing after this response."""
        self._keep_alive = False
        self.failure = failure
        self._connection.deadline.clear()
        if self._pump is not None:
            self._pump.lost(failure)

    def received_eof(self) -> None:
        """Learn that the client sends no more."""
        if self._tunnel:
            assert self._pump is not None
            self._pump.feed_end([])
        elif self.body.complete:
            self._connection.deadline.set(self._connection.host.options.timeouts.half_closed)
        elif self._pump is not None:
            self._body_failed(Failure(Reason.REQUEST_BODY_CLIENT, "the body ends before its length"))

    def timed_out(self) -> None:
        """Learn that the client stalled in the middle of its body, or closed its side and has no answer yet."""
        if not self.body.complete:
            self._body_failed(Failure(Reason.REQUEST_BODY_CLIENT, "the body stalled", status=408))
        elif not self.started:
            self._connection.abort()

    def drain(self) -> None:
        """Read over what is left of the body, after the response."""
        waiting, self._waiting = self._waiting, b""
        if waiting:
            self._discard(waiting)

    def _discard(self, data: bytes) -> None:
        try:
            self.body.feed(data)
        except ProtocolError:
            self._connection.linger()
            return
        if self.body.complete:
            self.rest = self.body.unread
            self._connection.finished(self, reusable=True)

    def proceed(self) -> None:
        """Send 100 Continue if the client waits for it."""
        if self._waits_for_100 and not self.started:
            self._waits_for_100 = False
            if not self.body.complete:
                self.inform(100, [])

    def pause(self) -> None:
        """Stop the flow of the request's body."""
        self._paused = True
        if not self.closed:
            self._connection.deadline.clear()
            self._connection.pause_reading()

    def resume(self) -> None:
        """Let the request's body flow again."""
        self._paused = False
        if not self.closed:
            if not self.body.complete:
                self._connection.deadline.set(self._connection.host.options.timeouts.entity_body)
                self._connection.resume_reading()
            elif self._tunnel or self._connection.lease is None:
                self._connection.resume_reading()

    # -- the response ---------------------------------------------------------------------------------------------

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Send an interim response; HTTP/1.0 clients get none."""
        if not self.closed and not self.started and self.request.version >= 11:
            self._connection.transport.write(encode_response(status, headers))
            if status == 100:
                self._waits_for_100 = False

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes with it."""
        headers, status = response.headers, response.status
        lines = headers.lines
        added: RawHeaders
        named: Collection[bytes]
        if lines is not None:
            named, added = lines.keys(), []
        else:
            added = list(headers.pairs())
            named = {name.lower() for name, _ in added}
            if b"content-length" in named or b"transfer-encoding" in named:
                check_response_framing(response, self.request.method)
        if status != 101:
            self._frame(response, named, added)
        elif self._pump is None and not self.closed:
            raise RuntimeError("a 101 needs a pump that takes what the client sends from then on")
        block = encode_response(status, added, response.reason, () if lines is None else lines.values())
        if self.closed:
            return
        self.started, self.status = True, status
        if status == 101:
            self._begin_tunnel(block)
        elif data:
            self._send(data, block)
        else:
            self._connection.transport.write(block)

    def _frame(self, response: Response, named: Collection[bytes], added: RawHeaders) -> None:
        """Decide how the body is framed and whether the connection lasts; add the headers that say so, and Date."""
        request = self.request
        framing = outgoing_framing(response, request.method, request.version)
        if b"date" not in named:
            added.append((b"date", _today()))
        if framing >= 0:
            if b"content-length" not in named:
                added.append((b"content-length", b"%d" % framing))
        elif framing == CHUNKED:
            added.append((b"transfer-encoding", b"chunked"))
        elif framing == UNTIL_CLOSE:
            self._keep_alive = False
        connection = self._connection
        if (self._waits_for_100 and not self.body.complete) or (
            connection.host.draining and connection.lease is None
        ):
            self._keep_alive = False
        if not self._keep_alive:
            added.append((b"connection", b"close"))
        elif request.version < 11:
            added.append((b"connection", b"keep-alive"))
        self._silent = framing == BODILESS
        self._chunked = framing == CHUNKED
        self._remaining = framing if framing >= 0 else None

    def _begin_tunnel(self, block: bytes) -> None:
        self._tunnel, self._keep_alive = True, False
        self._connection.deadline.clear()
        self._connection.transport.write(block)
        rest, self.rest = self.rest, b""
        self._connection.resume_reading()
        if rest:
            self.received(rest)
        if self._connection.half_closed:
            self.received_eof()

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data and not self.closed:
            self._send(data, b"")

    def _send(self, data: bytes, head: bytes) -> None:
        size = len(data)
        self.bytes_sent += size
        transport = self._connection.transport
        if self._remaining is not None:
            if size > self._remaining and not self._silent:
                self.abort()
                raise ProtocolError("the response's body is longer than its Content-Length", 500)
            self._remaining -= size
        if self._silent:
            self.bytes_sent -= size
            if head:
                transport.write(head)
        elif self._chunked:
            if size > _COPY and _LINES_ARE_HELD_BACK:
                transport.writelines((b"%s%x\r\n" % (head, size), data, b"\r\n"))
            else:
                transport.write(head + encode_chunk(data))
        elif head and size <= _COPY:
            transport.write(head + data)
        else:
            if head:
                transport.write(head)
            transport.write(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    @property
    def is_tunnel(self) -> bool:
        """Whether the connection was upgraded and is still open."""
        return self._tunnel and not self.closed

    def hang_up(self) -> None:
        """End an upgraded connection that its handler is done with."""
        self.closed = True
        self._connection.linger()

    def handled(self) -> None:
        """Learn that the handler is over."""

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body, with trailers where the client can take them."""
        if self.closed:
            return
        connection = self._connection
        if self._tunnel:
            if not connection.transport.is_closing() and connection.transport.can_write_eof():
                connection.transport.write_eof()
            return
        if self._remaining and not self._silent:
            self.abort()
            raise ProtocolError("the response's body is shorter than its Content-Length", 500)
        if self._chunked and not self._silent:
            connection.transport.write(encode_last_chunk(trailers or []))
        self.closed = True
        self._pump = None
        if self.body.complete and not self.rest:
            self.rest, self._waiting = self._waiting, b""
        connection.finished(self, reusable=self._keep_alive)

    def abort(self) -> None:
        """Tear the response down so that the client cannot take it for complete."""
        if not self.closed:
            self.closed = self.aborted = True
            self._pump = None
            self._connection.abort()

    # -- the client -----------------------------------------------------------------------------------------------

    def pause_producer(self) -> None:
        """Learn that the client does not keep up."""
        if self._pump is not None:
            self._pump.pause()

    def resume_producer(self) -> None:
        """Learn that the client keeps up again."""
        if self._pump is not None:
            self._pump.resume()

    def going_away(self) -> None:
        """Tell whoever answers that the server stops."""
        if self._pump is not None:
            self._pump.going_away()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the connection is gone."""
        if self.closed:
            return
        self.closed = True
        pump, self._pump = self._pump, None
        if self.failure is not None:
            if pump is not None:
                pump.resume()  # it knows; nobody must wait for this client to keep up
            return
        if self._tunnel:
            reason = Reason.UPGRADE_REQUEST_CLIENT
        elif self.started:
            reason = Reason.RESPONSE_BODY_CLIENT
        else:
            reason = Reason.REQUEST_CANCELED if self.body.complete else Reason.REQUEST_BODY_CANCELED
        self.failure = Failure(reason, str(exc or ""))
        if pump is not None:
            pump.lost(self.failure)

    # -- delegating -----------------------------------------------------------------------------------------------

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and the connection is our own."""
        return (
            self._pump is None
            and not self.started
            and not self.closed
            and self._connection.lease is None
            and not self._connection.transport.is_closing()
        )

    async def delegate(self, rule: DelegationRule, headers: RawHeaders) -> Delegated | Failure:
        """Lend the connection to a process of the rule's queue, and take it back when that has answered."""
        assert isinstance(rule, Rule)
        connection = self._connection
        loan = await connection.lend_out(self._head + self._waiting, headers)
        if loan is None:
            return Failure(Reason.REQUEST_CANCELED, "the client went away")
        self._waiting = b""
        try:
            result = await rule.lend(loan)
        except asyncio.CancelledError:
            self.abort()
            raise
        if isinstance(result, Failure):
            connection.take_back()
            self._waiting = loan.data[len(self._head) :]
            return result
        self.started = self.closed = True
        self.status, self.bytes_received, self.bytes_sent = (
            result.status,
            result.bytes_received,
            result.bytes_sent,
        )
        connection.returned(result)
        return Delegated(result.status, result.bytes_received, result.bytes_sent, result.failure)
