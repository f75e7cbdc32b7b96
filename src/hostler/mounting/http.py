"""An HTTP request over ASGI: one piece of its body at a time while somebody takes it, then the client's departure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.body import too_large
from hostler.http.fields import HOP_BY_HOP
from hostler.mounting.stream import HIGH_WATER, MountedStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.asgi.messages import Message, Receive, Send
    from hostler.contract import Pump
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = ["HttpStream"]

_BODILESS: Final = frozenset({204, 205, 304})


class HttpStream(MountedStream):
    """One HTTP request and its response."""

    def __init__(self, receive: Receive, send: Send, method: str) -> None:
        super().__init__(receive, send)
        self._method = method
        self._framing = 0
        self._max_body: int | None = None
        self._body_complete = False
        self._body_failure: Failure | None = None
        self._unread = bytearray()
        """What has come of the body before somebody takes it."""
        self._waits_for_100 = False
        self._left: int | None = None
        self._silent = False

    def expect(self, request: Request) -> None:
        """Say how long the request's body is, and whether its client waits for 100 Continue."""
        self._framing = request.framing
        self._body_complete = not request.framing
        self._waits_for_100 = request.expect_continue

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
        self._waits_for_100 = False
        self._may_receive.set()
        if self._is_paused:
            pump.pause()
        if self._unread:
            piece, self._unread = bytes(self._unread), bytearray()
            self._feed(piece)
        if self._body_complete and not (knows_end and not self._framing):
            self._feed_end()

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects, as far as that is seen.

        Nobody sees it before it has been asked for the body: a little of that is taken ahead, and nothing where the
        client waits for 100 Continue, which the server outside sends when it is asked.
        """
        super().when_departed(callback)
        waits = self._waits_for_100 or len(self._unread) > HIGH_WATER
        if callback is not None and self._pump is None and not waits:
            self._may_receive.set()

    def _received(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._lose(self._departure("the client went away"))
            return
        if self._body_complete or self._body_failure is not None:
            return
        piece = message.get("body", b"")
        self._body_complete = not message.get("more_body", False)
        if self._pump is None:
            self._unread += piece
            if len(self._unread) > HIGH_WATER:
                self._may_receive.clear()
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
