"""One request and its answer in HTTP/1.1: `hostler.contract.Stream` on a client's socket.

The connection reads; what belongs to the request's body comes here as payload. The answer is written here. Of its
connection a stream knows the `StreamConnection`: how to ask for its body, and what comes after the answer; of its owner
the `RequestLender`.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.body import encode_chunk, encode_last_chunk
from hostler.http.date import http_date
from hostler.http.encode import encode_response
from hostler.http.framing import check_response_framing, outgoing_framing
from hostler.http.message import BODILESS, CHUNKED, UNTIL_CLOSE
from hostler.native import NOTHING_NATIVE, EncryptedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from hostler.contract import Delegated, Pump, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.http.message import RequestHead, Response
    from hostler.http.security import Tls
    from hostler.native import NativeRequest
    from hostler.server.base import DelegationRule
    from hostler.server.placing import Placing
    from hostler.server.usermode.client_socket import ClientSocket

__all__ = ["Http1Stream", "RequestLender", "StreamConnection"]

_COPY: Final = 1 << 15
"""Bytes of a body's piece that are copied to be sent with what goes in front of them."""

_LINES_ARE_HELD_BACK: Final = not (
    (3, 12) <= sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
)
"""Whether asyncio's `writelines` ever says that it is too much (CVE-2024-12254)."""

_date: tuple[int, bytes, bytes] = (0, b"", b"")


def _today() -> bytes:
    _date_line()
    return _date[1]


def _date_line() -> bytes:
    global _date  # noqa: PLW0603 - a second's Date header is the same for every response
    now = int(time.time())
    if _date[0] != now:
        text = http_date(now).encode("ascii")
        _date = (now, text, b"date: %s\r\n" % text)
    return _date[2]


class StreamConnection(Protocol):
    """What a stream knows of its connection."""

    tls: Tls | None
    """How it is encrypted."""

    def read_body(self) -> None:
        """Give the request's body to its stream from now on, what has arrived at once."""

    def keep_body(self) -> None:
        """Keep what comes of the request's body."""

    def begin_tunnel(self) -> None:
        """Give all that comes from now on to the stream."""

    def limit_body(self, size: int) -> None:
        """Have a body fail that is larger."""

    def response_over(self, reusable: bool, /) -> None:
        """Go on after a complete answer."""


