"""A response's body as its stream knows it: counted, framed, and held back while the client is slow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from hostler.errors import ProtocolError
from hostler.http.body import encode_last_chunk
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import SendFlag
from hostler.server.httpsys.marshal.response import Chunks
from hostler.server.httpsys.sending import FilePart, Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.http.headers import RawHeaders
    from hostler.server.httpsys.context import ServerContext
    from hostler.server.httpsys.framing import Framing
    from hostler.server.httpsys.marshal.response import NativeResponse
    from hostler.windows.libraries import CData

__all__ = ["Answerer", "ResponseBody"]

_HIGH_WATER: Final = 1 << 16
"""Bytes of a response that may wait before its source is paused."""


class Answerer(Protocol):
    """Who is told what comes of a response: its stream."""

    def slowed(self) -> None:
        """Called when more waits than should: its source is to pause."""

    def eased(self) -> None:
        """Called when its source may go on."""

    def upgraded(self) -> None:
        """Called when a 101 is out."""

    def abort(self) -> None:
        """Tear the response down: it is not as long as it says."""

    def response_over(self, code: int) -> None:
        """Called when the response has been sent (0), or cannot be."""


class ResponseBody:
    """Sends one response, its head included."""

    __slots__ = ("_framing", "_io", "_opaque", "_sending", "_to", "sent", "slow")

    def __init__(self, context: ServerContext, request: int, to: Answerer, framing: Framing) -> None:
        """Prepare to answer `request` with a body that is framed so."""
        buffering = SendFlag.BUFFER_DATA if context.options.kernel_buffering else 0
        self._io = context.io
        self._to = to
        self._framing = framing
        self._opaque = False
        self._sending = Sending(
            context.windows.http, context.io, request, buffering, self._moved, to.response_over
        )
        self.slow = False
        """More waits than should."""
        self.sent = 0
        """Payload bytes so far."""

    def begin(
        self,
        head: NativeResponse,
        flags: int,
        policy: CData | None = None,
        no_goaway: Callable[[], object] | None = None,
    ) -> None:
        """Send the head, as `Sending.begin` does."""
        self._opaque = bool(flags & SendFlag.OPAQUE)
        self._sending.begin(head, flags, policy, no_goaway)

    def write(self, data: bytes) -> None:
        """Send a piece; raises ProtocolError when there is more than was announced."""
        if type(data) is not bytes:
            data = bytes(data)  # of what may change while it waits
        if self._takes(len(data)):
            for part in self._framing.frame(data):
                self._sending.write(part)
            self._hold_back()

    def write_file(self, file: BinaryIO, offset: int, length: int) -> None:
        """Have HTTP.sys send a part of a file (HttpDataChunkFromFileHandle); raises as `write` does."""
        if self._takes(length):
            before, after = self._framing.around(length)
            if before:
                self._sending.write(before)
            self._sending.write(FilePart(self._io.port, os.dup(file.fileno()), offset, length))
            if after:
                self._sending.write(after)
            self._hold_back()

    def finish(self, trailers: RawHeaders, native: bool) -> RawHeaders:
        """Write what ends the body, and return the trailers that HTTP.sys is to send.

        `native`: HTTP.sys can send some. Raises ProtocolError when there is less than was announced, and for trailers
        that cannot be sent.
        """
        framing = self._framing
        if framing.left:
            self._to.abort()
            raise ProtocolError("the response's body is shorter than its Content-Length", 500)
        if framing.chunked:
            self._sending.write(encode_last_chunk(trailers))
        elif trailers and native and not framing.silent and not framing.to_the_end:
            Chunks().trailers(trailers)  # raises for what cannot be sent, while there is time to abort
            return trailers
        return []

    def end(self, flags: int = 0, trailers: RawHeaders | None = None, log: CData = ffi.NULL) -> None:
        """Have the last call made; `flags` go with it, and `log` is what HTTP.sys' log says of the response."""
        if self._framing.to_the_end or self._framing.closing:
            flags |= SendFlag.DISCONNECT
        self._sending.end(flags, trailers, log)

    def stop(self) -> None:
        """Send nothing more."""
        self._sending.stop()

    def _takes(self, size: int) -> bool:
        """Count a piece of the body, held to its Content-Length; returns whether it is to be sent."""
        if not self._framing.take(size):
            self._to.abort()
            raise ProtocolError("the response's body is longer than its Content-Length", 500)
        if self._framing.silent:
            return False
        self.sent += size
        return True

    def _hold_back(self) -> None:
        sending = self._sending
        if not self.slow and not sending.gathers and sending.waiting + sending.in_flight > _HIGH_WATER:
            self.slow = True
            self._to.slowed()

    def _moved(self, waiting: int) -> None:
        """Called when a send has completed."""
        if self._opaque:
            self._opaque = False
            self._to.upgraded()
        if self.slow and waiting <= _HIGH_WATER // 2:
            self.slow = False
            self._to.eased()
