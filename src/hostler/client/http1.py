"""A connection to a destination that speaks HTTP/1.1: one request at a time, so that it is its own stream.

States and transitions. A connection begins IDLE: it waits for a request, at most its idle timeout, and whatever it
receives unasked closes it. `begin` makes it HEAD: interim responses come and go there. A final head makes it BODY; a
101, if the request offered an upgrade and is complete, TUNNEL. At the end of the body it is IDLE again and tells its
owner, if both messages were complete, both sides may keep the connection, nothing waits to be written and nothing
followed the answer; else it is CLOSED. A tunnel ends in CLOSED once both directions have ended: ours by `end`, the
destination's by its end of file. `cancel`, a broken answer, the timeout and the loss of the transport lead from
anywhere to CLOSED, where it stays. Each way out of HEAD, BODY and TUNNEL but `cancel` and `close` tells the sink once.

One `Deadline` serves the idle timeout and the timeout of the exchange, since they never run at the same time. That of
the exchange begins anew with each piece of a body, either way, and with the response's head, once it is there: neither
with a part of it nor with an interim one (YARP: ActivityTimeout).
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, cast

from hostler.deadline import Deadline
from hostler.errors import ProtocolError
from hostler.http.body import (
    NO_BODY,
    ClosingBody,
    body_reader,
    encode_chunk,
    encode_last_chunk,
    whole_chunks,
)
from hostler.http.encode import encode_request
from hostler.http.h1 import ResponseReader
from hostler.http.heads import read_response
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED
from hostler.reading import LARGE_READ, Reading

if TYPE_CHECKING:
    from hostler.client.upstream import ConnectionOwner, ExchangeSink
    from hostler.http.body import Body
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = ["Http1UpstreamConnection"]


_LIMITS = Limits()
_HEAD_LIMITS = _LIMITS.head, _LIMITS.headers


class _State(enum.Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    TUNNEL = "tunnel"
    CLOSED = "closed"


# an enum's member costs a look-up in its class, each time; a module's constant does not
_IDLE, _HEAD, _BODY, _TUNNEL, _CLOSED = _State


class Http1UpstreamConnection(asyncio.Protocol):
    """A connection that carries one exchange after another; `UpstreamConnection` and `UpstreamStream`."""

    __slots__ = (
        "_body", "_chunked", "_deadline", "_ended", "_eof", "_idle_timeout", "_loop", "_owner", "_reader",
        "_reading", "_reusable", "_served", "_sink", "_state", "_switchable", "_timeout", "_transport",
        "_writing_paused", "slots",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, loop: asyncio.AbstractEventLoop, idle_timeout: float) -> None:
        """`idle_timeout` is how many seconds it waits for its next request."""
        self._owner = owner
        self._deadline: Deadline
        self._idle_timeout = idle_timeout
        self._loop = loop
        self._transport: asyncio.Transport
        self._reading: Reading
        self._state = _IDLE
        self.slots = 1
        self._served = False
        """It has answered a request before."""
        self._writing_paused = False
        # the exchange that it carries
        self._sink: ExchangeSink | None = None
        self._switchable = False
        """The request offers an upgrade."""
        self._timeout = 0.0
        self._chunked = False
        self._ended = False
        """The request is complete, or our direction of the tunnel closed."""
        self._eof = False
        """The destination has closed its direction of the tunnel."""
        self._reader = ResponseReader("")
        self._body: Body = NO_BODY
        self._reusable = False

    # -- UpstreamConnection ---------------------------------------------------------------------------------------

    def has_expired(self) -> bool:
        """Whether it is closed or about to be."""
        return self._state is _CLOSED or self._transport.is_closing()

    def is_idle(self) -> bool:
        """Whether it carries no request."""
        return self._state is _IDLE

    def begin(self, request: Request, sink: ExchangeSink, timeout: float) -> Http1UpstreamConnection:
        """Send a request's head; raises ProtocolError when it cannot be written."""
        self.begin_plain(encode_request(request), request.method, request.framing, sink, timeout)
        self._switchable = request.upgrade is not None
        self._ended = False  # until `end`
        return self

    def begin_plain(
        self, head: bytes, method: str, framing: int, sink: ExchangeSink, timeout: float
    ) -> Http1UpstreamConnection:
        """Send a request's head that is written already; without a body it is complete."""
        self._state = _HEAD
        self._sink = sink
        self._timeout = timeout
        self._chunked = framing < 0
        self._ended = not framing
        self._reusable = self._switchable = False
        self._reader.method, self._reader.interim = method, 0
        deadline = self._deadline
        deadline.due = due = deadline.time() + timeout
        if due < deadline.armed:
            deadline.arm()
        self._transport.write(head)
        return self

    def close(self) -> None:
        """Close when what was written is sent; a destination that does not take it is not waited for."""
        self._end(abort=self._writing_paused)

    # -- UpstreamStream -------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send a piece of the request's body, or of a tunnel."""
        if not self._transport.is_closing():
            self._deadline.set(self._timeout)
            self._transport.write(encode_chunk(data) if self._chunked else data)

    def end(self, trailers: RawHeaders) -> None:
        """Finish the request, or close our direction of a tunnel."""
        self._ended = True
        transport = self._transport
        if self._state is _TUNNEL:
            if self._eof or not transport.can_write_eof():
                self._complete([])
            elif not transport.is_closing():
                transport.write_eof()
        elif self._chunked and not transport.is_closing():
            transport.write(encode_last_chunk(trailers))

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._reading.pause()

    def resume_reading(self) -> None:
        """Read on."""
        self._deadline.set(self._timeout)
        self._reading.resume()

    def cancel(self) -> None:
        """Give the exchange up, and the connection with it."""
        self._end(abort=True)

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        # not before: one that is never connected would be in a cycle with its deadline
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._transport = cast("asyncio.Transport", transport)
        self._reading = Reading(self._loop, self._transport)
        self._deadline.set(self._idle_timeout)

    def data_received(self, data: bytes) -> None:
        """Read the response."""
        if type(data) is not bytes:  # the Proactor of Python 3.11 gives bytearrays
            data = bytes(data)
        sink = self._sink
        if sink is None:
            # nothing was asked: whatever this is, it must not answer the next request
            self.close()
            return
        try:
            if self._state is _HEAD:
                if self._reader._buffer or not (sink.takes_plain() and self._read_plain(sink, data)):
                    self._read_head(sink, data)
            elif self._state is _BODY:
                self._pass_on(sink, self._body.feed(data))
            else:
                sink.received(data)
        except ProtocolError as error:
            self._end(abort=True)
            sink.broken(error)
        if self._sink is not None and self._state is not _HEAD:  # a part of a head is no progress
            self._deadline.set(self._timeout)
        if len(data) > LARGE_READ:
            self._reading.rest()

    def _read_head(self, sink: ExchangeSink, data: bytes) -> None:
        reader = self._reader
        while data and self._sink is sink:
            response = reader.feed(data)
            if response is None:
                return
            data = reader.unread
            if response.status >= 200:
                self._answer(sink, response, data)
                return
            if response.status == 101:
                self._switch(sink, response, data)
                return
            sink.informed(response)

    def _read_plain(self, sink: ExchangeSink, data: bytes) -> bool:
        """Pass on a plain head, and what of its body came with it; False where the ordinary reader is to judge."""
        facts = read_response(data, *_HEAD_LIMITS)
        if facts is None:
            return False
        status, framing, keep_alive, block, has_date, end = facts
        self._reusable = keep_alive
        self._state = _BODY
        size = len(data) - end
        if 0 <= framing <= size:
            self._reusable = keep_alive and size == framing
            self._release(sink)
            sink.answered_plain(status, block, has_date, framing, data[end : end + framing], True)
            return True
        payload = whole_chunks(data, end) if framing == CHUNKED else None
        if payload is not None:
            self._release(sink)
            sink.answered_plain(status, block, has_date, framing, payload, True)
            return True
        body = self._body = body_reader(framing)
        payload = body.feed(data[end:])
        if body.complete and not body.trailers:
            self._reusable = keep_alive and not body.unread
            self._release(sink)
            sink.answered_plain(status, block, has_date, framing, payload, True)
            return True
        sink.answered_plain(status, block, has_date, framing, payload, False)
        if self._sink is sink:
            self._pass_on(sink, b"")
        return True

    def _answer(self, sink: ExchangeSink, response: Response, data: bytes) -> None:
        """Pass on a final head, and what of its body came with it."""
        self._reusable = response.keep_alive
        size = response.framing
        if 0 <= size <= len(data):  # the whole body
            self._state = _BODY
            sink.answered(response, data if size == len(data) else data[:size])
            if self._sink is sink:
                self._reusable = self._reusable and size == len(data)
                self._complete([])
            return
        body = body_reader(size)
        payload = body.feed(data)
        self._state, self._body = _BODY, body
        sink.answered(response, payload)
        if self._sink is sink:  # else the head cannot be passed on, or the client is gone
            self._pass_on(sink, b"")

    def _pass_on(self, sink: ExchangeSink, payload: bytes) -> None:
        if payload:
            sink.received(payload)
        body = self._body
        if body.complete and self._sink is sink:
            self._reusable = self._reusable and not body.unread
            self._complete(body.trailers)

    def _switch(self, sink: ExchangeSink, response: Response, data: bytes) -> None:
        """Become a tunnel."""
        if not self._ended or not self._switchable:
            raise ProtocolError("the destination switches protocols, and nobody asked for it")
        self._state = _TUNNEL
        self._ended = self._eof = False
        sink.answered(response, b"")
        if data and self._sink is sink:
            sink.received(data)

    def eof_received(self) -> bool:
        """End what ends with the destination's direction; True keeps the other one open."""
        sink = self._sink
        if sink is None:
            return False
        if self._state is _TUNNEL:
            self._eof = True
            sink.ended()
            if self._ended and self._sink is sink:
                self._complete([])
            return self._sink is sink
        if self._state is _BODY and isinstance(self._body, ClosingBody):
            self._complete([])
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever sent the request."""
        sink = self._sink
        reader = self._reader
        stale = self._state is _HEAD and self._served and not reader.interim and not reader.begun
        over = self._state is _TUNNEL and (exc is None or self._eof)
        self._note_closed()
        if sink is None:
            return
        if over:
            sink.complete([])
        else:
            sink.disconnected(exc, stale=stale)

    def pause_writing(self) -> None:
        """Stop the request's body: the destination does not keep up."""
        self._writing_paused = True
        if self._sink is not None:
            self._sink.pause_writing()

    def resume_writing(self) -> None:
        """Let the request's body flow again."""
        self._writing_paused = False
        if self._sink is not None:
            self._deadline.set(self._timeout)
            self._sink.resume_writing()

    # -- the end --------------------------------------------------------------------------------------------------

    def _complete(self, trailers: RawHeaders) -> None:
        """Be done with an exchange: wait for the next one if there can be one, else close."""
        sink = self._sink
        assert sink is not None
        self._release(sink)
        sink.complete(trailers)

    def _release(self, sink: ExchangeSink) -> None:
        """Wait for the next exchange, or close."""
        self._sink = None
        if self._reusable and self._ended and not self._writing_paused and not self._transport.is_closing():
            self._state = _IDLE
            self._served = True
            if self._reading.paused:
                self._reading.resume()
            deadline = self._deadline
            deadline.due = due = deadline.time() + self._idle_timeout
            if due < deadline.armed:
                deadline.arm()
            self.slots = 1
            self._owner.released(self)
        else:
            self.close()

    def _end(self, *, abort: bool) -> None:
        if self._state is not _CLOSED:
            self._note_closed()
            self._transport.abort() if abort else self._transport.close()

    def _note_closed(self) -> None:
        self._sink = None
        self._deadline.close()
        if self._state is not _CLOSED:
            self._state, self.slots = _CLOSED, 0
            self._owner.closed(self)

    def _on_deadline(self) -> None:
        sink = self._sink
        if sink is None:
            self.close()
        else:
            self._end(abort=True)
            sink.timed_out()
