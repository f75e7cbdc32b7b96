"""The seam between exchanges and the connections to destinations: who asks whom what, whatever protocol is spoken.

A pool asks an `UpstreamConnection` what a pool needs to know (httpcore's questions): how many more requests it can
take, whether it has expired, whether it is idle. A request begins on the connection and is an `UpstreamStream` from
then on, which tells its `ExchangeSink` what comes back. HTTP/1.1 carries one stream at a time, and the connection
itself is that stream; HTTP/2 has an object for each.

Everything here is synchronous. After `complete`, `broken`, `disconnected` or `timed_out` the stream is over: it calls
back no more, and must not be used any more, because the connection may be carrying somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.client.address import DestinationAddress
    from hostler.client.tls.contexts import DestinationTls
    from hostler.client.web_proxy import HttpProxy
    from hostler.config.model import HttpClient
    from hostler.errors import ProtocolError
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = [
    "Connecting",
    "ConnectionOpener",
    "ConnectionOwner",
    "ExchangeSink",
    "UpstreamConnection",
    "UpstreamStream",
]


class ExchangeSink(Protocol):
    """Whoever sent a request, as the connection that carries it knows it."""

    @property
    def received(self) -> Callable[[bytes], object]:
        """Takes a piece of the response's body, or of an upgraded connection; called once for each piece."""

    def takes_plain(self) -> bool:
        """Return whether the response may come by `answered_plain`."""

    def answered_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool, /
    ) -> None:
        """Called with a plain response head and the first of its body; with all of it the stream is over (`complete`).

        `block` is what the client gets of it, as `hostler.http.heads.read_response` returns it.
        """

    def informed(self, response: Response) -> None:
        """Called with an interim response (1xx, not 101)."""

    def answered(self, response: Response, data: bytes) -> None:
        """Called with the response's head and the first bytes of its body; a 101 makes the stream a tunnel."""

    def ended(self) -> None:
        """Called when the destination closes its direction of a tunnel; the other one is still open."""

    def complete(self, trailers: RawHeaders) -> None:
        """Called when the response is complete, or a tunnel closed in both directions; the stream is over."""

    def broken(self, error: ProtocolError) -> None:
        """Called when the destination's answer breaks the protocol; the stream is over."""

    def disconnected(self, error: Exception | None, *, stale: bool) -> None:
        """Called when the connection is lost; the stream is over.

        `stale`: the connection had answered before, and not a byte came this time. It was most likely closed while it
        was idle, so that the destination never saw the request.
        """

    def timed_out(self) -> None:
        """Called when nothing moved on the stream for its timeout; the stream is over."""

    def pause_writing(self) -> None:
        """Called when the destination does not keep up with the request's body."""

    def resume_writing(self) -> None:
        """Called when the destination keeps up again."""


class UpstreamStream(Protocol):
    """A request under way to a destination, as whoever sent it knows it."""

    def send(self, data: bytes) -> None:
        """Send a piece of the request's body, or of an upgraded connection."""

    def end(self, trailers: RawHeaders) -> None:
        """Finish the request's body, or close our direction of a tunnel, which may complete the stream at once."""

    def pause_reading(self) -> None:
        """Read no more of the response for now."""

    def resume_reading(self) -> None:
        """Read the response again."""

    def cancel(self) -> None:
        """Give the stream up, at once; nobody is called back."""


class UpstreamConnection(Protocol):
    """A connection to a destination, as a pool knows it."""

    slots: int
    """How many more requests it can take. The pool takes one off when it hands one out, and the connection adds it
    again when the stream is over."""

    def has_expired(self) -> bool:
        """Whether it is closed or about to be, and must not be handed out any more."""

    def is_idle(self) -> bool:
        """Whether it carries no stream."""

    def begin(self, request: Request, sink: ExchangeSink, timeout: float) -> UpstreamStream:
        """Send a request's head, in a slot that was handed out; `timeout` is how many seconds nothing may move.

        Raises ProtocolError when the request cannot be written; nothing was sent then, and the slot was not used.
        """

    def begin_plain(
        self, head: bytes, method: str, framing: int, sink: ExchangeSink, timeout: float
    ) -> UpstreamStream:
        """Send a request's head that is written already, as HTTP/1.1 has it, and offers no upgrade."""

    def close(self) -> None:
        """Close it when what was written is sent."""


class ConnectionOwner(Protocol):
    """Whoever keeps a connection, as the connection knows it."""

    def released(self, connection: UpstreamConnection) -> None:
        """Called when a stream is over and its slot is free again."""

    def closed(self, connection: UpstreamConnection) -> None:
        """Called once, when the connection is closed, by whichever side."""


class ConnectionOpener(Protocol):
    """Opens connections to one destination: `hostler.client.connector.Connector`."""

    @property
    def address(self) -> DestinationAddress:
        """The destination's address, as requests to it need it."""
        ...

    @property
    def client(self) -> HttpClient:
        """The settings of the connections that it opens."""
        ...

    async def connect(self, owner: ConnectionOwner, /) -> UpstreamConnection:
        """Open a connection; raises OSError (TimeoutError, ssl.SSLError), or UnicodeError for a name like no other."""
        ...


class Connecting(Protocol):
    """Makes what opens connections to an address."""

    def __call__(
        self,
        address: DestinationAddress,
        client: HttpClient,
        tls: DestinationTls | None,
        proxy: HttpProxy | None,
        /,
    ) -> ConnectionOpener:
        """Return it; `tls` is for https, `proxy` is what the destination is reached through."""
        ...
