"""A connection to a destination: one request at a time, its response pumped straight to the client.

Theory of operation. A `Transfer` is one exchange on one connection. It is the exchange's `Pump`: what the client
sends goes straight to the destination's transport. And it is what the connection tells of the response: heads and
pieces go straight to the exchange's `Stream`. Nobody awaits anything but `done`. Back-pressure is each transport
pausing the other's reading.

A transfer ends exactly once, through `_finish`, with None, a Failure, or RETRY: the connection was a reused one that
died before a byte of an answer, and the request may be sent again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from hostler.client.heads import offered_upgrade, response_headers
from hostler.deadline import Deadline
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.body import NO_BODY, ClosingBody, body_reader, encode_chunk, encode_last_chunk
from hostler.http.h1 import ResponseReader
from hostler.http.message import CHUNKED

if TYPE_CHECKING:
    from hostler.client.pool import Pool
    from hostler.exchange import Exchange, Stream
    from hostler.http.body import Body
    from hostler.http.headers import Headers, RawHeaders
    from hostler.http.message import Response

__all__ = ["RETRY", "DestinationConnection", "Transfer"]

RETRY: Final = Failure(Reason.REQUEST, "the connection was closed before it answered")
"""How a transfer ends that may be tried on another connection."""

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class DestinationConnection(asyncio.Protocol):
    """A pooled connection to a destination."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self.transport: asyncio.Transport
        self.deadline = Deadline(loop, self._on_deadline)
        self.transfer: Transfer | None = None
        self.used = False
        """It has answered a request before."""
        self.closed = False
        self.counted = False
        """The pool counts it among its connections."""
        self.write_paused = False
        self._informed = False
        self._reader = ResponseReader("")
        self._body: Body | None = None
        self._tunnel = False
        self._reusable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, transfer: Transfer, head: bytes, method: str) -> None:
        """Send a request's head; the response goes to `transfer`."""
        self.transfer = transfer
        self._reader.method = method
        self._body = None
        self._informed = False
        self.transport.write(head)

    def release(self) -> None:
        """Be done with the transfer: back to the pool if the connection can carry another, else closed."""
        self.transfer = None
        reusable = (
            self._reusable and not self.closed and not self.write_paused and not self.transport.is_closing()
        )
        self._reusable = False
        if reusable:
            self.used = True
            self.transport.resume_reading()
            self._pool.give_back(self)
        else:
            self.close()

    def give_up(self) -> None:
        """Go back to the pool unused."""
        self._pool.give_back(self)

    @property
    def answer_begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return self._informed or self._body is not None or self._reader.begun

    def close(self, *, flush: bool = True) -> None:
        """Close; what was written is still sent, unless nobody waits for that any more."""
        self.transfer = None
        self.deadline.close()
        if not self.closed:
            self.closed = True
            self._pool.forget(self)
            self.transport.close() if flush and not self.write_paused else self.transport.abort()

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read the response."""
        transfer = self.transfer
        if transfer is None:
            # nothing was asked: whatever this is, it must not answer the next request
            self.close()
            return
        transfer.touch()
        if self._tunnel:
            transfer.stream.write(data)
            return
        try:
            if self._body is None:
                self._read_head(transfer, data)
            else:
                self._pass_on(transfer, self._body, self._body.feed(data))
        except ProtocolError as error:
            transfer.broken(error)

    def _read_head(self, transfer: Transfer, data: bytes) -> None:
        while data:
            response = self._reader.feed(data)
            if response is None:
                return
            data = self._reader.rest
            if response.status == 101:
                self._tunnel = transfer.switched(response)
                if self._tunnel and data:
                    transfer.stream.write(data)
                return
            if response.status < 200:
                self._informed = True
                transfer.stream.inform(response.status, response_headers(response).pairs())
                continue
            self._reusable = response.keep_alive
            if 0 <= response.framing <= len(data):
                self._answer_whole(transfer, response, data)
                return
            body = self._body = body_reader(response.framing)
            pieces = body.feed(data) if data else []
            transfer.answered(response, pieces.pop(0) if pieces else b"")
            if transfer.done.done():
                return  # the head cannot be passed on, or the client is gone
            self._pass_on(transfer, body, pieces)
            return

    def _answer_whole(self, transfer: Transfer, response: Response, data: bytes) -> None:
        """Pass on a response whose whole body came with its head."""
        self._body = NO_BODY
        size = response.framing
        transfer.answered(response, data if size == len(data) else data[:size])
        if not transfer.done.done():
            self._reusable = self._reusable and transfer.request_sent and size == len(data)
            transfer.complete([])

    def _pass_on(self, transfer: Transfer, body: Body, pieces: list[bytes]) -> None:
        stream = transfer.stream
        for piece in pieces:
            stream.write(piece)
        if body.done:
            if body.rest:
                self._reusable = False
            self._reusable = self._reusable and transfer.request_sent
            transfer.complete(body.trailers)

    def eof_received(self) -> bool:
        """Learn that the destination sends no more."""
        transfer = self.transfer
        if transfer is None:
            return False
        if self._tunnel:
            return transfer.destination_ended()
        if isinstance(self._body, ClosingBody):
            self._body.done = True
            transfer.complete([])
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the transfer."""
        transfer, self.transfer = self.transfer, None
        if not self.closed:
            self.closed = True
            self._pool.forget(self)
        self.deadline.close()
        if transfer is not None:
            transfer.connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop the request's body: the destination does not keep up."""
        self.write_paused = True
        if self.transfer is not None:
            self.transfer.stream.pause()

    def resume_writing(self) -> None:
        """Let the request's body go on."""
        self.write_paused = False
        if self.transfer is not None:
            self.transfer.touch()
            self.transfer.stream.resume()

    def _on_deadline(self) -> None:
        if self.transfer is None:
            self.close()
        else:
            self.transfer.timed_out()


