"""How a response's body is framed on its way into HTTP.sys, which leaves that to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from hostler.http.body import encode_chunk
from hostler.http.fields import connection_options
from hostler.http.framing import outgoing_framing
from hostler.http.message import BODILESS, CHUNKED

if TYPE_CHECKING:
    from hostler.http.headers import Headers, RawHeaders
    from hostler.http.message import Response
    from hostler.server.httpsys.marshal.request import Arrival

__all__ = ["Framing"]

_RESET_CONTENT: Final = 205
"""Has no body, and says so: of all statuses without one, clients wait for this one's (RFC 9110 15.3.6, RFC 9112 6.3)."""

_COPY: Final = 1 << 15
"""Bytes up to which a piece is copied between what frames it; a larger one stands by itself."""


@define(eq=False)
class Framing:
    """One body's: a length that is known; else chunks in HTTP/1.1, the connection's end in 1.0, nothing in 2 and 3."""

    left: int | None = None
    """Bytes that are to come, where the length is known."""

    silent: bool = False
    """There is no body to be sent, whatever is written: HEAD, 204, 205, 304."""

    chunked: bool = False
    to_the_end: bool = False
    """The body ends with the connection."""

    closing: bool = False
    """The connection is to be closed behind the response, as its head says."""

    header: tuple[bytes, bytes] | None = None
    """What the head has to say of it, in place of what it says already."""

    @classmethod
    def of(cls, response: Response, arrival: Arrival) -> Framing:
        """Decide how the body of a response to that request is framed, and what becomes of the connection."""
        framing = cls._of_body(response, arrival)
        connection = response.headers.get_raw(b"connection")
        framing.closing = connection is not None and b"close" in connection_options(connection)
        return framing

    @classmethod
    def _of_body(cls, response: Response, arrival: Arrival) -> Framing:
        request = arrival.request
        if response.status == _RESET_CONTENT and request.method != "HEAD":
            return cls(silent=True, header=(b"content-length", b"0"))
        framing = outgoing_framing(response, request.method, 20 if arrival.http2 else request.version)
        if framing >= 0:
            told = b"content-length" in response.headers
            return cls(framing, header=None if told else (b"content-length", b"%d" % framing))
        if framing == CHUNKED:
            return cls(chunked=True, header=(b"transfer-encoding", b"chunked"))
        if framing == BODILESS:
            return cls(silent=True)
        return cls() if arrival.http2 else cls(to_the_end=True, header=(b"connection", b"close"))

    def head(self, headers: Headers) -> RawHeaders:
        """Return the fields of a response's head, with what it has to say of the body."""
        pairs = list(headers.pairs())
        if self.header is not None:
            name = self.header[0]
            if name in headers:
                pairs = [pair for pair in pairs if pair[0].lower() != name]
            pairs.append(self.header)
        return pairs

    def close(self, fields: RawHeaders, arrival: Arrival) -> None:
        """Have the connection closed behind the response, and add to its `fields` what says so."""
        if not (self.closing or self.to_the_end or arrival.http2):
            fields.append((b"connection", b"close"))
        self.closing = True

    def take(self, size: int) -> bool:
        """Count a piece of the body; False when it is longer than was announced."""
        if self.left is None:
            return True
        self.left -= size
        return self.left >= 0

    def frame(self, data: bytes) -> tuple[bytes, ...]:
        """Put a piece of the body between what frames it."""
        if not self.chunked:
            return (data,)
        if len(data) <= _COPY:
            return (encode_chunk(data),)
        before, after = self.around(len(data))
        return before, data, after

    def around(self, size: int) -> tuple[bytes, bytes]:
        """Return what goes before and after a piece of so many bytes."""
        return (b"%x\r\n" % size, b"\r\n") if self.chunked else (b"", b"")
