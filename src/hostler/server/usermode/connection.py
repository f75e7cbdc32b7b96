"""A client's connection: reads one request head at a time, and hands each to the handler with a `ClientStream`.

Theory of operation. A connection is always in one phase:

    HEAD      between requests, or in the middle of a head
    EXCHANGE  a request is with the handler; its `ClientStream` sees all bytes (see stream.py)
    DRAIN     the response is complete, the rest of the request's body is read over
    LENT      another process has the socket; nothing is read or written here
    LINGER    our side is shut; what the client still sends is discarded for a moment, so that no reset
              destroys the response's tail (RFC 9112 9.6)
    CLOSED

Bytes of a later request wait unparsed in `_surplus`. A lent connection in a worker is this same class on a
`LentTransport`, with a `Lease` that is told when its one exchange is over.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import TYPE_CHECKING, Final, cast

from hostler.deadline import Deadline
from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, encode_response
from hostler.http.message import reason_phrase
from hostler.server.placing import make_exchange
from hostler.server.usermode.host import Phase
from hostler.server.usermode.queues.loan import LentConnection, Loan
from hostler.server.usermode.queues.tcp_info import borrow_socket, bytes_read, bytes_written
from hostler.server.usermode.stream import HIGH_WATER, ClientStream

if TYPE_CHECKING:
    from hostler.contract import Address
    from hostler.http.headers import RawHeaders
    from hostler.server.placing import Placing
    from hostler.server.usermode.host import Host, Lease
    from hostler.server.usermode.queues.loan import Returned

__all__ = ["Connection"]

_log = logging.getLogger("hostler.server")
_LAST_CALL: Final = 0.5
"""Seconds that an idle connection has to bring one more request in while the server stops."""

_LINGER: Final = 5.0
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing resets."""


