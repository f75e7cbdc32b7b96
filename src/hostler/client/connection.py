"""A connection to a destination: one request at a time; what comes back goes straight to its `Transfer`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from hostler.client.heads import response_headers
from hostler.deadline import Deadline
from hostler.errors import ProtocolError
from hostler.http.body import NO_BODY, ClosingBody, body_reader
from hostler.http.h1 import ResponseReader

if TYPE_CHECKING:
    from hostler.client.pool import Pool
    from hostler.client.transfer import Transfer
    from hostler.http.body import Body
    from hostler.http.message import Response

__all__ = ["DestinationConnection"]


class DestinationConnection(asyncio.Protocol):
    """A pooled connection to a destination."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self.transport: asyncio.Transport
        self.deadline = Deadline(loop, self._on_deadline)
        self.transfer: Transfer | None = None
        self.used = False
        """It has answered a request before."""
        self.closed = False
        self.counted = False
        """The pool counts it among its connections."""
        self.write_paused = False
        self._informed = False
        self._reader = ResponseReader("")
        self._body: Body | None = None
        self._tunnel = False
        self._reusable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, transfer: Transfer, head: bytes, method: str) -> None:
        """Send a request's head; the response goes to `transfer`."""
        self.transfer = transfer
        self._reader.method = method
        self._body = None
        self._informed = False
        self.transport.write(head)

    def release(self) -> None:
        """Be done with the transfer: back to the pool if the connection can carry another, else closed."""
        self.transfer = None
        reusable = (
            self._reusable and not self.closed and not self.write_paused and not self.transport.is_closing()
        )
        self._reusable = False
        if reusable:
            self.used = True
            self.transport.resume_reading()
            self._pool.give_back(self)
        else:
            self.close()

    def give_up(self) -> None:
        """Go back to the pool unused."""
        self._pool.give_back(self)

    @property
    def answer_begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return self._informed or self._body is not None or self._reader.begun

    def close(self, *, flush: bool = True) -> None:
        """Close; what was written is still sent, unless nobody waits for that any more."""
        self.transfer = None
        self.deadline.close()
        if not self.closed:
            self.closed = True
            self._pool.forget(self)
            self.transport.close() if flush and not self.write_paused else self.transport.abort()

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read the response."""
        data = bytes(data)  # the Proactor of Python 3.11 gives bytearrays
        transfer = self.transfer
        if transfer is None:
            # nothing was asked: whatever this is, it must not answer the next request
            self.close()
            return
        transfer.touch()
        if self._tunnel:
            transfer.stream.write(data)
            return
        try:
            if self._body is None:
                self._read_head(transfer, data)
            else:
                self._pass_on(transfer, self._body, self._body.feed(data))
        except ProtocolError as error:
            transfer.broken(error)

    def _read_head(self, transfer: Transfer, data: bytes) -> None:
        while data:
            response = self._reader.feed(data)
            if response is None:
                return
            data = self._reader.unread
            if response.status == 101:
                self._tunnel = transfer.switched(response)
                if self._tunnel and data:
                    transfer.stream.write(data)
                return
            if response.status < 200:
                self._informed = True
                transfer.stream.inform(response.status, response_headers(response).pairs())
                continue
            self._reusable = response.keep_alive
            if 0 <= response.framing <= len(data):
                self._answer_whole(transfer, response, data)
                return
            body = self._body = body_reader(response.framing)
            pieces = body.feed(data) if data else []
            transfer.answered(response, pieces.pop(0) if pieces else b"")
            if transfer.done.done():
                return  # the head cannot be passed on, or the client is gone
            self._pass_on(transfer, body, pieces)
            return

    def _answer_whole(self, transfer: Transfer, response: Response, data: bytes) -> None:
        """Pass on a response whose whole body came with its head."""
        self._body = NO_BODY
        size = response.framing
        transfer.answered(response, data if size == len(data) else data[:size])
        if not transfer.done.done():
            self._reusable = self._reusable and transfer.request_sent and size == len(data)
            transfer.complete([])

    def _pass_on(self, transfer: Transfer, body: Body, pieces: list[bytes]) -> None:
        stream = transfer.stream
        for piece in pieces:
            stream.write(piece)
        if body.complete:
            if body.unread:
                self._reusable = False
            self._reusable = self._reusable and transfer.request_sent
            transfer.complete(body.trailers)

    def eof_received(self) -> bool:
        """Learn that the destination sends no more."""
        transfer = self.transfer
        if transfer is None:
            return False
        if self._tunnel:
            return transfer.destination_ended()
        if isinstance(self._body, ClosingBody):
            self._body.complete = True
            transfer.complete([])
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the transfer."""
        transfer, self.transfer = self.transfer, None
        if not self.closed:
            self.closed = True
            self._pool.forget(self)
        self.deadline.close()
        if transfer is not None:
            transfer.connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop the request's body: the destination does not keep up."""
        self.write_paused = True
        if self.transfer is not None:
            self.transfer.stream.pause()

    def resume_writing(self) -> None:
        """Let the request's body go on."""
        self.write_paused = False
        if self.transfer is not None:
            self.transfer.touch()
            self.transfer.stream.resume()

    def _on_deadline(self) -> None:
        if self.transfer is None:
            self.close()
        else:
            self.transfer.timed_out()
