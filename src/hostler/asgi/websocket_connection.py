"""An upgraded connection that speaks WebSocket (RFC 6455): the `websockets` package reads the frames, this moves them.

It is the exchange's Pump: frames are read and pings answered as the bytes arrive, whether or not the application
waits for a message. Whole messages wait in a queue; while it holds over 64 KiB the client is paused, and no ping can
be answered, so none is missed then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ProtocolError as FrameError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from hostler.asgi.messages import frames_logger
from hostler.errors import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.extensions import Extension

    from hostler.asgi.options import WebSocketOptions
    from hostler.contract import Stream
    from hostler.deadline import Timer
    from hostler.http.headers import RawHeaders

__all__ = ["WebSocketConnection"]

_HIGH_WATER: Final = 1 << 16


class WebSocketConnection:
    """Messages in and out, keepalive, and the closing handshake; nothing moves before `open`."""

    def __init__(self, stream: Stream, options: WebSocketOptions) -> None:
        self._stream = stream
        self._options = options
        self._protocol: ServerProtocol | None = None
        self._messages: deque[tuple[str | bytes, int]] = deque()
        self._size = 0
        self._holding = False
        self._parts: list[Any] = []
        self._text = False
        self._paused = False
        self._eof = False
        self._over = False
        self._going_away = False
        self._pings = 0
        self._keepalive: Timer | None = None
        self._closing: Timer | None = None
        self._changed: asyncio.Future[None] | None = None
        self.disconnect: tuple[int, str] | None = None
        """The close code and reason that the application is told, once there are any (RFC 6455 7.1.5, 7.1.6)."""
        self.failure: Failure | None = None
        """What broke the connection; None when it was closed as it should be."""

    def open(self, extensions: Sequence[Extension]) -> None:
        """Read frames from now on: the 101 is about to leave."""
        protocol = ServerProtocol(state=State.OPEN, max_size=self._options.max_size, logger=frames_logger)
        protocol.extensions = list(extensions)
        self._protocol = protocol
        self._ping_later()

    def opened(self) -> None:
        """The 101 has left: close at once if the server has begun to stop meanwhile."""
        if self._going_away:
            self.close(1012)

    def abandon(self) -> None:
        """Undo `open`: the 101 could not leave."""
        self._protocol = None
        self.release()

    # -- Pump -----------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take bytes of the upgraded connection."""
        protocol = self._protocol
        if protocol is None or self._eof or self._over:
            return
        protocol.receive_data(data)
        for frame in protocol.events_received():
            if isinstance(frame, Frame) and not self._take(frame):
                break
        self._advance(protocol)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Called when the client sends no more; before `open`, when its request has no body."""
        protocol = self._protocol
        if protocol is None or self._eof or self._over:
            return
        self._eof = True
        protocol.receive_eof()
        self._advance(protocol)

    def lost(self, failure: Failure) -> None:
        """Called when the client disconnected."""
        if self.disconnect is None:
            self.disconnect = (1006, "")
            self.failure = failure
        self._finish()

    def pause(self) -> None:
        """Make senders wait."""
        self._paused = True

    def resume(self) -> None:
        """Let senders go on."""
        self._paused = False
        self._wake()

    # -- coroutines -----------------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | None:
        """Return the next message; None when there is no more, and `disconnect` says why."""
        while not self._messages:
            if self.disconnect is not None:
                return None
            await self._wait()
        message, size = self._messages.popleft()
        self._size -= size
        if self._holding and self._size <= _HIGH_WATER:
            self._holding = False
            self._stream.resume()
        return message

    async def send(self, message: str | bytes) -> None:
        """Send a message while `disconnect` is None; waits while the client does not keep up."""
        assert self._protocol is not None
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush(self._protocol)
        while self._paused and not self._over:
            await self._wait()

    async def closed(self) -> None:
        """Wait until nothing more is to be sent, for at most `close_timeout` after the first close frame.

        What is left then, is to close the TCP connection (RFC 6455 7.1.1), which the server does.
        """
        self._messages.clear()
        self._size = 0
        if self._holding:
            self._holding = False
            self._stream.resume()
        while not self._over:
            await self._wait()

    # -- closing --------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake, unless it has begun; raises ValueError for what a close frame cannot say."""
        protocol = self._protocol
        if protocol is None or self.disconnect is not None:
            return
        try:
            protocol.send_close(code, reason)
        except FrameError as error:
            raise ValueError(f"close code {code} and reason {reason!r} cannot be sent: {error}") from error
        self.disconnect = (code, reason)
        self._advance(protocol)

    def going_away(self) -> None:
        """Close with 1012, Service Restart: the server stops, and the client may connect anew."""
        self._going_away = True
        self.close(1012)
        self._wake()

    def release(self) -> None:
        """Let go of the timers; nobody waits for this connection any more."""
        for timer in (self._keepalive, self._closing):
            if timer is not None:
                timer.cancel()
        self._keepalive = self._closing = None

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455 7.1.7): close frame and end at once, nothing more is read."""
        assert self._protocol is not None
        self._protocol.fail(code, reason)
        self.failure = Failure(Reason.UPGRADE_REQUEST_CLIENT, reason)

    def _advance(self, protocol: ServerProtocol) -> None:
        """Send what is to be sent, and notice when the connection has begun to close."""
        self._flush(protocol)
        if protocol.state is State.OPEN:
            return
        if self.disconnect is None:
            close = protocol.close_rcvd or protocol.close_sent
            self.disconnect = (1006, "") if close is None else (int(close.code), close.reason)
            if self.failure is None and protocol.parser_exc is not None:
                self.failure = Failure(Reason.UPGRADE_REQUEST_CLIENT, str(protocol.parser_exc))
        if self._closing is None:
            self.release()
            self._closing = self._later(self._options.close_timeout, self._give_up)
        self._over = protocol.eof_sent
        self._wake()

    def _give_up(self) -> None:
        """Abort: the peer's close frame did not come, or it did and the application does not return."""
        if self.failure is None and self._protocol is not None and self._protocol.close_rcvd is None:
            detail = f"no close frame within {self._options.close_timeout:g} s"
            self.failure = Failure(Reason.UPGRADE_REQUEST_CLIENT, detail)
        self._stream.abort()
        self._finish()

    def _finish(self) -> None:
        """Nothing more is sent or read, and no timer is needed."""
        self._over = True
        self.release()
        self._wake()

    # -- frames ---------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> bool:
        """Take a frame; return whether the next one counts."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._text = opcode is Opcode.TEXT
        elif opcode is Opcode.PONG:
            self._ponged(bytes(frame.data))
            return True
        elif opcode is not Opcode.CONT:
            return True
        self._parts.append(frame.data)
        return not frame.fin or self._deliver()

    def _deliver(self) -> bool:
        data, self._parts = b"".join(self._parts), []
        message: str | bytes = data
        if self._text:
            try:
                message = data.decode()
            except UnicodeDecodeError as error:
                self._fail(1007, f"{error.reason} at position {error.start}")
                return False
        self._messages.append((message, len(data)))
        self._size += len(data)
        if self._size > _HIGH_WATER and not self._holding:
            self._holding = True
            self._stream.pause()
        self._wake()
        return True

    def _flush(self, protocol: ServerProtocol) -> None:
        for data in protocol.data_to_send():
            if data:
                self._stream.write(data)
            else:
                self._stream.end()

    # -- keepalive (RFC 6455 5.5.2) -------------------------------------------------------------------------------

    def _ping_later(self) -> None:
        if self._options.ping_interval is not None:
            self._keepalive = self._later(self._options.ping_interval, self._ping)

    def _ping(self) -> None:
        assert self._protocol is not None
        self._pings += 1
        self._protocol.send_ping(b"%d" % self._pings)
        self._flush(self._protocol)
        self._keepalive = self._later(self._options.ping_timeout, self._unanswered)

    def _ponged(self, data: bytes) -> None:
        if self._keepalive is not None and data == b"%d" % self._pings:
            self._keepalive.cancel()
            self._ping_later()

    def _unanswered(self) -> None:
        assert self._protocol is not None
        if self._holding:
            self._keepalive = self._later(self._options.ping_timeout, self._unanswered)
            return
        self._fail(1011, f"no pong within {self._options.ping_timeout:g} s")
        self._advance(self._protocol)

    # -- waiting --------------------------------------------------------------------------------------------------

    def _later(self, delay: float, callback: Any) -> Timer:
        call_later = self._options.call_later or asyncio.get_running_loop().call_later
        return call_later(delay, callback)

    async def _wait(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _wake(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)
