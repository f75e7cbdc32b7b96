"""A transfer: one exchange on one connection to a destination, its response pumped straight to the client.

Theory of operation. It is the exchange's `Pump`: what the client sends goes straight to the destination's transport.
And it is what the connection tells of the response: heads and pieces go straight to the exchange's `Stream`. Nobody
awaits anything but `done`. Back-pressure is each transport pausing the other's reading.

A transfer ends exactly once, through `_finish`, with None, a Failure, or RETRY: the connection was a reused one that
died before a byte of an answer, and the request may be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.answering import apply_response_callbacks
from hostler.client.heads import offered_upgrade, response_headers
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.body import encode_chunk, encode_last_chunk
from hostler.http.message import CHUNKED

if TYPE_CHECKING:
    import asyncio

    from hostler.client.connection import DestinationConnection
    from hostler.contract import Stream
    from hostler.exchange import Exchange
    from hostler.http.headers import Headers, RawHeaders
    from hostler.http.message import Response

__all__ = ["RETRY", "Transfer"]

RETRY: Final = Failure(Reason.REQUEST, "the connection was closed before it answered")
"""How a transfer ends that may be tried on another connection."""

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Transfer:
    """One exchange on one connection; `hostler.contract.Pump`."""

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

    def going_away(self) -> None:
        """Let the exchange finish: what flows here is not ours to end."""

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
        apply_response_callbacks(self._exchange, added)
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
        self._finish(Failure(reason, f"the destination's answer is not HTTP/1.1: {error}", error))

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
            if result is RETRY:
                self.stream.detach()
            if close:
                self._connection.close(flush=result is None)
