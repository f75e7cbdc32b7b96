"""One HTTP request served by an application (ASGI HTTP spec)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.asgi.response import ResponseWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.asgi.messages import ASGIApplication, Message, Scope
    from hostler.exchange import Exchange, Outcome

__all__ = ["HttpCycle"]


class HttpCycle:
    """The `receive` and `send` of one request; no queue and no task of its own."""

    __slots__ = ("_exchange", "_unread", "_untouched", "_writer")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._writer = ResponseWriter(exchange)
        self._untouched = True
        self._unread = True

    async def run(self, app: ASGIApplication, scope: Scope) -> Outcome:
        """Run the application, and finish what it leaves undone."""
        try:
            await app(scope, self.receive, self._writer.send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises is its 500
            # within the clause, which forgets the error: its traceback holds this frame, and all of the application's
            return await self._conclude(error)
        return await self._conclude(None)

    def _conclude(self, error: Exception | None) -> Awaitable[Outcome]:
        channel = self._exchange._channel
        return self._writer.conclude(error, None if channel is None else channel.failure)

    async def receive(self) -> Message:
        """Return the next piece of the body, then wait for the client to go (the application's `receive`)."""
        if self._unread and not self._writer.complete:
            if self._untouched:
                self._untouched = False
                if not self._exchange.request.framing:
                    self._unread = False
                    return {"type": "http.request", "body": b"", "more_body": False}
                self._exchange.channel()
                self._exchange.stream.proceed()
            try:
                return await self._piece()
            except ConnectionError:
                self._unread = False
        if not self._writer.complete:
            await self._exchange.channel().disconnected()
            self._writer.told = not self._writer.complete
        return {"type": "http.disconnect"}

    async def _piece(self) -> Message:
        channel = self._exchange.channel()
        body = await channel.receive()
        self._unread = not channel.ended or bool(channel._pieces)
        return {"type": "http.request", "body": body, "more_body": self._unread}
