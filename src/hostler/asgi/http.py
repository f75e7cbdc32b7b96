"""One HTTP request served by an application (ASGI HTTP spec).

The head waits for the first body message, as the specification asks, so that a small response leaves in one write. Where
its headers are plain they become lines when the application sends them, and reach the client as those bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from attrs import frozen

from hostler.answering import begin_response, finish_response
from hostler.asgi.messages import DisconnectedError, logger
from hostler.errors import Failure, Reason
from hostler.http.encode import STATUS_LINES
from hostler.http.fields import HOP_BY_HOP
from hostler.http.headers import Headers, RawHeaders
from hostler.http.heads import split_lines, write_lines
from hostler.http.message import CHUNKED, Response
from hostler.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.asgi.messages import Message
    from hostler.contract import PlainStream
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["BROKEN", "COMPLETE", "DENIAL", "RESPONSE", "HttpCycle", "MessageTypes"]


@frozen
class MessageTypes:
    """The types of the messages that make a response, in their order."""

    start: str
    body: str
    trailers: str


RESPONSE: Final = MessageTypes("http.response.start", "http.response.body", "http.response.trailers")

DENIAL: Final = MessageTypes(
    "websocket.http.response.start", "websocket.http.response.body", "websocket.http.response.trailers"
)
"""Those of the response that denies a WebSocket handshake."""

_WITH_BODY: Final = frozenset(STATUS_LINES) - {*range(200), 204, 304}

COMPLETE: Final = "no more messages: the response is complete"
BROKEN: Final = "no more messages: the response is broken"


class HttpCycle:
    """The `receive` and `send` of one request; no queue and no task of its own.

    `expects` is the type of the message that `send` takes next: the start, then the body until its last piece, then
    trailers where the start announced some; at last COMPLETE, or BROKEN when what was sent contradicts itself.
    """

    told = False
    """The application knows that its client is gone."""

    _untouched = True
    """Nobody has asked for the request's body."""

    _unread = True
    """Not all of the request's body has been received."""

    _status = 0
    """The response's status, where its head is plain."""

    _lines: tuple[bytes, int, bool] | None = None
    """What `write_lines` made of a plain head, until the first piece of the response's body."""

    _head: Response | None = None
    """Any other head, until then."""

    _left: int | None = None
    """Bytes that the response's body still lacks, where the application said how many they are."""

    _bodiless = False
    """No body follows the head, whatever is sent: HEAD, 204, 304."""

    _trailers: RawHeaders | None = None
    """The response's trailers so far, where it has any."""

    def __init__(self, exchange: Exchange, types: MessageTypes = RESPONSE) -> None:
        self._exchange = exchange
        self._types = types
        self.expects = types.start

    # -- receive --------------------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next piece of the body, then wait for the client to go (the application's `receive`)."""
        if self._unread and self.expects is not COMPLETE:
            if self._untouched and not self._ask_for_body():
                self._unread = False
                return {"type": "http.request", "body": b"", "more_body": False}
            channel = self._exchange.channel()
            try:
                body = channel.take()
                if body is None:
                    body = await channel.receive()
            except ConnectionError:
                self._unread = False
            else:
                self._unread = not channel.ended or bool(channel.pieces)
                return {"type": "http.request", "body": body, "more_body": self._unread}
        if self.expects is not COMPLETE:
            await self._exchange.channel().disconnected()
            self.told = self.expects is not COMPLETE
        return {"type": "http.disconnect"}

    def _ask_for_body(self) -> bool:
        """Have the request's body sent; returns False when it has none."""
        exchange = self._exchange
        self._untouched = False
        if not (exchange.plain or exchange.request).framing:
            return False
        exchange.channel()
        exchange.stream.proceed()
        return True

    # -- send -----------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Take one message (the application's `send`).

        Raises DisconnectedError when the client is gone, RuntimeError for a message out of order, ValueError for
        a status or content length that cannot be, ProtocolError for a header that cannot be sent.
        """
        kind, types = message["type"], self._types
        if kind != self.expects:
            raise self._out_of_order(kind)
        if self._exchange.stream.closed:
            self.told = True
            raise DisconnectedError("the client is gone")
        if kind == types.body:
            if self._body(message):
                await self._exchange.channel().drained()
        elif kind == types.start:
            self._start(message)
        elif kind == types.trailers:
            self._end(message)
        else:
            raise self._out_of_order(kind)

    def _out_of_order(self, kind: object) -> RuntimeError:
        return RuntimeError(f"the application sent {kind!r}, expected {self._expected()}")

    def _expected(self) -> str:
        return self.expects if self.expects in {COMPLETE, BROKEN} else repr(self.expects)

    def _start(self, message: Message) -> None:
        """Take the head; as lines where nothing is to be seen or changed of it, and it is plain."""
        status, headers = message["status"], message.get("headers", [])
        exchange = self._exchange
        if status in _WITH_BODY and exchange._response_callbacks is None and exchange.stream.takes_plain:
            self._lines = write_lines(headers)
        if self._lines is None:
            self._take_head(status, headers)
        else:
            self._status, length = status, self._lines[1]
            self._left = None if length < 0 else length
        if message.get("trailers", False):
            self._trailers = []
        self.expects = self._types.body

    def _take_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is not the status of a final response")
        self._left = None  # of a start that was refused
        raw: RawHeaders = []
        for name, value in headers:
            key = name.lower()
            if key in HOP_BY_HOP:
                continue
            if key == b"content-length":
                if status == 204:
                    continue  # RFC 9110 8.6: a server must not send it there
                self._left = self._length(value)
            raw.append((name, value))
        self._bodiless = status in {204, 304} or self._exchange.method == "HEAD"
        self._head = Response(status, Headers(raw))

    def _length(self, value: bytes) -> int:
        if not value.isdigit() or self._left is not None:
            raise ValueError(f"content-length: {value!r} is not one number of bytes, given once")
        return int(value)

    def _body(self, message: Message) -> bool:
        """Take a piece of the body; returns whether the client must take some of it before the next."""
        data = message.get("body", b"")
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        more = message.get("more_body", False)
        if self._left is not None and not self._bodiless:
            self._count(len(data), more=more)
        ends = not more and self._trailers is None
        if self._lines is not None:
            self._begin_lines(self._lines, data, ends=ends)
        elif self._head is not None:
            self._begin(self._head, data, ends=ends)
        elif data and not self._bodiless:
            self._exchange.stream.write(data)
        if more:
            channel = self._exchange._channel or self._exchange.channel()
            return channel.wrote(len(data))
        if not ends:
            self.expects = self._types.trailers
        elif self.expects is not COMPLETE:
            self._finish(None)
        return False

    def _count(self, size: int, *, more: bool) -> None:
        assert self._left is not None
        self._left = left = self._left - size
        if left < 0:
            self._break(f"its body is {-left} bytes or more longer than its content-length")
        if left and not more:
            self._break(f"its body is {left} bytes shorter than its content-length")

    def _break(self, why: str) -> NoReturn:
        self.expects = BROKEN
        raise RuntimeError(f"the application's response cannot be sent: {why}")

    def _begin_lines(self, lines: tuple[bytes, int, bool], data: bytes, *, ends: bool) -> None:
        exchange, status = self._exchange, self._status
        stream: PlainStream = exchange.stream  # type: ignore[assignment]  # it has said that it takes plain heads
        block, framing, has_date = lines
        self._lines = None
        if exchange._response_callbacks is not None or stream.started:  # since the application sent the head
            self._begin(Response(status, Headers(split_lines(block, False))), data, ends=ends)
            return
        if not ends:
            exchange.channel()
        elif framing < 0:
            framing = len(data)
            block += b"content-length: %d\r\n" % framing
        stream.start_plain(status, b"%b\r\n%b" % (STATUS_LINES[status], block), has_date, framing, data, ends)
        if ends:
            self.expects = COMPLETE
            if exchange._channel is not None:
                exchange._channel.over()

    def _begin(self, head: Response, data: bytes, *, ends: bool) -> None:
        if not ends:
            self._exchange.channel()
        if head.status in {204, 304}:
            head.framing = 0
        elif self._left is not None:
            head.framing = self._left if self._bodiless else self._left + len(data)
        elif ends and (data or not self._bodiless):
            head.framing = len(data)
            head.headers.raw.append((b"content-length", b"%d" % len(data)))
        else:
            head.framing = CHUNKED
        begin_response(self._exchange, head, b"" if self._bodiless else data)
        self._head = None

    def _end(self, message: Message) -> None:
        assert self._trailers is not None
        for name, value in message.get("headers", ()):
            key = name.lower()
            if key not in HOP_BY_HOP and key != b"content-length":
                self._trailers.append((name, value))
        if not message.get("more_trailers", False):
            self._finish(self._trailers)

    def _finish(self, trailers: RawHeaders | None) -> None:
        finish_response(self._exchange, trailers)
        self.expects = COMPLETE

    # -- afterwards -----------------------------------------------------------------------------------------------

    async def conclude(self, error: Exception | None, lost: Failure | None = None) -> Outcome:
        """Sum up when the application has returned, or raised `error`: answer 500, or abort, what it left undone.

        `lost` is why the client is gone, where somebody else knows.
        """
        exchange, stream, channel = self._exchange, self._exchange.stream, self._exchange._channel
        if lost is None and channel is not None:
            lost = channel.failure
        complete = self.expects is COMPLETE
        request = f"{exchange.method} {exchange.path}"
        if error is not None:
            level = logger.debug if self.told and not complete else logger.error
            level("%s: the application raised an exception", request, exc_info=error)
        if complete:
            return exchange.outcome(Kind.RESPONDED)
        if stream.closed or lost is not None:
            reason = Reason.RESPONSE_BODY_CLIENT if stream.started else Reason.REQUEST_CANCELED
            return await exchange.fail(lost or Failure(reason))
        if error is None:
            logger.error("%s: the application returned, expected %s", request, self._expected())
        if not stream.started:
            return await exchange.respond(500, "500 Internal Server Error\n")
        detail = "the application did not complete its response"
        return await exchange.fail(Failure(Reason.RESPONSE_BODY_DESTINATION, detail, error))
