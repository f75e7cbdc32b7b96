"""A transfer: one exchange joined to one stream towards a destination; its response is pumped straight to the client.

Theory of operation. It is the exchange's `Pump`: what the client sends goes straight to the `UpstreamStream`. And it
is that stream's `ExchangeSink`: heads and pieces of the response go straight to the exchange's `Stream`. Nobody awaits
anything but its end. Back-pressure is each side pausing the other's reading.

States and transitions. From `begin` on it is ASKED: the request goes out (`_sent` once it is complete). `answered`
makes it ANSWERED, or a TUNNEL if it was a 101; in a tunnel `ended` notes that the destination has closed its
direction. It ends exactly once (`_ended`): well, with a Failure, or with RETRY: the connection was a stale one and the
request may be sent again. Which failure it is follows from the state and from who caused it; it is SUPERSEDED
where a stage had begun an answer before the destination did. When the destination caused the end, its stream is over
already; when the client's side or `cancel` did, the stream is cancelled first. What comes after the end finds nobody:
the connection may be carrying another exchange. A transfer is a `Completion`, whose result is how it ended, None for
well, unless a subclass makes something else of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from hostler.answering import begin_response
from hostler.client.outgoing import (
    outgoing_request_trailers,
    outgoing_response,
    outgoing_response_trailers,
)
from hostler.completion import Completion
from hostler.errors import Failure, ProtocolError, Reason, Side
from hostler.http.message import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.client.upstream import UpstreamConnection, UpstreamStream
    from hostler.contract import PlainStream
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request

__all__ = ["RETRY", "SUPERSEDED", "Transfer"]

_log: Final = logging.getLogger("hostler.forwarder")

RETRY: Final = Failure(Reason.REQUEST, "the connection was closed before it answered")
"""How a transfer ends that may be tried on another connection."""

SUPERSEDED: Final = Failure(Reason.REQUEST_CANCELED, "the exchange was answered by a stage meanwhile")
"""How a transfer ends whose exchange has an answer that is not the destination's: it is left alone."""

