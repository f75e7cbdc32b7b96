"""The contract between whoever serves an exchange and whoever answers it; synchronous, without an event loop.

The server's side of an exchange is a `Stream`: one request in, one response out, whatever carries them. The other
side is a `Pump`: whoever takes the request's body and makes the response. A forwarded body goes from one connection's
`data_received` straight to the other's `transport.write`, and back-pressure is `pause` and `resume` in each direction;
no coroutine wakes for a piece of a body. Coroutines get a `hostler.channel.Channel`, a Pump with awaitable ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from attrs import define, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.errors import Failure, ProtocolError
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response
    from hostler.http.plain_request import PlainRequest
    from hostler.http.target import Target
    from hostler.native import NativeRequest
    from hostler.server.base import DelegationRule

__all__ = ["Address", "Delegated", "PlainStream", "Pump", "Rejection", "Stream"]

Address = tuple[str, int]
"""(host, port); the host is an IP address in text, an IPv4 one as 192.0.2.1 also where it came as ::ffff:192.0.2.1."""


class Pump(Protocol):
    """Whoever takes a request's body and produces its response."""

    def feed(self, data: bytes) -> None:
        """Take a piece of the request's body; after a 101, of the upgraded connection."""

    def feed_end(self, trailers: RawHeaders) -> None:
        """Called when the request's body is complete; after a 101, when the client half-closed the connection."""

    def lost(self, failure: Failure) -> None:
        """Called when the client disconnected or broke the protocol; nothing follows."""

    def pause(self) -> None:
        """Called when the client does not keep up: produce no more for now."""

    def resume(self) -> None:
        """Called when the client keeps up again."""

    def going_away(self) -> None:
        """Called when the server begins to stop: what would go on for long should come to an end."""


class RequestSource(Protocol):
    """What an outgoing request is made of, forwarded or delegated; `hostler.exchange.Exchange`."""

    @property
    def request(self) -> Request:
        """The request's head."""
        ...

    @property
    def target(self) -> Target:
        """Its target, taken apart."""
        ...

    @property
    def plain(self) -> PlainRequest | None:
        """The plain head that it came with, while nobody has changed anything of it."""
        ...

    @property
    def transformed(self) -> Request | None:
        """What transforms have made of it for a process that it is delegated to."""
        ...

    client: Address
    scheme: str
    path_base: str
    is_rewritten: bool
    """Whether the server has changed the head since it came."""


class Stream(Protocol):
    """One request and its response, as a server holds them."""

    @property
    def started(self) -> bool:
        """Whether the response's head has been handed over: its status cannot change any more."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the client has disconnected or the response is complete: what is written is discarded."""
        ...

    @property
    def status(self) -> int:
        """The response's status, 0 before it has one."""
        ...

    @property
    def bytes_received(self) -> int:
        """Payload bytes of the request's body that were taken so far."""
        ...

    @property
    def bytes_sent(self) -> int:
        """Payload bytes of the response's body so far."""
        ...

    @property
    def takes_plain(self) -> bool:
        """Whether it is a `PlainStream` whose answer has a body: `start_plain` may be used in place of `start`."""
        ...

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and this server can delegate."""

    @property
    def native(self) -> NativeRequest:
        """What the server knows of the request beyond HTTP, and can do for it."""
        ...

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, beginning with what has arrived, and call it about the client from now on.

        `knows_end`: it is not called about the end of a request that has no body.
        """

    def detach(self) -> None:
        """Call the pump no more, and keep the body for the next one."""

    def limit_body(self, size: int) -> Failure | None:
        """Take at most `size` bytes of the request's body; call it before `attach`.

        Returns why a body is refused whose length is known to be larger. Of one that turns out to be larger the pump is
        told by `lost`. Either way an answer can still be sent.
        """
        ...

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects, whoever has the request's body; None: call nobody any more.

        A stream in front of another calls back too when nobody is to go on with the exchange, and says why.
        """

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

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Hand the request over, as stages left it in `source`; `headers` are to be added to the answer.

        Returns when the answer is complete. Raises DelegationError for what this server cannot hand over.
        """
        ...


class PlainStream(Stream, Protocol):
    """A stream of HTTP/1.1, which takes a response's head as bytes."""

    def start_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool
    ) -> None:
        """Send a response's head and the first of its body, or all of it with `complete`, in as few writes as can be.

        `block` is the status line and well-formed end-to-end header lines, each with CRLF, without the empty line.
        Content-Length is among them where `framing` is a length; elsewhere `framing` is CHUNKED.
        """


@define
class Delegated:
    """What the process that answered reports of a delegated exchange."""

    status: int
    bytes_received: int = 0
    bytes_sent: int = 0
    failure: Failure | None = None


@frozen
class Rejection:
    """What a server answered by itself, because it is no request or no URL prefix takes it; no handler sees it."""

    client: Address
    error: ProtocolError
    """Why, with the status that the client got."""

    request: Request | None
    """The head; None when it could not be read."""

    peer: Address | None = None
    """Who is connected, where a PROXY header has said that the client is another one."""

    text: str = ""
    """What the answer says beside the status."""
