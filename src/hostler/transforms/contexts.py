"""What transforms get: an outgoing request, the response to it, or the trailers of that, to be changed (YARP's contexts).

None of them has the fields by which a message is framed or its connection managed (`MANAGED`): these are the proxy's own,
so that no transform can break a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.http.headers import Headers
    from hostler.http.message import Response
    from hostler.transforms.query import Query

__all__ = [
    "MANAGED",
    "RequestTransformContext",
    "ResponseTrailersTransformContext",
    "ResponseTransformContext",
]

MANAGED: Final = frozenset({b"connection", b"content-length", b"te", b"transfer-encoding", b"upgrade"})
"""The fields that no transform sees or sets, in lower case."""


@define(eq=False, kw_only=True)
class RequestTransformContext:
    """The request that a destination is about to get (RequestTransformContext)."""

    exchange: Exchange
    """What came, with `route_values`; to answer it here ends it."""

    method: str
    path: str
    """As it goes out behind the destination's own path: with escapes, without the path base.

    What is assigned is escaped where it must be; a `%` with two hex digits behind it stays as it is.
    """

    query: Query
    headers: Headers
    """All of them but Host, and the fields in `MANAGED`."""

    host: str | None = None
    """What Host says; None for the destination's own."""

    destination_prefix: str
    """The destination's address. Another one here is where the request goes instead."""

    headers_copied: bool = True
    """Whether the client's headers are among `headers`."""

    def take_header(self, name: bytes) -> list[bytes]:
        """Remove a header (given in lower case), and return its values; the client's where none were copied."""
        values = self.headers.get_all_raw(name)
        if values:
            self.headers.remove(name)
        elif not self.headers_copied:
            values = self.exchange.request.headers.get_all_raw(name)
        return values


@define(eq=False, kw_only=True)
class ResponseTransformContext:
    """The response that a client is about to get (ResponseTransformContext)."""

    exchange: Exchange
    response: Response | None
    """The destination's; None where forwarding failed, and the answer is the proxy's own."""

    status: int
    headers: Headers
    """All of them but the fields in `MANAGED`."""

    headers_copied: bool = True
    suppress_body: bool = False
    """Send no body, whatever the destination answers."""

    def take_header(self, name: bytes) -> list[bytes]:
        """Remove a header (given in lower case), and return its values; the destination's where none were copied."""
        values = self.headers.get_all_raw(name)
        if values:
            self.headers.remove(name)
        elif not self.headers_copied and self.response is not None:
            values = self.response.headers.get_all_raw(name)
        return values


@define(eq=False, kw_only=True)
class ResponseTrailersTransformContext:
    """The trailers that a client is about to get (ResponseTrailersTransformContext)."""

    exchange: Exchange
    response: Response
    """The destination's head."""

    headers: Headers
    """The trailers."""

    @property
    def status(self) -> int:
        """What the client got."""
        return self.exchange.stream.status

    def take_header(self, name: bytes) -> list[bytes]:
        """Remove a trailer (given in lower case), and return its values."""
        values = self.headers.get_all_raw(name)
        self.headers.remove(name)
        return values
