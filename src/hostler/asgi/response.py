"""An application's response messages become one response (ASGI HTTP spec, "response start", "body" and "trailers").

The head waits for the first body message, as the specification asks, so that a small response leaves in one write.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NoReturn

from hostler.answering import begin_response, finish_response
from hostler.asgi.messages import logger
from hostler.errors import Failure, Reason
from hostler.exchange import Kind
from hostler.http.fields import HOP_BY_HOP
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, Response

if TYPE_CHECKING:
    from hostler.asgi.messages import Message
    from hostler.exchange import Exchange, Outcome

__all__ = ["DisconnectedError", "Expects", "ResponseWriter"]


class DisconnectedError(ConnectionError):
    """The application sent a message to a client that is gone (ASGI HTTP spec 2.4: `send` raises OSError)."""


class Expects(enum.Enum):
    """What a `ResponseWriter` waits for."""

    START = "start"
    BODY = "body"
    TRAILERS = "trailers"
    NOTHING = "no more messages: the response is complete"
    BROKEN = "no more messages: the response is broken"


class ResponseWriter:
    """Takes an application's response messages; `prefix` is "http.response." or, for a denial, "websocket.http..."."""

    __slots__ = ("_bodiless", "_exchange", "_head", "_left", "_prefix", "_trailers", "expects", "told")

    def __init__(self, exchange: Exchange, prefix: str = "http.response.") -> None:
        self._exchange = exchange
        self._prefix = prefix
        self._head: Response | None = None
        self._left: int | None = None
        self._bodiless = False
        self._trailers: RawHeaders | None = None
        self.expects = Expects.START
        self.told = False
        """The application knows that its client is gone."""

    @property
    def complete(self) -> bool:
        """The last message was taken."""
        return self.expects is Expects.NOTHING

    async def send(self, message: Message) -> None:
        """Take one message (the application's `send`).

        Raises DisconnectedError when the client is gone, RuntimeError for a message out of order, ValueError for
        a status or content length that cannot be, ProtocolError for a header that cannot be sent.
        """
        kind, expects = message["type"], self.expects
        if kind != self._prefix + expects.value:
            raise RuntimeError(f"the application sent {kind!r}, expected {self._expected()}")
        if self._exchange.stream.closed:
            self.told = True
            raise DisconnectedError("the client is gone")
        if expects is Expects.BODY:
            await self._body(message)
        elif expects is Expects.START:
            self._start(message)
        else:
            self._end(message)

    def _expected(self) -> str:
        if self.expects in {Expects.NOTHING, Expects.BROKEN}:
            return str(self.expects.value)
        return repr(self._prefix + self.expects.value)

    def _start(self, message: Message) -> None:
        status = message["status"]
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is not the status of a final response")
        raw: RawHeaders = []
        for name, value in message.get("headers", ()):
            key = name.lower()
            if key in HOP_BY_HOP:
                continue
            if key == b"content-length":
                if status == 204:
                    continue  # RFC 9110 8.6: a server must not send it there
                self._left = self._length(value)
            raw.append((name, value))
        if message.get("trailers", False):
            self._trailers = []
        self._bodiless = status in {204, 304} or self._exchange.request.method == "HEAD"
        self._head = Response(status, Headers(raw))
        self.expects = Expects.BODY

    def _length(self, value: bytes) -> int:
        if not value.isdigit() or self._left is not None:
            raise ValueError(f"content-length: {value!r} is not one number of bytes, given once")
        return int(value)

    async def _body(self, message: Message) -> None:
        data = message.get("body", b"")
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        more = message.get("more_body", False)
        if self._left is not None and not self._bodiless:
            self._count(len(data), more=more)
        ends = not more and self._trailers is None
        stream = self._exchange.stream
        if self._head is not None:
            self._begin(self._head, data, ends=ends)
        elif data and not self._bodiless:
            stream.write(data)
        if not more:
            self.expects = Expects.TRAILERS
            if ends:
                self._finish(None)
        elif (channel := self._exchange.channel()).wrote(len(data)):
            await channel.drained()

    def _count(self, size: int, *, more: bool) -> None:
        assert self._left is not None
        self._left -= size
        if self._left < 0:
            self._break(f"its body is {-self._left} bytes or more longer than its content-length")
        if self._left and not more:
            self._break(f"its body is {self._left} bytes shorter than its content-length")

    def _break(self, why: str) -> NoReturn:
        self.expects = Expects.BROKEN
        raise RuntimeError(f"the application's response cannot be sent: {why}")

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
        self.expects = Expects.NOTHING

    async def conclude(self, error: Exception | None, lost: Failure | None) -> Outcome:
        """Sum up when the application has returned, or raised `error`: answer 500, or abort, what it left undone.

        `lost` is why the client is gone, when that is known.
        """
        exchange, stream = self._exchange, self._exchange.stream
        complete = self.complete
        if complete and error is None:
            return exchange.outcome(Kind.RESPONDED)
        request = f"{exchange.request.method} {exchange.path}"
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
