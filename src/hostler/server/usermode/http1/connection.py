"""A client's connection in HTTP/1.1: one request after the other, read off one buffer, each a `Http1Stream`.

All bytes that arrived and belong to nobody yet are in `_unread`. While more than UNREAD_LIMIT of them wait, nothing is
read from the client, whatever the connection is doing. Phases:

    IDLE       between requests
    HEAD       in the middle of a head
    WAITING    a request is with its handler, which does not want its body, or has all of it
    BODY       a request is with its handler, and its body goes there as it comes
    DRAIN      the answer is complete; the rest of the request's body is read over
    LENT       another process has the request, and the socket; what arrives is kept
    OVER       the connection is gone, or was ended

A whole head leads from IDLE or HEAD to WAITING; the stream asks for its body (WAITING to BODY) and has it kept (back);
the last byte of a body leads to WAITING. A complete answer leads to IDLE, through DRAIN where the request is not
complete. The owner lends (WAITING to LENT), gets back what nobody took (to WAITING) or what was answered (to IDLE). A
tunnel after a 101 is a body that ends with the connection.

Whose the connection is, it does not know: after each exchange its `ConnectionOwner` says whether it may go on.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hostler.contract import Rejection
from hostler.errors import Failure, ProtocolError, Reason
from hostler.exchange import Exchange
from hostler.http.body import (
    NO_BODY,
    ChunkedBody,
    ClosingBody,
    LengthBody,
    body_reader,
    measure_body,
    too_large,
)
from hostler.http.encode import encode_rejection
from hostler.http.h1 import RequestReader
from hostler.http.headers import add_headers
from hostler.http.heads import read_request
from hostler.http.plain_request import PlainRequest
from hostler.http.target import parse_host
from hostler.server.placing import make_exchange
from hostler.server.usermode.http1.pace import BodyPace
from hostler.server.usermode.http1.stream import Http1Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.http.body import Body
    from hostler.http.limits import Limits
    from hostler.http.message import Request
    from hostler.http.security import Tls
    from hostler.server.usermode.client_socket import ClientSocket
    from hostler.server.usermode.context import ServerContext
    from hostler.server.usermode.owner import ConnectionOwner

__all__ = ["UNREAD_LIMIT", "Http1Connection", "Phase"]

UNREAD_LIMIT: Final = 1 << 16
"""Bytes that may have arrived and be unread before nothing more is read from the client."""

_UNTIMED: Final = float("inf")

Phase = enum.Enum("Phase", "IDLE HEAD WAITING BODY DRAIN LENT OVER")
"""What a connection is doing; see above."""


_new_tuple: Final[Callable[..., Any]] = tuple.__new__
"""Makes a `PlainRequest` without its constructor, which is a call more for each request."""

# an enum's member costs a look-up in its class, each time; a module's constant does not
_IDLE, _HEAD, _WAITING, _BODY, _DRAIN, _LENT, _OVER = Phase


class Http1Connection:
    """HTTP/1.1 on a client's socket; `hostler.server.usermode.client_socket.SocketReader`."""

    __slots__ = (
        "_advancing",
        "_behind_end",
        "_body",
        "_context",
        "_full",
        "_idle_timeout",
        "_is_last",
        "_limits",
        "_max_head",
        "_max_headers",
        "_max_line",
        "_owner",
        "_pace",
        "_reader",
        "_socket",
        "_stream",
        "_unread",
        "addresses",
        "peer",
        "phase",
        "scheme",
        "tls",
    )  # fmt: skip

    def __init__(
        self,
        context: ServerContext,
        owner: ConnectionOwner,
        socket: ClientSocket,
        addresses: tuple[Address, Address],
        scheme: str = "http",
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> None:
        """`limits` are those of heads, where they are not the server's."""
        self._context = context
        self._owner = owner
        self._socket = socket
        self.addresses = addresses
        """The client's, and ours."""
        self.peer: Address | None = None
        """Who is connected, where that is not the client itself."""
        self.scheme = scheme
        self.tls = tls
        """How it is encrypted."""
        self._limits = limits = limits or context.options.limits
        self._reader: RequestReader | None = None
        """Reads heads that are not plain; there once one was."""
        self._max_head, self._max_line, self._max_headers = limits.head, limits.request_line, limits.headers
        self._stream: Http1Stream | None = None
        self._body: Body = NO_BODY
        """Reads the body of the request under way."""
        self._pace: BodyPace | None = None
        """How long its client may take; there once it has to be waited for."""
        self._unread = b""
        self._full = False
        """Nothing is read: more than the limit is unread, or another process reads."""
        self._advancing = False
        self._behind_end = False
        """The client had ended its side before the request under way was begun."""
        self._is_last = False
        self._idle_timeout = context.options.timeouts.idle_connection
        self.phase = _IDLE

    # -- SocketReader ---------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Take bytes, and read on as the phase says."""
        phase, unread = self.phase, self._unread
        is_new = phase is _IDLE and not unread and not self._socket.write_paused
        if is_new and self._read_plain(data):
            if not self._unread:
                return
            phase, is_new = self.phase, False
        else:
            self._unread = unread + data if unread else data
        if phase is _BODY:
            self._read_body()
        elif phase is _IDLE or phase is _HEAD:
            self._advance(may_be_plain=not is_new)
        elif phase is _DRAIN:
            self._read_over()
        if len(self._unread) > UNREAD_LIMIT:
            self._full = True
            self._socket.pause_reading()

    def ended(self) -> None:
        """Act on a client that sends no more: it is gone, unless it may be waiting for its answers (see `_departs`)."""
        phase = self.phase
        if phase is _WAITING or phase is _BODY:
            self._request_ended()
        elif phase is _DRAIN:
            self._over(reusable=False)  # the rest of the body will never come
        elif phase is _LENT:
            if self._departs():
                self._owner.departed()
        elif not self._unread:
            self.close()

    def lost(self, error: Exception | None) -> None:
        """Tell the exchange that its client is gone."""
        self.phase = _OVER
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.connection_lost(error)
        self._owner.gone(stream)

    def writing_paused(self) -> None:
        """Hold back whoever produces the answer."""
        if self._stream is not None:
            self._stream.pause_producer()

    def writing_resumed(self) -> None:
        """Let whoever produces the answer go on, or the next request begin."""
        if self._stream is not None:
            self._stream.resume_producer()
        elif self._unread:
            self._advance_apart()

    def timed_out(self) -> None:
        """Give up on what did not come in time."""
        phase = self.phase
        if phase is _HEAD:
            self._reject(ProtocolError("the request's head did not come in time", 408), None)
        elif phase is _BODY:
            self._body_failed(ProtocolError("the body stalled, or came too slowly", 408))
        elif phase is _WAITING and self._stream is not None:
            self._stream.abort_unanswered()
        elif phase is _DRAIN:
            self._over(reusable=False)
        elif phase is _IDLE and self._unread:
            self._socket.deadline.set(
                self._context.options.timeouts.idle_connection
            )  # its next answer waits for it to read
        else:
            self.close()

    # -- heads ----------------------------------------------------------------------------------------------------

    def _advance_apart(self) -> None:
        """Do the same in a context of its own: another exchange may be running, whose variables are none of the next one's."""
        if not self._advancing:
            self._context.handling.context.copy().run(self._advance)

    def _advance(self, *, may_be_plain: bool = True) -> None:
        """Take heads off the unread bytes while nothing else is under way and the client takes its answers.

        `may_be_plain` is False where the first of them is known not to be a plain head.
        """
        if self._advancing:
            return
        self._advancing = True
        socket = self._socket
        try:
            while (
                self._unread
                and (self.phase is _IDLE or self.phase is _HEAD)
                and not socket.write_paused
                and not socket.is_closing()
            ):
                self._read_head(may_be_plain)
                may_be_plain = True
        finally:
            self._advancing = False
        if self._full and self.phase is not _LENT and len(self._unread) <= UNREAD_LIMIT:
            self._read_on()
        if socket.ended and not self._unread and (self.phase is _IDLE or self.phase is _HEAD):
            self.close()

    def _read_on(self) -> None:
        self._full = False
        self._socket.resume_reading()

    def _read_plain(self, data: bytes) -> bool:
        """Take a plain head off the front of `data`, all that has arrived; False where the ordinary reader is to judge."""
        facts = read_request(data, self._max_head, self._max_line, self._max_headers)
        if facts is None:
            return False
        method, _, path, _, authority, framing, keep_alive, _, size = facts
        head = data
        if size < len(data):
            head, self._unread = data[:size], data[size:]
        plain: PlainRequest = _new_tuple(PlainRequest, facts + (head,))  # noqa: RUF005 - unpacking is slower
        owner, scheme = self._owner, self.scheme
        client, server = self.addresses
        try:
            host, port = parse_host(authority)
            base, path = owner.placing.place(scheme, host, server, path)
        except ProtocolError as error:
            self._reject(error, plain.request())
            return True
        if port is None:
            port = 443 if scheme == "https" else 80
        stream = Http1Stream(
            self, owner, self._socket, plain, method, framing, keep_alive and not self._is_last
        )
        exchange = Exchange(plain, stream, None, client, server, host, port, base, path, scheme)
        self._begin(exchange, stream, framing)
        return True

    def _read_head(self, may_be_plain: bool) -> None:
        data, self._unread = self._unread, b""
        if may_be_plain and self.phase is _IDLE and self._read_plain(data):
            return
        reader, owner = self._reader, self._owner
        if reader is None:
            reader = self._reader = RequestReader(self._limits)
        request = None
        try:
            request = reader.feed(data)
            if request is None:
                if self.phase is _IDLE and reader.begun:
                    self.phase = _HEAD
                    self._socket.deadline.set(self._context.options.timeouts.header_wait)
                return
            self._unread = reader.unread
            stream = Http1Stream(
                self, owner, self._socket, request, request.method, request.framing,
                request.keep_alive and not self._is_last, request.version,
            )  # fmt: skip
            exchange = make_exchange(request, stream, owner.placing, *self.addresses, self.scheme)
        except ProtocolError as error:
            self._reject(error, request)
        else:
            self._begin(exchange, stream, request.framing)

    def _begin(self, exchange: Exchange, stream: Http1Stream, framing: int) -> None:
        """Have a request answered."""
        self.phase = _WAITING
        self._stream = stream
        socket = self._socket
        if framing:
            self._body, self._pace = body_reader(framing, self._context.options.limits), None
            if self._owner.body_limit is not None:
                stream.limit_body(self._owner.body_limit)
        else:
            self._body = NO_BODY
        socket.deadline.due = 0.0  # as `clear` does
        if self._is_last:
            stream.is_going_away = True
        self._behind_end = socket.ended
        if self._behind_end:
            self._request_ended()
        if self.tls is not None:
            exchange.tls = self.tls
        if self.peer is not None:
            exchange.peer = self.peer
        if added := self._owner.added_headers:
            exchange.on_response(partial(add_headers, added))
        self._context.handling.begin(exchange, stream)

    def _reject(self, error: ProtocolError, request: Request | None) -> None:
        """Answer what is no request, and end: nobody knows where the next one would begin."""
        self._socket.write(encode_rejection(error.status))
        self._context.handling.rejected(Rejection(self.addresses[0], error, request, self.peer))
        self._body = ClosingBody()
        self._over(reusable=False)

    # -- bodies ---------------------------------------------------------------------------------------------------

    def _time_left(self, size: int = 0) -> float:
        """Return the seconds that the client has for the next bytes of the body, after `size` more have come."""
        if self._pace is None:
            assert self._stream is not None
            options = self._context.options
            self._pace = BodyPace(
                options.timeouts.entity_body,
                options.min_body_rate,
                self._context.loop.time,
                awaits_continue=self._stream.head.expect_continue,
            )
        return self._pace.time_left(size)

    def read_body(self) -> None:
        """Give the request's body to its stream from now on, what has arrived at once."""
        stream, socket = self._stream, self._socket
        self.phase = _BODY
        if self._unread:
            self._read_body()
        else:
            socket.deadline.set(self._time_left())
        if self.phase is _BODY:
            self._read_on()
        if socket.ended and self._stream is stream:
            self._request_ended()

    def keep_body(self) -> None:
        """Keep what comes of the request's body, up to the limit of unread bytes."""
        if self.phase is _BODY:
            self.phase = _WAITING
            if self._pace is not None:
                self._pace.pause()
            self._socket.deadline.clear()

    def limit_body(self, size: int) -> None:
        """Have the body of the request under way fail if it is larger."""
        body = self._body
        if isinstance(body, ChunkedBody):
            body.limit = size
        elif isinstance(body, LengthBody) and self._stream is not None and self._stream.head.framing > size:
            self._body_failed(too_large(size))

    def begin_tunnel(self) -> None:
        """Give all that comes from now on to the stream, as a body that ends with the connection and has no deadline."""
        self._body, self._pace = ClosingBody(), BodyPace(_UNTIMED, None, self._context.loop.time)
        self.read_body()

    def _read_body(self) -> None:
        data, self._unread = self._unread, b""
        body, stream = self._body, self._stream
        assert stream is not None
        try:
            payload = body.feed(data)
        except ProtocolError as error:
            self._body_failed(error)
            return
        if not body.complete:
            self._socket.deadline.set(self._time_left(len(payload)))
            stream.body_received(payload)
            return
        self._unread = body.unread
        self.phase = _WAITING
        self._socket.deadline.clear()
        self._owner.body_complete()
        stream.body_received(payload)
        stream.body_ended(body.trailers)

    def _request_ended(self) -> None:
        """Act on the end of what the client sends while its request is with the handler."""
        assert self._stream is not None
        body = self._body
        if body.complete:
            self._socket.deadline.set(self._context.options.timeouts.half_closed)
            if self._departs():
                self._stream.departed()
        elif self.phase is _BODY:
            try:
                body.end()
            except ProtocolError as error:
                self._body_failed(error)
            else:
                self.phase = _WAITING
                self._stream.body_ended([])

    def _departs(self) -> bool:
        """Whether a client that sends no more is gone, and its request under way is for nobody.

        It is not when another whole request is behind this one: whoever pipelines and then ends its side may be waiting
        for all the answers. Nor when it was to become a tunnel, which has an end in each direction.
        """
        if self._context.options.half_closing_clients or self._behind_end or self._stream is None:
            return False
        if self._stream.head.upgrade is not None or not self._owner.reads_ahead:
            return False
        return not self._has_request_in(self._unread + self._owner.peek())

    def _has_request_in(self, data: bytes) -> bool:
        limits = self._context.options.limits
        reader = RequestReader(limits)
        try:
            request = reader.feed(data) if data else None
        except ProtocolError:
            return False
        return request is not None and measure_body(reader.unread, request, limits)[1]

    def departed(self) -> None:
        """Tell whoever answers that the client is gone: somebody else who reads from it says so."""
        if self._stream is not None:
            self._stream.departed()

    def _body_failed(self, error: ProtocolError) -> None:
        """Give up on the request's body; an answer may still be sent, and ends the connection."""
        assert self._stream is not None
        self.phase = _WAITING
        self._socket.deadline.clear()
        self._stream.body_failed(Failure(Reason.REQUEST_BODY_CLIENT, str(error), error, error.status))

    # -- after the answer -----------------------------------------------------------------------------------------

    def response_over(self, reusable: bool, /) -> None:
        """Go on after a complete answer; when the connection is `reusable`, with the rest of the request's body."""
        if not reusable or self._body.complete:
            if reusable and not (self._unread or self._full or self._socket.ended) and self._owner.keeps_open:
                self._stream = None
                self.phase = _IDLE
                deadline = self._socket.deadline
                deadline.due = due = deadline.time() + self._idle_timeout
                if due < deadline.armed:
                    deadline.arm()
            else:
                self._over(reusable=reusable)
            return
        self.phase = _DRAIN
        self._socket.deadline.set(self._context.options.timeouts.drain_entity_body)
        if self._unread:
            self._read_over()
        if self.phase is _DRAIN:
            self._read_on()
            if self._socket.ended:
                self._over(reusable=False)

    def _read_over(self) -> None:
        data, self._unread = self._unread, b""
        try:
            self._body.feed(data)
        except ProtocolError:
            self._over(reusable=False)
        else:
            if self._body.complete:
                self._unread = self._body.unread
                self._over(reusable=not self._is_last)

    def _over(self, *, reusable: bool) -> None:
        """Wait for the next request, of which some may have arrived, unless the owner says otherwise."""
        stream, self._stream = self._stream, None
        self.phase = _IDLE
        if not self._owner.exchange_over(stream, reusable=reusable):
            return
        socket = self._socket
        if self._unread or socket.ended or self._full:
            self._advance_apart()
        if self.phase is _IDLE:
            socket.deadline.set(self._context.options.timeouts.idle_connection)

    # -- for the owner --------------------------------------------------------------------------------------------

    @property
    def answer_status(self) -> int:
        """The status with which the request under way is answered; 0 before its answer has begun."""
        return 0 if self._stream is None else self._stream.status

    @property
    def body_missing(self) -> int | None:
        """Bytes that the request under way still lacks; None when its head does not say: chunks, an offer to upgrade."""
        body, stream = self._body, self._stream
        if stream is None or stream.head.upgrade is not None or not isinstance(body, LengthBody):
            return None
        return max(0, body.remaining - len(self._unread))

    def take_unread(self) -> bytes:
        """Return what has arrived and is unread, and wait for nothing."""
        unread, self._unread = self._unread, b""
        self._full = False
        self._socket.deadline.clear()
        return unread

    @property
    def head(self) -> bytes:
        """The head of the request under way, as it came."""
        head = None if self._stream is None else self._stream.head
        if isinstance(head, PlainRequest):
            return head.head
        return b"" if self._reader is None else self._reader.head

    def suspend(self) -> tuple[bytes, bool]:
        """Take the request under way for another process: its body so far, and whether that is all."""
        stream, unread = self._stream, self._unread
        assert stream is not None
        size, whole = measure_body(unread, stream.head, self._context.options.limits)
        self._unread = unread[size:]
        self.phase = _LENT
        self._socket.deadline.clear()
        if not whole:  # the other process reads on
            self._full = True
            self._socket.pause_reading()
        elif self._full and len(self._unread) <= UNREAD_LIMIT:
            self._read_on()
        return unread[:size], whole

    def restore(self, body: bytes) -> None:
        """Go on with a request that was suspended and nobody took."""
        self._regain(body, _WAITING)

    def resume(self, unread: bytes, *, reusable: bool) -> None:
        """Go on after a request that was suspended and answered elsewhere; `unread` came back with it."""
        self._regain(unread, _IDLE)
        if self.phase is _IDLE:
            reusable = reusable and not self._is_last
            if not reusable:
                self._body = ClosingBody()  # nobody here knows what the client still sends
            self._over(reusable=reusable)

    def _regain(self, unread: bytes, phase: Phase) -> None:
        if self.phase is _LENT:
            self.phase = phase
            if unread:
                self._unread = unread + self._unread
            if self._full and len(self._unread) <= UNREAD_LIMIT:
                self._read_on()

    def close(self) -> None:
        """End in order."""
        self.phase = _OVER
        self._socket.close()

    def end(self) -> None:
        """End in order, with a client that may be still sending when its request was not read to the end."""
        if self._body.complete and not self._unread:
            self.close()
        else:
            self.phase, self._unread = _OVER, b""
            self._socket.linger()

    def finish(self, last_call: float) -> None:
        """End after the exchange under way; when there is none, unless one begins in `last_call` seconds."""
        self._is_last = True
        if self._stream is not None:
            self._stream.keep_alive = False
        elif self.phase is _IDLE:
            self._socket.deadline.set(last_call)
        self.going_away()

    def going_away(self) -> None:
        """Tell whoever answers that the server stops."""
        if self._stream is not None:
            self._stream.going_away()

    def stop(self) -> None:
        """End now, whatever is under way."""
        stream = self._stream
        if stream is not None and not stream.closed:
            stream.abort()
        elif self.phase in {_IDLE, _HEAD, _OVER} and not self._socket.unsent:
            self.close()
        else:
            self._socket.reset()
