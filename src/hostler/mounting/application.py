"""A handler as an ASGI 3 application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from hostler.answering import answer_failure
from hostler.errors import Failure, ProtocolError, Reason, UnsupportedError
from hostler.http.message import reason_phrase
from hostler.mounting.http import HttpStream
from hostler.mounting.request import make_exchange
from hostler.pipeline import lifespan_of

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterable

    from hostler.asgi.messages import Receive, Scope, Send
    from hostler.pipeline import Handler
    from hostler.server.base import DelegationRule, QueueMode, RequestQueue
    from hostler.server.prefix import UrlPrefix

__all__ = ["Mounted"]


class Mounted:
    """An ASGI 3 application that answers with a handler, such as a `Proxy`.

    Bodies stream in both directions; a WebSocket is opened anew towards the destination, which needs the package
    `websockets`. The handler runs between the lifespan's startup and shutdown. A framework does not pass its lifespan on
    to what is mounted in it: there `lifespan` is entered in the framework's own, `FastAPI(lifespan=mounted.lifespan)`.
    Responses have no trailers and no interim responses.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._running = 0

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Run the handler; `app` is what frameworks pass, and is not looked at.

        Raises UnsupportedError when the handler delegates.
        """
        async with lifespan_of(self._handler, _ServerOutside()):
            self._running += 1
            try:
                yield
            finally:
                self._running -= 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scope of the server outside."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        if not self._running:
            raise RuntimeError(
                "a mounted handler does not run yet: enter its lifespan in that of the application around it, as in "
                "FastAPI(lifespan=mounted.lifespan)"
            )
        if kind == "http":
            await self._serve_http(scope, receive, send)
        elif kind == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            raise ValueError(f"{kind!r} is no scope that a handler answers: http, websocket or lifespan")

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:  # noqa: BLE001 - the server outside reports it
            stage = "shutdown" if self._running else "startup"
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = HttpStream(receive, send, scope["method"])
        try:
            exchange = make_exchange(scope, stream)
        except ProtocolError as error:
            await _refuse(send, error)
            return
        stream.expect(exchange.request)
        async with stream.running():
            await self._handler(exchange)
            if not stream.closed:
                answer_failure(exchange, Failure(Reason.REQUEST_CREATION, "unanswered", None, 500))

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            from hostler.mounting.websocket import WebSocketStream  # noqa: PLC0415 - the package it needs is optional
        except ModuleNotFoundError as error:
            raise RuntimeError(
                'a WebSocket needs the package websockets: pip install "hostler[websocket]"'
            ) from error
        stream = WebSocketStream(scope, receive, send)
        try:
            exchange = make_exchange(scope, stream)
        except ProtocolError:
            await send({"type": "websocket.close", "code": 1008})
            return
        stream.offer(exchange.request)
        async with stream.running():
            await self._handler(exchange)
            if not stream.closed:
                answer_failure(exchange, Failure(Reason.REQUEST_CREATION, "unanswered", None, 500))


async def _refuse(send: Send, error: ProtocolError) -> None:
    body = b"%d %s\n" % (error.status, reason_phrase(error.status))
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _ServerOutside:
    """The `Server` of a mounted handler: it listens nowhere, and delegates nothing."""

    can_delegate = False
    delegates_changes = True
    keeps_responses = False

    async def listen(self, prefixes: Iterable[UrlPrefix]) -> tuple[UrlPrefix, ...]:
        """Refuse."""
        self._refuse("listen on URL prefixes")

    async def listen_on(self, prefixes: Iterable[UrlPrefix], sockets: Iterable[socket.socket]) -> None:
        """Refuse."""
        self._refuse("listen on sockets")

    async def join(self, queue: str, mode: QueueMode) -> RequestQueue:
        """Refuse."""
        self._refuse(f"serve the queue {queue}")

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Refuse."""
        self._refuse(f"delegate to the queue {queue}")

    def close_rule(self, rule: DelegationRule) -> None:
        """Do nothing: there is none."""

    def reload_certificates(self) -> bool:
        """Return False: those of the server outside are its own."""
        return False

    async def flush_cache(self, url: str, *, recursive: bool = False) -> None:
        """Do nothing: no response is kept here. Raises ValueError for what is no absolute URL."""
        from hostler.caching import check_url  # noqa: PLC0415 - for who caches

        check_url(url)

    async def stop(self, grace: float) -> None:
        """Do nothing: the server outside stops."""

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise UnsupportedError(
            f"a mounted handler cannot {what}: its connections are those of the server around it; "
            "forward to an address, or run the handler by itself"
        )