class Transfer:
    """One exchange on one connection; `hostler.exchange.Pump`."""

    __slots__ = ("_activity", "_answered", "_chunked", "_client_ended", "_connection", "_destination_ended", "_exchange",
                 "_fed", "_paused", "_tunnel", "done", "method", "request_sent", "stream")  # fmt: skip

    def __init__(
        self,
        exchange: Exchange,
        connection: DestinationConnection,
        activity: float,
        done: asyncio.Future[Failure | None],
    ) -> None:
        self._exchange = exchange
        self._connection = connection
        self._activity = activity
        self.done = done
        """The end: None, a Failure, or RETRY."""
        self.stream: Stream = exchange.stream
        self.method = exchange.request.method
        self._chunked = exchange.request.framing == CHUNKED
        self.request_sent = False
        self._fed = False
        self._answered = False
        self._paused = False
        self._tunnel = False
        self._client_ended = False
        self._destination_ended = False

    def begin(self, head: bytes) -> None:
        """Send the request."""
        connection = self._connection
        connection.deadline.set(self._activity)
        connection.begin(self, head, self.method)
        self.stream.attach(self)
        if connection.write_paused:
            self.stream.pause()

    def touch(self) -> None:
        """Note that something moved."""
        self._connection.deadline.set(self._activity)

    # -- Pump: what the client does -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Send a piece of the request's body on."""
        self._fed = True
        connection = self._connection
        if connection.closed or connection.transport.is_closing():
            return
        connection.deadline.set(self._activity)
        connection.transport.write(encode_chunk(data) if self._chunked and not self._tunnel else data)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Finish the request's body."""
        transport = self._connection.transport
        if self._tunnel:
            self._client_ended = True
            if self._destination_ended:
                self._finish(None)
            elif not transport.can_write_eof():
                self._finish(None)  # TLS has no half-open connections
            elif not transport.is_closing():
                transport.write_eof()
            return
        self.request_sent = True
        if self._chunked and not transport.is_closing():
            transport.write(encode_last_chunk(trailers))

    def lost(self, failure: Failure) -> None:
        """Give up: nobody is there to answer."""
        if self._tunnel and self._destination_ended:
            self._finish(None)
        else:
            self._finish(failure)

    def pause(self) -> None:
        """Read no more of the response for now."""
        if self.done.done():
            return  # the connection is idle, or another's
        self._paused = True
        transport = self._connection.transport
        if not transport.is_closing():
            transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.done.done():
            return
        self._paused = False
        self.touch()
        transport = self._connection.transport
        if not transport.is_closing():
            transport.resume_reading()

    # -- what the destination does --------------------------------------------------------------------------------

    def answered(self, response: Response, data: bytes) -> None:
        """Send the response's head on, with the first of its body."""
        self._answered = True
        self._send_head(response, response_headers(response), data)

    def switched(self, response: Response) -> bool:
        """Send a 101 on, and become a tunnel; returns whether it was one that the client had asked for."""
        if not self.request_sent or offered_upgrade(self._exchange) is None:
            raise ProtocolError("the destination switches protocols, and nobody asked for it")
        self._answered = self._tunnel = True
        headers = response_headers(response)
        for pair in response.headers.pairs():
            if pair[0].lower() in {b"connection", b"upgrade"}:
                headers.add(*pair)
        self._send_head(response, headers, b"")
        return not self.done.done()

    def _send_head(self, response: Response, headers: Headers, data: bytes) -> None:
        added: RawHeaders = []
        self._exchange.settle(added)
        for pair in added:
            headers.add(*pair)
        response.headers = headers
        try:
            self.stream.start(response, data)
        except ProtocolError as error:
            self._finish(Failure(Reason.RESPONSE_HEADERS, str(error), error))

    def complete(self, trailers: RawHeaders) -> None:
        """Finish the response."""
        if not self.done.done():
            connection = self._connection
            self._finish(None, close=False)
            connection.release()
            self.stream.end(trailers)

    def destination_ended(self) -> bool:
        """Pass on the end of an upgraded connection's one direction; returns whether the other is still open."""
        self._destination_ended = True
        self.stream.end()
        if self._client_ended or self.stream.closed:
            self._finish(None)
            return False
        return True

    def broken(self, error: ProtocolError) -> None:
        """Give up on a destination that does not speak HTTP."""
        reason = Reason.RESPONSE_BODY_DESTINATION if self._answered else Reason.REQUEST
        self._finish(Failure(reason, str(error), error))

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the destination is gone."""
        detail = str(exc) if exc is not None else "the destination closed the connection"
        if self._tunnel:
            over = exc is None or self._destination_ended
            self._finish(None if over else Failure(Reason.UPGRADE_RESPONSE_DESTINATION, detail, exc))
        elif self._answered:
            self._finish(Failure(Reason.RESPONSE_BODY_DESTINATION, detail, exc))
        elif self._connection.used and self._may_retry():
            self._finish(RETRY)
        elif self._fed and not self.request_sent:
            self._finish(Failure(Reason.REQUEST_BODY_DESTINATION, detail, exc))
        else:
            self._finish(Failure(Reason.REQUEST, detail, exc))

    def _may_retry(self) -> bool:
        """Whether sending the request again is safe: no byte of an answer came, and none of the body is gone.

        What is not idempotent only while its body is to come, so that nobody can have acted on it (RFC 9110 9.2.2).
        """
        if self._fed or self._connection.answer_begun:
            return False
        return self.method in _IDEMPOTENT or not self.request_sent

    def timed_out(self) -> None:
        """Give up: nothing moved for the activity timeout."""
        detail = f"nothing moved for {self._activity:g} s"
        if self._tunnel:
            failure = Failure(Reason.UPGRADE_ACTIVITY_TIMEOUT, detail)
        elif self._answered:
            stalled = Reason.RESPONSE_BODY_CLIENT if self._paused else Reason.RESPONSE_BODY_DESTINATION
            failure = Failure(stalled, detail)
        elif self.request_sent or self._connection.write_paused:
            failure = Failure(Reason.REQUEST_TIMED_OUT, detail)
        else:
            failure = Failure(Reason.REQUEST_BODY_CLIENT, detail, status=408)
        self._finish(failure)

    def _finish(self, result: Failure | None, *, close: bool = True) -> None:
        if not self.done.done():
            self.done.set_result(result)
            if close:
                self._connection.close(flush=result is None)
