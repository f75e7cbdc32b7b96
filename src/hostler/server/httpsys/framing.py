"""How a response's body is framed, which HTTP.sys leaves to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from hostler.http.body import encode_chunk

if TYPE_CHECKING:
    from hostler.http.message import Response
    from hostler.server.httpsys.marshal.request import Arrival

__all__ = ["Framing"]

_COPY: Final = 1 << 15
"""Bytes up to which a piece is copied between what frames it; a larger one stands by itself."""


@define(eq=False)
class Framing:
    """One body's: a length that is known; else chunks in HTTP/1.1, the connection's end in 1.0, nothing in 2 and 3."""

    left: int | None = None
    """Bytes that are to come, where the length is known."""

    silent: bool = False
    """There is no body to be sent, whatever is written: HEAD, 204, 304."""

    chunked: bool = False
    to_the_end: bool = False
    """The connection is to be closed where the body ends."""

    header: tuple[bytes, bytes] | None = None
    """What the head has to say of it, beside what it says already."""

    @classmethod
    def of(cls, response: Response, arrival: Arrival) -> Framing:
        """Decide how the body of a response to that request is framed."""
        length = response.framing
        if arrival.request.method == "HEAD" or response.status in {204, 304}:
            return cls(silent=True)
        if length >= 0:
            told = b"content-length" in response.headers
            return cls(length, header=None if told else (b"content-length", b"%d" % length))
        if arrival.http2:
            return cls()
        if arrival.request.version >= 11:
            return cls(chunked=True, header=(b"transfer-encoding", b"chunked"))
        return cls(to_the_end=True, header=(b"connection", b"close"))

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