class Connection(asyncio.Protocol):
    """One client's connection, on a transport that is a socket of ours or one that was lent to us."""

    def __init__(
        self, host: Host, placing: Placing, scheme: str = "http", lease: Lease | None = None
    ) -> None:
        self.host = host
        self.placing = placing
        self.scheme = scheme
        self.lease = lease
        self.phase = Phase.HEAD
        self.transport: asyncio.Transport
        self.client: Address = ("", 0)
        self.server: Address = ("", 0)
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        """Headers to add to the answer of a lent exchange."""
        self.deadline = Deadline(host.loop, self._on_deadline)
        """For what the client sends."""
        self._send_deadline = Deadline(host.loop, self._on_send_deadline)
        self.half_closed = False
        self._orderly = False
        self._lost = False
        self.write_paused = False
        self._read_paused = False
        self._reader = RequestReader(host.options.limits)
        self._stream: ClientStream | None = None
        self._surplus = b""
        self._advancing = False
        self._unsent = 0
        self._flushed: asyncio.Future[None] | None = None
        self._socket: socket.socket | None = None
        self._shared: LentConnection | None = None

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the first request."""
        self.transport = cast("asyncio.Transport", transport)
        if self.lease is None:
            self.host.connections.add(self)
            self.client = (transport.get_extra_info("peername") or ("", 0))[:2]
            self.server = (transport.get_extra_info("sockname") or ("", 0))[:2]
            self.deadline.set(
                _LAST_CALL if self.host.draining else self.host.options.timeouts.idle_connection
            )
        else:
            # nothing is read from a lent connection until a body is wanted
            self._read_paused = True

    def data_received(self, data: bytes) -> None:
        """Give bytes to whoever they are for in this phase."""
        data = bytes(data)  # the Proactor of Python 3.11 gives bytearrays
        phase = self.phase
        if phase is Phase.EXCHANGE or phase is Phase.DRAIN:
            assert self._stream is not None
            self._stream.received(data)
        elif phase is Phase.HEAD:
            if self._surplus:
                self.keep(data)
            else:
                self._surplus = data
            self._advance()
        elif phase is Phase.LENT:
            self.keep(data)

    def eof_received(self) -> bool:
        """Note that the client sends no more; it may still be waiting for its answers."""
        if self.half_closed:
            return True  # reading was resumed, and finds the end once more
        self.half_closed = True
        if self.phase is Phase.EXCHANGE and self._stream is not None:
            self._stream.received_eof()
        elif self.phase is not Phase.LENT and not (self.phase is Phase.HEAD and self._surplus):
            self.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange that its client is gone."""
        self.phase = Phase.CLOSED
        self._lost = True
        self.host.connections.discard(self)
        self.deadline.close()
        self._send_deadline.close()
        self._settle_flush()
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.connection_lost(exc)
        if self._shared is not None:
            self._shared.close()
        if self.lease is not None:
            self.lease.done(stream, b"", keep_alive=False, complete=self._orderly)

    def pause_writing(self) -> None:
        """Hold back whoever produces the response."""
        self.write_paused = True
        self._watch_sending()
        if self._stream is not None:
            self._stream.pause_producer()

    def resume_writing(self) -> None:
        """Let whoever produces the response go on."""
        self.write_paused = False
        if not self.transport.is_closing():
            self._send_deadline.clear()
        self._settle_flush()
        if self._stream is not None:
            self._stream.resume_producer()
        elif self.phase is Phase.HEAD and self._surplus:
            self.resume_reading()
            self._advance()

    # -- requests -------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Take heads off the surplus while nothing else is under way and the client takes its answers."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._surplus and self.phase is Phase.HEAD and not self.write_paused:
                data, self._surplus = self._surplus, b""
                self._take_head(data)
        finally:
            self._advancing = False
        if self.half_closed and self.phase is Phase.HEAD and not self._surplus:
            self.close()

    def _take_head(self, data: bytes) -> None:
        reader = self._reader
        fresh = not reader.begun
        try:
            request = reader.feed(data)
            if request is None:
                if fresh and reader.begun:
                    self.deadline.set(self.host.options.timeouts.header_wait)
                return
            stream = ClientStream(self, request, reader.head, reader.unread)
            exchange = make_exchange(request, stream, self.placing, self.client, self.server, self.scheme)
        except ProtocolError as error:
            self.refuse(error.status, str(error))
            return
        self.phase = Phase.EXCHANGE
        self.deadline.clear()
        self._stream = stream
        if self.half_closed:
            stream.received_eof()
        if self.extra_headers is not None:
            exchange.on_response(self.extra_headers_added)
        self.host.handling.begin(exchange, stream)

    def extra_headers_added(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Add the headers that travelled with a lent exchange."""
        headers.extend(self.extra_headers or ())

    def refuse(self, status: int, why: str) -> None:
        """Answer what is no request, and close."""
        _log.info("%s:%d: %d: %s", *self.client, status, why)
        body = b"%d %s\n" % (status, reason_phrase(status))
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)),
                (b"connection", b"close")]  # fmt: skip
        self.transport.write(encode_response(status, head) + body)
        self.linger()

    # -- for the stream -------------------------------------------------------------------------------------------

    def keep(self, data: bytes) -> None:
        """Keep bytes of a later request; stop reading when they are many."""
        self._surplus += data
        if len(self._surplus) > HIGH_WATER:
            self.pause_reading()

    def pause_reading(self) -> None:
        """Read no more from the client for now."""
        if not self._read_paused and not self.transport.is_closing():
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the client again."""
        if self._read_paused and not self.transport.is_closing():
            self._read_paused = False
            self.transport.resume_reading()

    def watch(self) -> None:
        """Notice when the client of a lent connection goes away, and read nothing."""
        if self.lease is not None:
            self.lease.watch()

    def finished(self, stream: ClientStream, *, reusable: bool) -> None:
        """Go on after a complete response."""
        if self._stream is not stream:
            return
        if not stream.body.complete and reusable and self.phase is not Phase.DRAIN:
            self.phase = Phase.DRAIN
            self.deadline.set(self.host.options.timeouts.drain_entity_body)
            self.resume_reading()
            stream.drain()
            if self.half_closed and self.phase is Phase.DRAIN and self._stream is stream:
                self.finished(stream, reusable=False)  # the rest of the body will never come
            return
        self._stream = None
        if self.lease is not None:
            self._give_back(stream, reusable=reusable)
        elif not reusable or self.host.draining or not stream.body.complete:
            if stream.body.complete:
                self.close()
            else:
                self.linger()
        else:
            self.next(stream.rest)

    def next(self, surplus: bytes) -> None:
        """Wait for the next request, of which `surplus` has arrived."""
        self.phase = Phase.HEAD
        self._surplus = surplus + self._surplus if self._surplus else surplus
        if self._read_paused:
            self.resume_reading()
        self._advance()
        if self.phase is Phase.HEAD and not self._reader.begun:
            self.deadline.set(self.host.options.timeouts.idle_connection)

    def _give_back(self, stream: ClientStream, *, reusable: bool) -> None:
        assert self.lease is not None
        self.phase = Phase.HEAD
        self.deadline.clear()
        self._watch_sending()
        surplus, self._surplus = stream.rest + self._surplus, b""
        self.half_closed = False  # what the client still sends is the lender's to know
        self.lease.done(stream, surplus, keep_alive=reusable, complete=True)

    def let_go(self) -> None:
        """Be done with a lent connection that went back for good."""
        self.phase = Phase.CLOSED
        self._lost = True
        self.deadline.close()
        self._send_deadline.close()
        self.host.connections.discard(self)
        if self._socket is not None:
            self._socket.detach()
            self._socket = None

    async def flushed(self) -> None:
        """Wait until every byte written so far is with the system."""
        if self.transport.get_write_buffer_size() and not self.transport.is_closing():
            self.transport.set_write_buffer_limits(0)
            try:
                if self.write_paused:
                    self._flushed = self.host.loop.create_future()
                    await self._flushed
            finally:
                self.transport.set_write_buffer_limits(HIGH_WATER)

    def _settle_flush(self) -> None:
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    # -- lending --------------------------------------------------------------------------------------------------

    async def lend_out(self, data: bytes, headers: RawHeaders) -> Loan | None:
        """Stop reading and writing here, and make a loan of the request in `data`; None when the client is gone."""
        self.phase = Phase.LENT
        self.deadline.clear()
        stream = self._stream
        # without a body to come, the other process reads nothing, and what arrives is ours
        alone = stream is not None and stream.body.complete and stream.request.upgrade is None
        if not alone:
            self.pause_reading()
        if self.transport.get_write_buffer_size():
            await self.flushed()
        if self.transport.is_closing():
            return None
        sock = self.socket()
        if self._shared is None:
            self._shared = LentConnection(sock, self.client, self.server, self.scheme == "https")
        lines = b"".join(b"%s: %s\r\n" % header for header in headers) if headers else b""
        return Loan(self._shared, data, lines, bytes_written(sock), None if alone else bytes_read(sock))

    def take_back(self) -> None:
        """Go on with an exchange that nobody took."""
        if not self._lost:
            self.phase = Phase.EXCHANGE

    def returned(self, result: Returned) -> None:
        """Go on after a loan."""
        self._stream = None
        if self._lost:
            return
        # nobody else has the socket any more: closing it resets, and nothing need be shut before
        self.phase = Phase.HEAD
        if result.failure is not None:
            self.abort()
        elif not result.keep_alive or self.host.draining:
            self.linger()
        else:
            self.next(result.unread)

    def socket(self) -> socket.socket:
        """Return the connection's socket; it stays the transport's."""
        if self._socket is None:
            descriptor = self.transport.get_extra_info("socket").fileno()
            self._socket = borrow_socket(descriptor, self.server[0])
        return self._socket

    # -- ending ---------------------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> bool:
        """Whether closing now would lose a request, or part of an answer."""
        if self.phase is Phase.LINGER or self.transport.is_closing():
            return self.transport.get_write_buffer_size() > 0
        return True

    def stop_when_idle(self) -> None:
        """Close soon if no exchange is under way; otherwise after it (the server is stopping).

        A client that has just connected, or got an answer, may have a request on the way, and a moment for it.
        """
        if self.phase is Phase.HEAD and not self._reader.begun:
            self.deadline.set(_LAST_CALL)
        elif self._stream is not None:
            self._stream.going_away()

    def stop_now(self) -> None:
        """Close, whatever is under way (the server's patience is over)."""
        if self._stream is not None and not self._stream.closed:
            self._stream.abort()
        elif self.phase is Phase.LINGER or (
            self.phase is Phase.HEAD and not self.transport.get_write_buffer_size()
        ):
            self.close()
        else:
            self.abort()

    def close(self) -> None:
        """Close once everything written has been sent."""
        self.deadline.clear()
        self._orderly = True
        self.phase = Phase.CLOSED
        if self._shared is not None and not self.transport.is_closing():
            # closing our copy says nothing to the client while another process has one
            self.transport.write_eof()
        self.transport.close()
        self._watch_sending()

    def abort(self) -> None:
        """Close now, with a reset, so that a client cannot take what it got for all there is."""
        self.deadline.clear()
        if self._lost or (self.transport.is_closing() and not self.transport.get_write_buffer_size()):
            return
        sock = self.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if self.phase is Phase.LENT:
                sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _log.debug("%s:%d: no reset: %s", *self.client, error)
        self.transport.abort()

    def linger(self) -> None:
        """Shut our side, and discard what the client still sends for a moment."""
        if self.transport.is_closing() or self.phase is Phase.CLOSED:
            return
        self.phase = Phase.LINGER
        self._surplus = b""
        if self.half_closed or not self.transport.can_write_eof():
            self.close()
            return
        self.transport.write_eof()
        self.resume_reading()
        self.deadline.set(_LINGER)
        self._watch_sending()

    def _watch_sending(self) -> None:
        """Give the client its time to take some of what is written and not yet with the system."""
        self._unsent = self.transport.get_write_buffer_size()
        if self._unsent:
            self._send_deadline.set(self.host.options.timeouts.send)

    def _on_send_deadline(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._watch_sending()
        elif unsent:
            self.abort()

    def _on_deadline(self) -> None:
        if self.phase is Phase.HEAD and self._reader.begun:
            self.refuse(408, "the request's head did not come in time")
        elif self.phase is Phase.EXCHANGE and self._stream is not None:
            self._stream.timed_out()
        elif self.phase is Phase.LINGER and self.transport.get_write_buffer_size():
            self.deadline.set(_LINGER)
        elif self.phase is Phase.HEAD and self._surplus:
            # its next answer waits for it to read
            self.deadline.set(self.host.options.timeouts.idle_connection)
        else:
            self.close()
