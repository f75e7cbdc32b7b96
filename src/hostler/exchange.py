"""One request on its way, with its answer; and the contract between whoever serves it and whoever answers it.

Two parties meet in an exchange. The server side is a `Stream`: one request in, one response out, whatever carries
them. The other side is a `Pump`: whoever takes the request's body and produces the response. Both are synchronous,
so that a body moves from socket to socket without waking a coroutine; back-pressure is `pause` and `resume` in each
direction. Coroutines use the methods of `Exchange`, which put a `Channel` (a Pump with awaitable ends) between.
"""

from __future__ import annotations

import asyncio
import enum
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from attrs import define, frozen

from hostler.channel import Channel
from hostler.errors import DelegationError, Failure, Reason
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, Request, Response, reason_phrase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from hostler.config.model import Route
    from hostler.fleet import LiveCluster, LiveDestination
    from hostler.http.security import Authenticated, Tls
    from hostler.http.target import Target
    from hostler.server.base import DelegationRule

__all__ = ["Address", "Delegated", "Exchange", "Handler", "Kind", "Outcome", "Pump", "Stream"]

Address = tuple[str, int]
"""(host, port); the host is an IP address in text."""


class Pump(Protocol):
    """Whoever takes a request's body and produces its response."""

    def feed(self, data: bytes) -> None:
        """Take a piece of the request's body (or, after 101, of the upgraded connection)."""

    def feed_end(self, trailers: RawHeaders) -> None:
        """Learn that the request's body is complete (or that the client half-closed the upgraded connection)."""

    def lost(self, failure: Failure) -> None:
        """Learn that the client is gone or broke the protocol; nothing follows."""

    def pause(self) -> None:
        """Produce no more for now: the client does not keep up."""

    def resume(self) -> None:
        """Go on producing."""

    def going_away(self) -> None:
        """Learn that the server stops; whoever would go on for long comes to an end."""


class Stream(Protocol):
    """One request and its response, as a server holds them."""

    started: bool
    """The response's head has been handed over; its status cannot change any more."""

    closed: bool
    """The client is gone or the response is complete; what is written is discarded."""

    status: int
    """The response's status, 0 before it has one."""

    bytes_received: int
    """Payload bytes of the request's body that were taken so far."""

    bytes_sent: int
    """Payload bytes of the response's body so far."""

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and this server can delegate."""

    def attach(self, pump: Pump) -> None:
        """Send the body to `pump`, what waits first, and tell it about the client from now on."""

    def detach(self) -> None:
        """Keep the body for the next pump: this one takes no more."""

    def proceed(self) -> None:
        """Send 100 Continue if the client waits for it and no byte of its body has come."""

    def pause(self) -> None:
        """Stop the flow of the request's body."""

    def resume(self) -> None:
        """Let the request's body flow again."""

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Send an interim response (1xx, not 101)."""

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes with it.

        The headers are end-to-end ones; framing, Connection and Date are the server's. After a 101 both directions
        carry raw bytes. Raises ProtocolError when a header cannot be sent; nothing was sent then.
        """

    def write(self, data: bytes) -> None:
        """Send a piece of the body; never blocks, `Pump.pause` says when it is too much."""

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Have the system send a part of a file as a piece of the body; False where that cannot be done.

        The file may be closed when this returns. It may block like a read that the system has in its cache.
        """
        ...

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body, with trailers where the client can take them (after 101: half-close)."""

    def abort(self) -> None:
        """Tear the response down so that the client cannot take it for complete."""

    async def delegate(self, rule: DelegationRule, headers: RawHeaders) -> Delegated | Failure:
        """Hand the request over; `headers` are to be added to the answer. Returns when the answer is complete."""
        ...


class Kind(enum.Enum):
    """How an exchange ended."""

    RESPONDED = "responded"
    FORWARDED = "forwarded"
    DELEGATED = "delegated"
    FAILED = "failed"


@define(eq=False)
class Outcome:
    """How an exchange ended: what became of it, and whose fault it was when it broke."""

    kind: Kind
    status: int
    """What the client got; 0 when it got nothing."""

    destination: str | None = None
    """The address that it was forwarded to, or the queue that it was delegated to."""

    bytes_received: int = 0
    bytes_sent: int = 0
    failure: Failure | None = None


@frozen
class Delegated:
    """What the process that answered reports of a delegated exchange."""

    status: int
    bytes_received: int = 0
    bytes_sent: int = 0
    failure: Failure | None = None


if TYPE_CHECKING:
    Handler = Callable[["Exchange"], Awaitable[Outcome]]
else:
    Handler = Any


_NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})
_FILE_PIECE: Final = 1 << 18
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class Exchange:
    """One request on its way.

    A stage reads `request`, `path`, `route`, `cluster`, narrows `candidates`, and either answers (`respond`, `start`,
    `fail`), delegates, or hands the exchange onward.
    """

    route: Route | None = None
    route_values: Mapping[str, str] = _NO_VALUES
    """What the route's path template took out of the path."""

    cluster: LiveCluster | None = None
    candidates: tuple[LiveDestination, ...] = ()
    """Where the request may still go; stages narrow it."""

    destination: LiveDestination | None = None
    """Where it went; set by whoever sends it there."""

    tls: Tls | None = None
    """How the request was encrypted, where the server itself has TLS: HTTP.sys."""

    authenticated: Authenticated | None = None
    """What became of the client's credentials, where the server looks at them: HTTP.sys, when it is told to."""

    _on_response: list[Callable[[RawHeaders], None]] | None = None
    _channel: Channel | None = None
    _items: dict[str, Any] | None = None

    def __init__(
        self,
        request: Request,
        stream: Stream,
        target: Target,
        client: Address,
        server: Address,
        host: str,
        port: int,
        path_base: str = "",
        path: str = "/",
        scheme: str = "http",
    ) -> None:
        self.request = request
        self.stream = stream
        self.target = target
        self.client = client
        """Where the request came from."""
        self.server = server
        """Where it arrived."""
        self.host = host
        """The host that was asked for, lower case, without its port; "" when HTTP/1.0 named none."""
        self.port = port
        self.path_base = path_base
        """The part of the path that the URL prefix took, as the client wrote it."""
        self.path = path
        """The rest of the path, decoded (%2F stays); what routes match."""
        self.scheme = scheme

    @property
    def items(self) -> dict[str, Any]:
        """A place for stages to leave things for one another."""
        if self._items is None:
            self._items = {}
        return self._items

    def narrow(self, keep: Callable[[LiveDestination], bool]) -> None:
        """Drop the candidates that `keep` is false for."""
        self.candidates = tuple(candidate for candidate in self.candidates if keep(candidate))

    # -- answering ------------------------------------------------------------------------------------------------

    def on_response(self, callback: Callable[[RawHeaders], None]) -> None:
        """Call `callback(headers)` when a final response's headers are settled, to add to them.

        It is called wherever the answer comes from; for a delegated exchange it is called before the request
        leaves, with an empty list, and what it adds travels with the request to be added to the answer.
        """
        if self._on_response is None:
            self._on_response = [callback]
        else:
            self._on_response.append(callback)

    def settle(self, headers: RawHeaders) -> None:
        """Run the callbacks of `on_response`; for whoever builds a response head itself."""
        if self._on_response is not None:
            callbacks, self._on_response = self._on_response, None
            for callback in callbacks:
                callback(headers)

    async def respond(
        self,
        status: int,
        body: str | bytes = b"",
        *,
        headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    ) -> Outcome:
        """Answer with a complete response; text is sent as UTF-8 with a text/plain content type.

        Raises RuntimeError when a response has begun, ValueError when `status` is not a final status.
        """
        raw = Headers.of(headers).raw
        if isinstance(body, str):
            body = body.encode()
            if not any(name.lower() == b"content-type" for name, _ in raw):
                raw.append(_TEXT)
        bare = status in {204, 304}
        if bare:
            body = b""
        else:
            raw.append((b"content-length", b"%d" % len(body)))
        self.begin(Response(status, Headers(raw), len(body)), body)
        self.finish()
        return self.outcome(Kind.RESPONDED)

    async def start(
        self,
        status: int,
        headers: Iterable[tuple[str | bytes, str | bytes]] = (),
        *,
        length: int | None = None,
    ) -> None:
        """Begin a response whose body follows with `write` and `end`; `length` in bytes where it is known."""
        raw = Headers.of(headers).raw
        if length is not None:
            raw.append((b"content-length", b"%d" % length))
        self.channel()
        self.begin(Response(status, Headers(raw), CHUNKED if length is None else length))

    def begin(self, response: Response, data: bytes = b"") -> None:
        """Hand over a response's head, settled, and the body's first bytes; for whoever frames the body itself.

        Raises RuntimeError when a response has begun, ValueError when its status is not a final one, ProtocolError
        when a header cannot be sent.
        """
        if self.stream.started:
            raise RuntimeError(f"a response has begun already (status {self.stream.status})")
        if not 200 <= response.status <= 999 and response.status != 101:
            raise ValueError(f"{response.status} is not the status of a final response")
        if self._on_response is not None:
            self.settle(response.headers.raw)
        self.stream.start(response, data)

    async def write(self, data: bytes) -> None:
        """Send a piece of the response's body; waits while the client does not keep up."""
        self.stream.write(data)
        if self._channel is not None and self._channel.paused:
            await self._channel.drained()

    async def write_file(self, file: BinaryIO, offset: int = 0, length: int | None = None) -> None:
        """Send a part of a file, to its end unless `length` is given, as a piece of the response's body.

        HTTP.sys sends it without a byte passing through this process (HttpDataChunkFromFileHandle). `file` is a real
        file that nobody else reads meanwhile. Raises ValueError when it has fewer bytes than `length` asks for.
        """
        size = os.fstat(file.fileno()).st_size
        if length is None:
            length = max(0, size - offset)
        if offset < 0 or length < 0 or offset + length > size:
            raise ValueError(f"bytes {offset} to {offset + length} of a file that has {size}")
        if self.stream.write_file(file, offset, length):
            if self._channel is not None and self._channel.paused:
                await self._channel.drained()
            return
        while length:
            piece = await asyncio.to_thread(_read_at, file, offset, min(length, _FILE_PIECE))
            if not piece:
                raise ValueError(f"the file ended {length} bytes early")
            await self.write(piece)
            offset, length = offset + len(piece), length - len(piece)

    async def end(self, trailers: Iterable[tuple[str | bytes, str | bytes]] = ()) -> Outcome:
        """Finish the response."""
        self.finish(Headers.of(trailers).raw)
        return self.outcome(Kind.RESPONDED)

    def finish(self, trailers: RawHeaders | None = None) -> None:
        """Finish the response without waiting, for whoever builds the outcome itself."""
        self.stream.end(trailers)
        if self._channel is not None:
            self._channel.over()

    async def fail(self, failure: Failure) -> Outcome:
        """End the exchange with a failure: its status if no response has begun, else an aborted response."""
        self.refuse(failure)
        return self.outcome(Kind.FAILED, failure)

    def refuse(self, failure: Failure) -> None:
        """Answer a failure without waiting, for whoever builds the outcome itself."""
        stream = self.stream
        if stream.closed:
            return
        if stream.started:
            stream.abort()
            if self._channel is not None:
                self._channel.over()
            return
        body = b"%d %s\n" % (failure.status, reason_phrase(failure.status))
        raw: RawHeaders = [_TEXT, (b"content-length", b"%d" % len(body))]
        self.settle(raw)
        stream.start(Response(failure.status, Headers(raw), len(body)), body)
        self.finish()

    def outcome(self, kind: Kind, failure: Failure | None = None, destination: str | None = None) -> Outcome:
        """Sum up the exchange as it stands."""
        stream = self.stream
        if destination is None and self.destination is not None:
            destination = self.destination.name
        return Outcome(kind, stream.status, destination, stream.bytes_received, stream.bytes_sent, failure)

    # -- the request's body ---------------------------------------------------------------------------------------

    def channel(self) -> Channel:
        """Return the awaitable ends of this exchange, attached to the stream."""
        if self._channel is None:
            self._channel = Channel(self.stream)
            self.stream.attach(self._channel)
        return self._channel

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the pieces of the request's body as they arrive.

        Raises ConnectionError when the client goes away or breaks the protocol.
        """
        channel = self.channel()
        self.stream.proceed()
        while piece := await channel.receive():
            yield piece

    async def read(self, limit: int = 1 << 20) -> bytes:
        """Return the whole body; raises ValueError when it is larger than `limit` bytes."""
        pieces, size = [], 0
        async for piece in self.chunks():
            size += len(piece)
            if size > limit:
                raise ValueError(f"the body is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    @property
    def body_taken(self) -> bool:
        """Whether a stage has begun to read the request's body, so that nobody else can have it."""
        return self._channel is not None and self.request.framing != 0

    # -- delegating -----------------------------------------------------------------------------------------------

    async def delegate(self, rule: DelegationRule) -> Outcome:
        """Hand the request, head read and body untouched, to the queue of `rule`; that process answers the client.

        Raises DelegationError when the body was read, the response has begun, or the server cannot delegate.
        (HttpDelegateRequestEx; IHttpSysRequestDelegationFeature.)
        """
        stream = self.stream
        if not stream.can_delegate:
            why = (
                "its response has begun" if stream.started
                else "its body was read" if self._channel is not None or stream.bytes_received
                else "its connection or server cannot delegate, or it is over"
            )  # fmt: skip
            raise DelegationError(f"{self.request.method} {self.path} cannot be delegated: {why}")
        headers: RawHeaders = []
        self.settle(headers)
        result = await stream.delegate(rule, headers)
        if isinstance(result, Failure):
            self.refuse(result)
            return self.outcome(Kind.FAILED, result, rule.queue)
        kind = Kind.DELEGATED if result.failure is None else Kind.FAILED
        return Outcome(
            kind, result.status, rule.queue, result.bytes_received, result.bytes_sent, result.failure
        )


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def unanswered(exchange: Exchange) -> Awaitable[Outcome]:
    """End a pipeline that nobody answered in: 503."""
    return exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS))