class RequestLender(Protocol):
    """Whoever can hand a request to another process."""

    can_lend: bool
    """Whether it may."""

    is_borrowed: bool
    """Whether another process has had the requests before: it has said where they are placed, and whom they are from."""

    placing: Placing
    """Where its requests are placed."""

    def informed(self) -> None:
        """Note that an interim response was written."""

    def lend(
        self, stream: Http1Stream, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Have a process of the rule's queue answer the request of `stream`, with `headers` added to the answer."""
        ...


class Http1Stream:
    """A request's body on its way in, its answer on its way out; `hostler.server.handling.Served`."""

    handled = None
    # what is rarely looked at is the class's until it changes; the rest is not, since Python finds it faster so
    _departed: Callable[[Failure], object] | None = None
    body_limit: int | None = None
    """Bytes that the request's body may have; None for any number."""
    _silent = False
    _chunked = False
    aborted = False
    """The handler gave up on the response."""
    is_tunnel = False
    """The connection was upgraded and is still open."""
    half_ended = False
    """The handler has ended its direction of an upgraded connection."""

    def __init__(
        self,
        connection: StreamConnection,
        lender: RequestLender,
        socket: ClientSocket,
        head: RequestHead,
        method: str,
        framing: int,
        keep_alive: bool,
        version: int = 11,
    ) -> None:
        """`method` and the rest are the head's, which is slower to ask."""
        self._connection = connection
        self._lender = lender
        self._socket = socket
        self.head = head
        self._pump: Pump | None = None
        self._body_complete = not framing
        self._waits_for_100 = bool(framing) and head.expect_continue
        self._remaining: int | None = None
        self.takes_plain = version == 11 and method != "HEAD"
        self.keep_alive = keep_alive
        """Whether the connection may carry another request after this one."""
        self.failure: Failure | None = None
        """Why the client is gone, or its body no use, once that is so."""
        self.started = False
        self.closed = False
        self.is_going_away = False
        """The server stops."""
        self.status = 0
        self.bytes_received = 0
        self.bytes_sent = 0

    @property
    def native(self) -> NativeRequest:
        """What is known of the connection's encryption."""
        tls = self._connection.tls
        return NOTHING_NATIVE if tls is None else EncryptedRequest(tls)

    @property
    def placing(self) -> Placing | None:
        """Says where the request is placed; None where another process has said that."""
        lender = self._lender
        return None if lender.is_borrowed else lender.placing

    # -- the request's body, for the pump -------------------------------------------------------------------------

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, what waits first, and tell it about the client from now on."""
        if self.closed or self.failure is not None:
            if self._body_complete:
                pump.feed_end([])
            pump.lost(self.failure or Failure(Reason.REQUEST_CANCELED))
            return
        self._pump = pump
        if self._socket.write_paused:
            pump.pause()
        if self.is_going_away:
            pump.going_away()
        if self._body_complete:
            if not knows_end:
                pump.feed_end([])
        else:
            self._connection.read_body()

    def detach(self) -> None:
        """Keep the body for the next pump."""
        self._pump = None
        self.pause()

    def limit_body(self, size: int) -> Failure | None:
        """Have a body fail that is larger, at once if its head says so."""
        if not self._body_complete:
            self.body_limit = size
            self._connection.limit_body(size)
        return self.failure

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects; None: call nobody any more."""
        self._departed = callback

    def proceed(self) -> None:
        """Send 100 Continue if the client waits for it."""
        if self._waits_for_100 and not self.started:
            self._waits_for_100 = False
            if not self._body_complete:
                self.inform(100, [])

    def pause(self) -> None:
        """Stop the flow of the request's body."""
        if not self.closed and not self._body_complete:
            self._connection.keep_body()

    def resume(self) -> None:
        """Let the request's body flow again."""
        if self._pump is not None and not self._body_complete and self.failure is None:
            self._connection.read_body()

    # -- the request's body, from the connection ------------------------------------------------------------------

    def body_received(self, payload: bytes) -> None:
        """Pass payload on."""
        self._waits_for_100 = False
        if payload and self._pump is not None:
            self.bytes_received += len(payload)
            self._pump.feed(payload)

    def body_ended(self, trailers: RawHeaders) -> None:
        """Note that the request is complete (of a tunnel: that the client sends no more)."""
        self._body_complete = True
        if self._pump is not None:
            self._pump.feed_end(trailers)

    def body_failed(self, failure: Failure) -> None:
        """Give up on the request's body: the connection carries nothing after this response."""
        self.keep_alive = False
        self.failure = failure
        if self._pump is not None:
            self._pump.lost(failure)

    def departed(self) -> None:
        """Note that the client is gone, by its own word: what is answered all the same is written, and is the last."""
        if self.closed or self.failure is not None:
            return
        self.keep_alive = False
        reason = Reason.RESPONSE_BODY_CLIENT if self.started else Reason.REQUEST_CANCELED
        self.failure = Failure(reason, "the client ended its side of the connection")
        if self._pump is not None:
            self._pump.lost(self.failure)
        elif self._departed is not None:  # nobody has begun to do anything for it
            self.closed = True
            self._socket.reset()
            self._departed(self.failure)

    # -- the response ---------------------------------------------------------------------------------------------

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Send an interim response; HTTP/1.0 clients get none."""
        if not self.closed and not self.started and self.head.version >= 11:
            self._socket.write(encode_response(status, headers))
            self._lender.informed()
            if status == 100:
                self._waits_for_100 = False

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes with it."""
        headers, status = response.headers, response.status
        lines = headers.lines
        added: RawHeaders
        named: Collection[bytes]
        if lines is not None:
            named, added = lines.keys(), []
        else:
            added = list(headers.pairs())
            named = {name.lower() for name, _ in added}
            if b"content-length" in named or b"transfer-encoding" in named:
                check_response_framing(response, self.head.method)
        if status != 101:
            self._frame(response, named, added)
        elif self._pump is None and not self.closed:
            raise RuntimeError("a 101 needs a pump that takes what the client sends from then on")
        block = encode_response(status, added, response.reason, () if lines is None else lines.values())
        if self.closed:
            return
        self.started, self.status = True, status
        if status == 101:
            self._begin_tunnel(block)
        elif data:
            self._send(data, block)
        else:
            self._socket.write(block)

    def _frame(self, response: Response, named: Collection[bytes], added: RawHeaders) -> None:
        """Decide how the body is framed and whether the connection lasts; add the headers that say so, and Date."""
        request = self.head
        framing = outgoing_framing(response, request.method, request.version)
        if b"date" not in named:
            added.append((b"date", _today()))
        if framing >= 0:
            if b"content-length" not in named:
                added.append((b"content-length", b"%d" % framing))
        elif framing == CHUNKED:
            added.append((b"transfer-encoding", b"chunked"))
        elif framing == UNTIL_CLOSE:
            self.keep_alive = False
        if self._waits_for_100 and not self._body_complete:
            self.keep_alive = False
        if not self.keep_alive:
            added.append((b"connection", b"close"))
        elif request.version < 11:
            added.append((b"connection", b"keep-alive"))
        self._silent = framing == BODILESS
        self._chunked = framing == CHUNKED
        self._remaining = framing if framing >= 0 else None

    def start_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool
    ) -> None:
        """Send a response's head as lines, and the first of its body with it, or all of it."""
        if self.closed:
            return
        if not has_date:
            block += _date_line()
        if framing < 0:
            self._chunked = True
            block += b"transfer-encoding: chunked\r\n"
            body = encode_chunk(data) if data else b""
            if complete:
                body += b"0\r\n\r\n"
        else:
            body = data
            self._remaining = framing - len(data)
        if self._waits_for_100 and not self._body_complete:
            self.keep_alive = False
        if not self.keep_alive:
            block += b"connection: close\r\n"
        self.started, self.status, self.bytes_sent = True, status, len(data)
        socket = self._socket
        if len(body) > _COPY:
            socket.write(block + b"\r\n")
            socket.write(body)
        else:
            socket.write(b"%s\r\n%s" % (block, body))
        if complete:
            self.closed = True
            self._pump = None
            self._connection.response_over(self.keep_alive)

    def _begin_tunnel(self, block: bytes) -> None:
        self.is_tunnel, self.keep_alive = True, False
        self._body_complete = False
        self._socket.write(block)
        self._connection.begin_tunnel()

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data and not self.closed:
            self._send(data, b"")

    def _send(self, data: bytes, head: bytes) -> None:
        size = len(data)
        socket = self._socket
        if self._remaining is not None:
            if size > self._remaining:
                self.abort()
                raise ProtocolError("the response's body is longer than its Content-Length", 500)
            self._remaining -= size
        if self._silent:
            if head:
                socket.write(head)
            return
        self.bytes_sent += size
        if self._chunked:
            if size > _COPY and _LINES_ARE_HELD_BACK:
                socket.writelines((b"%s%x\r\n" % (head, size), data, b"\r\n"))
            else:
                socket.write(head + encode_chunk(data))
        elif head and size <= _COPY:
            socket.write(head + data)
        else:
            if head:
                socket.write(head)
            socket.write(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body, with trailers where the client can take them."""
        if self.closed:
            return
        if self.is_tunnel:
            self.half_ended = True
            self._socket.shut()
            return
        if self._remaining:
            self.abort()
            raise ProtocolError("the response's body is shorter than its Content-Length", 500)
        if self._chunked:
            self._socket.write(encode_last_chunk(trailers or []))
        self.closed = True
        self._pump = None
        self._connection.response_over(self.keep_alive)

    def abort(self) -> None:
        """Tear the response down so that the client cannot take it for complete."""
        if not self.closed:
            self.closed = self.aborted = True
            self.is_tunnel = False
            self._pump = None
            self._socket.reset()

    def hang_up(self) -> None:
        """End an upgraded connection that its handler is done with."""
        self.closed = True
        self.is_tunnel = False
        self._pump = None
        self._connection.response_over(False)

    # -- the client -----------------------------------------------------------------------------------------------

    def pause_producer(self) -> None:
        """Hold the pump back: the client does not keep up."""
        if self._pump is not None:
            self._pump.pause()

    def resume_producer(self) -> None:
        """Let the pump go on: the client keeps up again."""
        if self._pump is not None:
            self._pump.resume()

    def going_away(self) -> None:
        """Tell whoever answers, or will, that the server stops."""
        self.is_going_away = True
        if self._pump is not None:
            self._pump.going_away()

    def abort_unanswered(self) -> None:
        """Give up on a response that has not begun: its client sends no more, and has waited long enough."""
        if not self.started:
            self._socket.reset()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever answers that the connection is gone."""
        if self.closed:
            return
        self.closed = True
        pump, self._pump = self._pump, None
        if self.failure is not None:
            if pump is not None:
                pump.resume()  # it knows; nobody must wait for this client to keep up
            return
        if self.is_tunnel:
            reason = Reason.UPGRADE_REQUEST_CLIENT
        elif self.started:
            reason = Reason.RESPONSE_BODY_CLIENT
        else:
            reason = Reason.REQUEST_CANCELED if self._body_complete else Reason.REQUEST_BODY_CANCELED
        self.is_tunnel = False
        self.failure = Failure(reason, str(error or ""))
        if pump is not None:
            pump.lost(self.failure)
        if self._departed is not None:
            self._departed(self.failure)

    # -- delegating -----------------------------------------------------------------------------------------------

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and the connection is our own."""
        if self.closed:
            return self.failure is not None and not self.started  # the client is gone: `delegate` says so
        return self._pump is None and not self.started and self._lender.can_lend

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Lend the connection to a process of the rule's queue, which answers the client."""
        return self._lender.lend(self, rule, source, headers)

    def answered_elsewhere(self, returned: Delegated) -> None:
        """Note what the process that answered reports."""
        self.started = self.closed = True
        self.status = returned.status
        self.bytes_received, self.bytes_sent = returned.bytes_received, returned.bytes_sent
