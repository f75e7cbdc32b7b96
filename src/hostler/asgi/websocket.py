"""One WebSocket served by an application (ASGI WebSocket spec 2.5; RFC 6455 4.2)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from websockets.datastructures import Headers as HandshakeHeaders
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as HandshakeRequest
from websockets.server import ServerProtocol

from hostler.answering import begin_response
from hostler.asgi.http import DENIAL, HttpCycle
from hostler.asgi.messages import DisconnectedError, frames_logger, logger
from hostler.asgi.websocket_connection import WebSocketConnection
from hostler.errors import Failure, Reason
from hostler.http.fields import HOP_BY_HOP
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import Response
from hostler.outcome import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from websockets.extensions import Extension
    from websockets.http11 import Response as HandshakeResponse

    from hostler.asgi.messages import ASGIApplication, Message, Scope
    from hostler.asgi.options import WebSocketOptions
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["serve"]

# 4 KiB windows and a small memory level: a connection's compressor takes 32 KiB instead of 256
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)


async def serve(exchange: Exchange, app: ASGIApplication, scope: Scope, options: WebSocketOptions) -> Outcome:
    """Answer a WebSocket handshake with what the application says to it, and serve the connection."""
    handshake = ServerProtocol(extensions=[_DEFLATE] if options.compression else None, logger=frames_logger)
    request = exchange.request
    answer = handshake.accept(
        HandshakeRequest(request.target.decode("latin-1"), HandshakeHeaders(list(request.headers)))
    )
    if answer.status_code != 101:
        return await _reject(exchange, answer)
    session = _Session(exchange, scope["subprotocols"], answer, handshake.extensions, options)
    return await session.run(app, scope)


async def _reject(exchange: Exchange, answer: HandshakeResponse) -> Outcome:
    """Answer a handshake that breaks RFC 6455 4.2.1, naming the version that would do (4.4)."""
    own = {"date", "connection", "content-length"}
    headers = [(name, value) for name, value in answer.headers.raw_items() if name.lower() not in own]
    headers.append(("Sec-WebSocket-Version", "13"))
    return await exchange.respond(answer.status_code, bytes(answer.body or b""), headers=headers)


class _Stage(enum.Enum):
    """How far a session has come, and what the application may send then."""

    CONNECTING = "'websocket.accept', 'websocket.close' or 'websocket.http.response.start'"
    DENIED = "a response"
    OPEN = "'websocket.send' or 'websocket.close'"
    CLOSED = "no more messages: the application closed the connection"


class _Session:
    """The `receive` and `send` of one WebSocket."""

    def __init__(
        self,
        exchange: Exchange,
        offered: list[str],
        answer: HandshakeResponse,
        extensions: Sequence[Extension],
        options: WebSocketOptions,
    ) -> None:
        self._exchange = exchange
        self._offered = offered
        self._answer = answer
        self._extensions = extensions
        self._connection = WebSocketConnection(exchange.stream, options)
        self._cycle = HttpCycle(exchange, DENIAL)
        self._stage = _Stage.CONNECTING
        self._announced = False
        exchange.stream.attach(self._connection)

    async def run(self, app: ASGIApplication, scope: Scope) -> Outcome:
        """Run the application, and finish what it leaves undone."""
        try:
            try:
                await app(scope, self.receive, self.send)
            except Exception as error:  # noqa: BLE001 - whatever an application raises is its 500 or 1011
                # within the clause, which forgets the error: its traceback holds this frame, and the application's
                return await self._conclude(error)
            return await self._conclude(None)
        finally:
            self._connection.release()

    def _conclude(self, error: Exception | None) -> Awaitable[Outcome]:
        if self._stage in {_Stage.CONNECTING, _Stage.DENIED}:
            return self._unopened(error)
        return self._close(error)

    async def _unopened(self, error: Exception | None) -> Outcome:
        if error is None and self._stage is _Stage.CONNECTING and not self._cycle.told:
            error = RuntimeError(f"the application returned, expected {self._stage.value}")
        return await self._cycle.conclude(error, self._connection.failure)

    async def _close(self, error: Exception | None) -> Outcome:
        connection, exchange = self._connection, self._exchange
        failure = None
        if error is not None:
            level = logger.debug if self._cycle.told else logger.error
            level("%s: the application raised an exception", exchange.path, exc_info=error)
            if connection.disconnect is None:
                detail = "the application raised an exception"
                failure = Failure(Reason.UPGRADE_RESPONSE_DESTINATION, detail, error)
        connection.close(1000 if error is None else 1011)
        await connection.closed()
        failure = failure or connection.failure
        return exchange.outcome(Kind.RESPONDED if failure is None else Kind.FAILED, failure)

    # -- receive --------------------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next message of the client (the application's `receive`)."""
        if not self._announced:
            self._announced = True
            return {"type": "websocket.connect"}
        if self._stage is _Stage.DENIED:
            await self._exchange.channel().disconnected()
            return self._disconnected(1006, "")
        message = await self._connection.receive()
        if message is None:
            assert self._connection.disconnect is not None
            return self._disconnected(*self._connection.disconnect)
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    def _disconnected(self, code: int, reason: str) -> Message:
        self._cycle.told = self._stage is not _Stage.CLOSED
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    # -- send -----------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Take one message (the application's `send`).

        Raises DisconnectedError when the client is gone, RuntimeError for a message out of order, ValueError for
        one that cannot be, ProtocolError for a header that cannot be sent.
        """
        kind, stage = message["type"], self._stage
        if stage is _Stage.DENIED:
            await self._cycle.send(message)
        elif stage is _Stage.OPEN and kind == "websocket.send":
            await self._send(message)
        elif stage is _Stage.OPEN and kind == "websocket.close":
            self._connection.close(message.get("code") or 1000, message.get("reason") or "")
            self._stage = _Stage.CLOSED
        elif stage is _Stage.CONNECTING and kind == "websocket.accept":
            self._accept(message)
        elif stage is _Stage.CONNECTING and kind in {"websocket.close", DENIAL.start}:
            await self._deny(message)
        else:
            raise RuntimeError(f"the application sent {kind!r}, expected {stage.value}")

    async def _send(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        payload = data if text is None else text
        if payload is None or (text is not None and data is not None):
            raise ValueError("'websocket.send' needs one of 'text' and 'bytes'")
        if self._connection.disconnect is not None:
            raise self._gone()
        await self._connection.send(payload)

    def _gone(self) -> DisconnectedError:
        self._cycle.told = True
        return DisconnectedError("the client is gone")

    async def _deny(self, message: Message) -> None:
        if self._connection.disconnect is not None:
            raise self._gone()
        self._stage = _Stage.DENIED
        if message["type"] == "websocket.close":
            await self._cycle.send({"type": DENIAL.start, "status": 403})
            await self._cycle.send({"type": DENIAL.body})
        else:
            await self._cycle.send(message)

    def _accept(self, message: Message) -> None:
        if self._connection.disconnect is not None or self._exchange.stream.closed:
            raise self._gone()
        headers = Headers(self._head(message.get("subprotocol"), message.get("headers", ())))
        self._stage = _Stage.OPEN
        self._connection.open(self._extensions)
        try:
            begin_response(self._exchange, Response(101, headers))
        except Exception:
            self._stage = _Stage.CONNECTING
            self._connection.abandon()
            raise
        self._connection.opened()

    def _head(self, subprotocol: str | None, extra: Sequence[tuple[bytes, bytes]]) -> RawHeaders:
        """Return the 101's headers (RFC 6455 4.2.2): the handshake's, then the application's own."""
        raw: RawHeaders = [
            (name.encode(), value.encode("latin-1"))
            for name, value in self._answer.headers.raw_items()
            if name != "Date"
        ]
        if subprotocol is not None:
            if subprotocol not in self._offered:
                raise ValueError(
                    f"subprotocol {subprotocol!r} was not offered, expected one of {self._offered}"
                )
            raw.append((b"Sec-WebSocket-Protocol", subprotocol.encode("ascii")))
        for name, value in extra:
            key = name.lower()
            if key.startswith((b"sec-websocket-", b":")):
                raise ValueError(f"{name!r} is not a header for 'websocket.accept': the handshake makes it")
            if key not in HOP_BY_HOP:
                raw.append((name, value))
        return raw
