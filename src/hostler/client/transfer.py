"""A transfer: one exchange joined to one stream towards a destination; its response is pumped straight to the client.

Theory of operation. It is the exchange's `Pump`: what the client sends goes straight to the `UpstreamStream`. And it
is that stream's `ExchangeSink`: heads and pieces of the response go straight to the exchange's `Stream`. Nobody awaits
anything but `result`. Back-pressure is each side pausing the other's reading.

States and transitions. From `begin` on it is ASKED: the request goes out (`_sent` once it is complete). `answered`
makes it ANSWERED, or a TUNNEL if it was a 101; in a tunnel `ended` notes that the destination has closed its
direction. A transfer is over exactly once, through `_finish`, with None, a Failure, or RETRY: the connection was a
stale one and the request may be sent again. Which failure it is follows from the state and from who caused it. When
the destination caused the end, its stream is over already; when the client's side did, the stream is cancelled first.
What comes after the end finds nobody: the connection may be carrying another exchange.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.answering import begin_response
from hostler.client.outgoing import (
    outgoing_request_trailers,
    outgoing_response,
    outgoing_response_trailers,
)
from hostler.errors import Failure, ProtocolError, Reason, Side

if TYPE_CHECKING:
    import asyncio

    from hostler.client.upstream import UpstreamConnection, UpstreamStream
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = ["RETRY", "Transfer"]

_log: Final = logging.getLogger("hostler.forwarder")

RETRY: Final = Failure(Reason.REQUEST, "the connection was closed before it answered")
"""How a transfer ends that may be tried on another connection."""

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Transfer:
    """One exchange on one upstream stream; `hostler.contract.Pump` and `ExchangeSink`."""

    __slots__ = (
        "_client_paused", "_destination_ended", "_destination_paused", "_exchange", "_fed", "_method", "_response",
        "_result", "_sent", "_stream", "_timeout", "_tunnel", "_upstream", "received",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, timeout: float, result: asyncio.Future[Failure | None]) -> None:
        """`timeout` is how many seconds nothing may move; `result` gets None, a Failure, or RETRY."""
        self._exchange = exchange
        self._stream = exchange.stream
        self._timeout = timeout
        self._upstream: UpstreamStream
        self._method = exchange.request.method
        self.received = self._stream.write
        """Sends a piece of the response on: nothing of ours is between."""
        self._result: asyncio.Future[Failure | None] | None = result
        """None when the transfer is over, so that no exception in it leads back here."""
        self._fed = False
        """Some of the request's body has left."""
        self._sent = False
        """The request is complete."""
        self._response: Response | None = None
        self._tunnel = False
        self._destination_ended = False
        self._client_paused = False
        self._destination_paused = False

    def begin(self, connection: UpstreamConnection, request: Request) -> None:
        """Send the request; raises ProtocolError when it cannot be written."""
        self._upstream = connection.begin(request, self, self._timeout)
        self._stream.attach(self)
        if self._destination_paused:
            self._stream.pause()

    def cancel(self) -> None:
        """Give up: nobody waits for the result any more."""
        if self._result is not None:
            self._result = None
            self._upstream.cancel()

    # -- Pump: what the client does -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Send a piece of the request's body on."""
        if self._result is not None:
            self._fed = True
            self._upstream.send(data)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Finish the request's body, or pass on the end of a tunnel's one direction."""
        if self._result is not None:
            self._sent = True
            if trailers:
                trailers = outgoing_request_trailers(self._exchange.request, trailers)
            self._upstream.end(trailers)

    def lost(self, failure: Failure) -> None:
        """Give up: nobody is there to answer."""
        if self._result is None:
            return
        if self._destination_ended:
            self._upstream.end([])
        else:
            self._fail(failure)

    def pause(self) -> None:
        """Read no more of the response for now."""
        if self._result is not None:
            self._client_paused = True
            self._upstream.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._result is not None:
            self._client_paused = False
            self._upstream.resume_reading()

    def going_away(self) -> None:
        """Let the exchange finish: what flows here is not ours to end."""

    # -- ExchangeSink: what the destination does ------------------------------------------------------------------

    def informed(self, response: Response) -> None:
        """Send an interim response on."""
        self._stream.inform(response.status, outgoing_response(response).headers.pairs())

    def answered(self, response: Response, data: bytes) -> None:
        """Send the response's head on, with the first of its body."""
        self._response, self._tunnel = response, response.status == 101
        try:
            begin_response(self._exchange, outgoing_response(response), data)
        except ProtocolError as error:
            self._fail(Failure(Reason.RESPONSE_HEADERS, str(error), error))
        except Exception as error:  # noqa: BLE001 - whatever a callback raises is no fault of the destination
            detail = f"a callback of on_response failed: {error!r}"
            _log.exception("%s %s: %s", self._method, self._exchange.path, detail)
            self._fail(Failure(Reason.RESPONSE_HEADERS, detail, error, 500, Side.PROXY))

    def ended(self) -> None:
        """Pass on the end of a tunnel's one direction."""
        self._destination_ended = True
        self._stream.end()
        if self._stream.closed and self._result is not None:
            self._upstream.end([])

    def complete(self, trailers: RawHeaders) -> None:
        """Finish the response."""
        self._finish(None)
        if self._destination_ended:
            return
        if trailers and self._response is not None:
            trailers = outgoing_response_trailers(self._response, trailers)
        self._stream.end(trailers)

    def broken(self, error: ProtocolError) -> None:
        """Give up on a destination that does not speak HTTP."""
        reason = Reason.RESPONSE_BODY_DESTINATION if self._response is not None else Reason.REQUEST
        self._finish(Failure(reason, f"the destination's answer is not HTTP: {error}", error))

    def disconnected(self, error: Exception | None, *, stale: bool) -> None:
        """Give up on a destination that is gone, or try again."""
        detail = str(error) if error is not None else "the destination closed the connection"
        if self._tunnel:
            reason = Reason.UPGRADE_RESPONSE_DESTINATION
        elif self._response is not None:
            reason = Reason.RESPONSE_BODY_DESTINATION
        elif stale and self._may_repeat():
            self._stream.detach()
            self._finish(RETRY)
            return
        elif self._fed and not self._sent:
            reason = Reason.REQUEST_BODY_DESTINATION
        else:
            reason = Reason.REQUEST
        self._finish(Failure(reason, detail, error))

    def _may_repeat(self) -> bool:
        """Whether sending the request again is safe: none of its body is gone, and it is idempotent.

        What is not idempotent only while its body is to come, so that nobody can have acted on it (RFC 9110 9.2.2).
        """
        return not self._fed and (self._method in _IDEMPOTENT or not self._sent)

    def timed_out(self) -> None:
        """Give up: nothing moved for the timeout."""
        detail = f"nothing moved for {self._timeout:g} s"
        if self._tunnel:
            failure = Failure(Reason.UPGRADE_ACTIVITY_TIMEOUT, detail)
        elif self._response is not None:
            stalled = Reason.RESPONSE_BODY_CLIENT if self._client_paused else Reason.RESPONSE_BODY_DESTINATION
            failure = Failure(stalled, detail)
        elif self._sent or self._destination_paused:
            failure = Failure(Reason.REQUEST_TIMED_OUT, detail)
        else:
            failure = Failure(Reason.REQUEST_BODY_CLIENT, detail, status=408)
        self._finish(failure)

    def pause_writing(self) -> None:
        """Stop the request's body."""
        self._destination_paused = True
        self._stream.pause()

    def resume_writing(self) -> None:
        """Let the request's body flow again."""
        self._destination_paused = False
        self._stream.resume()

    # -- the end --------------------------------------------------------------------------------------------------

    def _fail(self, failure: Failure) -> None:
        """Be over because of the client's side."""
        self._upstream.cancel()
        self._finish(failure)

    def _finish(self, result: Failure | None) -> None:
        future, self._result = self._result, None
        if future is not None and not future.done():
            future.set_result(result)