_PLAIN: Final = Response(200)
"""Stands for a plain head that has been passed on, of which nothing more is asked than that it names no trailer."""

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Transfer(Completion[Any]):
    """One exchange on one upstream stream; `hostler.contract.Pump` and `ExchangeSink`."""

    _upstream: UpstreamStream
    _fed = False
    """Some of the request's body has left."""
    _tunnel = False
    _destination_ended = False
    _client_paused = False

    def __init__(self, exchange: Exchange, timeout: float, method: str) -> None:
        """`timeout` is how many seconds nothing may move, `method` that of the request."""
        self._over = self._ended = False
        self._result = self._callbacks = self.waiter = None
        self._exchange = exchange
        self._stream = stream = exchange.stream
        self._timeout = timeout
        self._method = method
        self.received: Callable[[bytes], None] = stream.write
        """Sends a piece of the response on: nothing of ours is between."""
        self._sent = False
        """The request is complete."""
        self._response: Response | None = None
        self._destination_paused = False

    def takes_plain(self) -> bool:
        """Whether nobody here wants to see the response's head, or has begun another."""
        stream = self._stream
        return self._exchange._response_callbacks is None and stream.takes_plain and not stream.started

    def begin_plain(self, connection: UpstreamConnection, head: bytes, framing: int) -> None:
        """Send a request whose head is written already."""
        self._upstream = connection.begin_plain(head, self._method, framing, self, self._timeout)
        self._sent = sent = not framing
        self._stream.attach(self, sent)
        if self._destination_paused:
            self._stream.pause()

    def begin(self, connection: UpstreamConnection, request: Request) -> None:
        """Send the request; raises ProtocolError when it cannot be written."""
        self._upstream = connection.begin(request, self, self._timeout)
        self._stream.attach(self)
        if self._destination_paused:
            self._stream.pause()

    def cancel(self, msg: object = None) -> bool:
        """Give up: whoever waited for the end is cancelled."""
        if self._over:
            return False
        if not self._ended:
            self._ended = True
            self._upstream.cancel()
        return super().cancel(msg)

    # -- Pump: what the client does -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Send a piece of the request's body on."""
        if not self._ended:
            self._fed = True
            self._upstream.send(data)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Finish the request's body, or pass on the end of a tunnel's one direction."""
        if not self._ended and (self._tunnel or not self._sent):
            self._sent = True
            if trailers:
                trailers = outgoing_request_trailers(self._exchange.request, trailers)
            self._upstream.end(trailers)

    def lost(self, failure: Failure) -> None:
        """Give up: nobody is there to answer."""
        if self._ended:
            return
        if self._destination_ended:
            self._upstream.end([])
        else:
            self._fail(failure)

    def pause(self) -> None:
        """Read no more of the response for now."""
        if not self._ended:
            self._client_paused = True
            self._upstream.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._ended:
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
        if self._stream.started:
            self._fail(SUPERSEDED)
            return
        self._response, self._tunnel = response, response.status == 101
        try:
            begin_response(self._exchange, outgoing_response(response), data)
        except ProtocolError as error:
            self._fail(Failure(Reason.RESPONSE_HEADERS, str(error), error))
        except Exception as error:  # noqa: BLE001 - whatever a callback raises is no fault of the destination
            self._fail_callback(error)

    def _fail_callback(self, error: Exception) -> None:
        detail = f"a callback of on_response failed: {error!r}"
        _log.error("%s %s: %s", self._method, self._exchange.path, detail, exc_info=error)
        self._fail(Failure(Reason.RESPONSE_HEADERS, detail, error, 500, Side.PROXY))

    def answered_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool, /
    ) -> None:
        """Send a plain head on, with the first of its body, or all of it."""
        stream: PlainStream = self._stream  # type: ignore[assignment] # it takes plain heads
        self._response = _PLAIN
        if complete:
            self._ended = True
            stream.start_plain(status, block, has_date, framing, data, complete)
            self._over = True
            self._tell()
        else:
            stream.start_plain(status, block, has_date, framing, data, complete)

    def ended(self) -> None:
        """Pass on the end of a tunnel's one direction."""
        self._destination_ended = True
        self._stream.end()
        if self._stream.closed and not self._ended:
            self._upstream.end([])

    def complete(self, trailers: RawHeaders) -> None:
        """Finish the response, and only then let whoever awaits it go on."""
        self._ended = True
        if not self._destination_ended:
            if trailers and self._response is not None:
                trailers = outgoing_response_trailers(self._response, trailers)
            self._stream.end(trailers)
        self._over = True
        self._tell()

    def broken(self, error: ProtocolError) -> None:
        """Give up on a destination that does not speak HTTP."""
        reason = Reason.RESPONSE_BODY_DESTINATION if self._response is not None else Reason.REQUEST
        self._end(Failure(reason, f"the destination's answer is not HTTP: {error}", error))

    def disconnected(self, error: Exception | None, *, stale: bool) -> None:
        """Give up on a destination that is gone, or try again."""
        detail = str(error) if error is not None else "the destination closed the connection"
        if self._tunnel:
            reason = Reason.UPGRADE_RESPONSE_DESTINATION
        elif self._response is not None:
            reason = Reason.RESPONSE_BODY_DESTINATION
        elif stale and self._may_repeat():
            self._stream.detach()
            self._end(RETRY)
            return
        elif self._fed and not self._sent:
            reason = Reason.REQUEST_BODY_DESTINATION
        else:
            reason = Reason.REQUEST
        self._end(Failure(reason, detail, error))

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
        self._end(failure)

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
        """End because of the client's side."""
        if not self._ended:
            self._upstream.cancel()
            self._end(failure)

    def _end(self, failure: Failure) -> None:
        """End with a failure, or to be tried again."""
        if not self._ended:
            self._ended = True
            self._settle(SUPERSEDED if self._response is None and self._stream.started else failure)

    def _settle(self, failure: Failure) -> None:
        """Make a result of how it ended."""
        self.resolve_soon(failure)
