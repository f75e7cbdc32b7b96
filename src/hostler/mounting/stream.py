"""The server's side of an exchange over ASGI: `hostler.contract.Stream` on `receive` and `send`.

What a stream is told is synchronous, and what it asks of the server outside is not. So what is to be sent waits in a
queue, which a task empties; while it holds more than 64 KiB, the pump is paused. Another task receives: one piece of
the request's body at a time while somebody takes it, and then nothing but the client's departure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.errors import DelegationError, Failure, ProtocolError, Reason
from hostler.http.body import too_large
from hostler.http.fields import HOP_BY_HOP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hostler.asgi.messages import Message, Receive, Send
    from hostler.contract import Delegated, Pump, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response
    from hostler.server.base import DelegationRule

__all__ = ["HttpStream", "MountedStream"]

_HIGH_WATER: Final = 1 << 16
_MESSAGE: Final = 256
"""Bytes that a message takes beside what is in it."""

_BODILESS: Final = frozenset({204, 205, 304})


class MountedStream:
    """What the streams of HTTP and of WebSocket have in common: the two tasks, the flow in both directions."""

    takes_plain = False
    can_delegate = False

    def __init__(self, receive: Receive, send: Send) -> None:
        self.started = False
        self.closed = False
        self.status = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self._receive = receive
        self._send = send
        self._pump: Pump | None = None
        self._failure: Failure | None = None
        """Why the client is gone."""
        self._departed: Callable[[Failure], object] | None = None
        self._aborted = False
        self._may_receive = asyncio.Event()
        self._messages: deque[tuple[Message, int]] = deque()
        self._queued = 0
        self._is_paused = False
        self._has_message = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    # -- running --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive and send meanwhile; what is to be sent has been sent in the end.

        Raises ConnectionAbortedError for an answer that was broken off, which is how the server outside is told so.
        """
        receiver = asyncio.create_task(self._receiving())
        self._sender = sender = asyncio.create_task(self._sending())
        try:
            yield
            self.closed = True
            self._has_message.set()
            await sender
        finally:
            for task in (receiver, sender):
                task.cancel()
            await asyncio.gather(receiver, sender, return_exceptions=True)
            self._pump = None
        if self._aborted and self._failure is None:
            raise ConnectionAbortedError("the answer broke off; the log of hostler says why")

    async def _receiving(self) -> None:
        while self._failure is None:
            await self._may_receive.wait()
            self._received(await self._receive())

    def _received(self, message: Message) -> None:
        """Take a message of the server outside."""
        raise NotImplementedError

    def _lose(self, failure: Failure) -> None:
        """Tell everybody that the client is gone."""
        if self._failure is not None:
            return
        self._failure = failure
        self._messages.clear()
        if self._pump is not None and not self.closed:
            self._pump.lost(failure)
        self.closed = True
        self._has_message.set()
        if self._departed is not None:
            self._departed(failure)

    async def _sending(self) -> None:
        while True:
            while self._messages:
                message, size = self._messages.popleft()
                try:
                    await self._send(message)
                except OSError as error:  # ASGI HTTP spec 2.4: the client is gone
                    self._lose(
                        Failure(Reason.RESPONSE_BODY_CLIENT, str(error) or "the client went away", error)
                    )
                    return
                self._queued -= size
                if self._is_paused and self._queued <= _HIGH_WATER // 2:
                    self._is_paused = False
                    if self._pump is not None:
                        self._pump.resume()
            if self.closed:
                return
            self._has_message.clear()
            await self._has_message.wait()

    def _put(self, message: Message, size: int = 0) -> None:
        """Have a message sent that holds `size` bytes."""
        size += _MESSAGE
        self._messages.append((message, size))
        self._queued += size
        self._has_message.set()
        if self._queued > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            if self._pump is not None:
                self._pump.pause()

    # -- Stream ---------------------------------------------------------------------------------------------------

    def detach(self) -> None:
        """Call the pump no more, and keep the body for the next one."""
        self._pump = None
        self.pause()

    def limit_body(self, size: int) -> Failure | None:
        """Take at most `size` bytes of the request's body: there is none, unless a subclass has one."""
        return None

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects."""
        self._departed = callback

    def proceed(self) -> None:
        """Do nothing: the server outside asks for the body when it is received."""

    def pause(self) -> None:
        """Stop the flow of what the client sends."""
        self._may_receive.clear()

    def resume(self) -> None:
        """Let it flow again."""
        self._may_receive.set()

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Leave interim responses to the server outside."""

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    def abort(self) -> None:
        """Break the answer off."""
        if not self.closed:
            self.closed = self._aborted = True
            self._messages.clear()
            self._pump = None
            self._has_message.set()

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Refuse: the connection is not ours."""
        raise DelegationError(
            "a mounted handler cannot delegate: the connection is that of the server around it"
        )


class HttpStream(MountedStream):
    """One HTTP request and its response."""

    def __init__(self, receive: Receive, send: Send, method: str) -> None:
        super().__init__(receive, send)
        self._method = method
        self._framing = 0
        self._max_body: int | None = None
        self._body_complete = False
        self._body_failure: Failure | None = None
        self._unread = b""
        self._left: int | None = None
        self._silent = False

    def expect(self, framing: int) -> None:
        """Say how long the request's body is."""
        self._framing = framing
        self._body_complete = not framing

    def limit_body(self, size: int) -> Failure | None:
        """Take at most `size` bytes of the request's body."""
        self._max_body = size
        if self._framing > size:
            self._refuse_body(too_large(size))
        return self._body_failure

    def _refuse_body(self, error: ProtocolError) -> None:
        """Take no more of a body; the client can be answered."""
        self._body_failure = Failure(Reason.REQUEST_BODY_CLIENT, str(error), error, error.status)
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.lost(self._body_failure)

    # -- the request's body ---------------------------------------------------------------------------------------

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, and tell it about the client from now on."""
        if self.closed or self._body_failure is not None:
            if self._body_complete:
                pump.feed_end([])
            pump.lost(self._body_failure or self._failure or Failure(Reason.REQUEST_CANCELED))
            return
        self._pump = pump
        if self._is_paused:
            pump.pause()
        if self._unread:
            piece, self._unread = self._unread, b""
            self._feed(piece)
        if self._body_complete and not (knows_end and not self._framing):
            self._feed_end()
        self._may_receive.set()

    def _received(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            reason = Reason.RESPONSE_BODY_CLIENT if self.started else Reason.REQUEST_CANCELED
            self._lose(Failure(reason, "the client went away"))
            return
        if self._body_complete or self._body_failure is not None:
            return
        piece = message.get("body", b"")
        self._body_complete = not message.get("more_body", False)
        if self._pump is None:
            self._unread += piece
            return
        if piece:
            self._feed(piece)
        if self._body_complete:
            self._feed_end()

    def _feed(self, piece: bytes) -> None:
        """Pass a piece on, as far as the request's head lets it: a middleware may have made it longer."""
        self.bytes_received += len(piece)
        if self._max_body is not None and self.bytes_received > self._max_body:
            self._refuse_body(too_large(self._max_body))
        elif 0 <= self._framing < self.bytes_received:
            self._refuse_body(ProtocolError("the request's body is longer than its Content-Length"))
        elif self._pump is not None:
            self._pump.feed(piece)

    def _feed_end(self) -> None:
        if self._framing > self.bytes_received:
            self._refuse_body(ProtocolError("the request's body is shorter than its Content-Length"))
        elif self._pump is not None:
            self._pump.feed_end([])

    # -- the response ---------------------------------------------------------------------------------------------

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes."""
        status = response.status
        if status < 200:
            raise ProtocolError(f"{status} cannot be passed on by a mounted handler", 502)
        headers = [pair for pair in response.headers.lower_pairs() if pair[0] not in HOP_BY_HOP]
        self._silent = self._method == "HEAD" or status in _BODILESS
        if response.framing >= 0 and not self._silent:
            self._left = response.framing
            if all(name != b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % response.framing))
        if self.closed:
            return
        self.started, self.status = True, status
        self._put({"type": "http.response.start", "status": status, "headers": headers})
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if not data or self.closed or self._silent:
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.abort()
                raise ProtocolError("the response's body is longer than its Content-Length", 500)
        self.bytes_sent += len(data)
        self._put({"type": "http.response.body", "body": data, "more_body": True}, len(data))

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body."""
        if self.closed:
            return
        if self._left:
            self.abort()
            raise ProtocolError("the response's body is shorter than its Content-Length", 500)
        self._put({"type": "http.response.body", "body": b"", "more_body": False})
        self.closed = True
        self._pump = None
