"""A stream in front of another, for a stage that must see what passes between a client and whoever answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.contract import Delegated, PlainStream, Pump, RequestSource, Stream
    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response
    from hostler.native import NativeRequest
    from hostler.server.base import DelegationRule
    from hostler.stages.recording import Recording

__all__ = ["WrappedStream"]


class WrappedStream:
    """A `Stream` that passes everything on to another, the request's body by way of a recording; a subclass changes it."""

    def __init__(self, inner: Stream, recording: Recording) -> None:
        self._inner = inner
        self._recording = recording

    def release(self, exchange: Exchange) -> None:
        """Let go of whoever answered, which holds this stream: nobody is called any more about the client.

        To be called when the stages behind have returned. A stage in front may still read from a channel that one of
        them has opened, until the answer is complete.
        """
        if exchange._channel is None or self._inner.closed:
            self._recording.release()

    @property
    def started(self) -> bool:
        """Whether the response's head has been handed over."""
        return self._inner.started

    @property
    def closed(self) -> bool:
        """Whether the client has disconnected, or the response is complete."""
        return self._inner.closed

    @property
    def status(self) -> int:
        """The response's status, 0 before it has one."""
        return self._inner.status

    @property
    def bytes_received(self) -> int:
        """Payload bytes of the request's body that were taken so far."""
        return self._inner.bytes_received

    @property
    def bytes_sent(self) -> int:
        """Payload bytes of the response's body so far."""
        return self._inner.bytes_sent

    @property
    def takes_plain(self) -> bool:
        """Whether `start_plain` may be used in place of `start`."""
        return self._inner.takes_plain

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and this server can delegate."""
        return self._inner.can_delegate and self._recording.is_untouched

    @property
    def native(self) -> NativeRequest:
        """What the server knows of the request beyond HTTP, and can do for it."""
        return self._inner.native

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, and call it about the client from now on."""
        self._recording.attach(self._inner, pump, knows_end=knows_end)

    def detach(self) -> None:
        """Call the pump no more, and keep the body for the next one."""
        self._recording.detach(self._inner)

    def limit_body(self, size: int) -> Failure | None:
        """Take at most `size` bytes of the request's body."""
        return self._inner.limit_body(size)

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects; None: call nobody any more."""
        self._inner.when_departed(callback)

    def proceed(self) -> None:
        """Send 100 Continue if the client waits for it."""
        self._inner.proceed()

    def pause(self) -> None:
        """Stop the flow of the request's body."""
        self._inner.pause()

    def resume(self) -> None:
        """Let the request's body flow again."""
        self._inner.resume()

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Send an interim response."""
        self._inner.inform(status, headers)

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes with it."""
        self._inner.start(response, data)

    def start_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool
    ) -> None:
        """Send a response's head as lines, and the first of its body with it, or all of it."""
        cast("PlainStream", self._inner).start_plain(status, block, has_date, framing, data, complete)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._inner.write(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Have the system send a part of a file as a piece of the body; False where that cannot be done."""
        return self._inner.write_file(file, offset, length)

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body."""
        self._inner.end(trailers)

    def abort(self) -> None:
        """Tear the response down so that the client cannot take it for complete."""
        self._inner.abort()

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Hand the request over."""
        return self._inner.delegate(rule, source, headers)
