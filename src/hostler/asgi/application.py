"""An ASGI 3 application as a hostler handler, and finding one by its name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from hostler.asgi.http import COMPLETE, HttpCycle
from hostler.asgi.lifespan import lifespan
from hostler.asgi.messages import logger
from hostler.asgi.options import WebSocketOptions
from hostler.asgi.scope import http_scope, websocket_scope
from hostler.errors import ConfigError, Problem
from hostler.http.fields import has_token
from hostler.importing import import_object
from hostler.outcome import Kind

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from hostler.asgi.messages import ASGIApplication
    from hostler.exchange import Exchange
    from hostler.http.message import Request
    from hostler.outcome import Outcome
    from hostler.server.base import Server

__all__ = ["Application", "load"]

# an enum's member costs a look-up in its class, each time; a module's constant does not
_RESPONDED: Final = Kind.RESPONDED


def _checked(app: ASGIApplication) -> ASGIApplication:
    _check(app, "app")
    return app


@define(eq=False)
class Application:
    """Serves an ASGI 3 application; an instance is a handler: `await application(exchange)`.

    Raises ConfigError for what cannot be called as `app(scope, receive, send)`.
    """

    app: ASGIApplication = field(converter=_checked)
    websocket: WebSocketOptions = field(factory=WebSocketOptions, kw_only=True)
    state: dict[str, Any] = field(factory=dict, init=False)
    """What the application left in its lifespan's `state`; each scope gets a copy."""

    async def __call__(self, exchange: Exchange) -> Outcome:
        """Answer one exchange."""
        if exchange.plain is None and _is_websocket(exchange.request):
            return await self._websocket(exchange)
        cycle = HttpCycle(exchange)
        try:
            await self.app(http_scope(exchange, self.state), cycle.receive, cycle.send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises is its 500
            # within the clause, which forgets the error: its traceback holds this frame, and all of the application's
            return await cycle.conclude(error)
        if cycle.expects is COMPLETE:
            return exchange.outcome(_RESPONDED)
        return await cycle.conclude(None)

    def lifespan(self, server: Server | None = None) -> AbstractAsyncContextManager[None]:
        """Start the application on entry, stop it on exit; raises LifespanError when it refuses to start."""
        self.state.clear()
        return lifespan(self.app, self.state)

    async def _websocket(self, exchange: Exchange) -> Outcome:
        try:
            from hostler.asgi.websocket import serve  # noqa: PLC0415 - the package it needs is optional
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "websockets":
                raise
            logger.error(
                "%s: a WebSocket handshake was refused, the package `websockets` is missing: "
                "pip install hostler[websocket]",
                exchange.path,
            )
            return await exchange.respond(501, "501 Not Implemented: no WebSocket here\n")
        return await serve(exchange, self.app, websocket_scope(exchange, self.state), self.websocket)


def _is_websocket(request: Request) -> bool:
    """Whether to take up the offer (RFC 6455 4.1); whoever does not, ignores Upgrade (RFC 9110 7.8)."""
    return (
        request.upgrade is not None
        and has_token(request.upgrade, b"websocket")
        and request.method == "GET"
        and request.version == 11
        and not request.framing
    )


def load(name: str) -> ASGIApplication:
    """Import the application that "module:attribute" names.

    Raises ConfigError when there is none of that name, or it is no ASGI 3 application. What the module itself raises
    while it is imported comes through as it is.
    """
    app: ASGIApplication = import_object(name, "an application")
    _check(app, name)
    return app


def _check(app: Any, path: str) -> None:
    """Refuse what ASGI 3 cannot call, above all ASGI 2's `app(scope)(receive, send)`."""
    expected = "expected an ASGI 3 application, called as app(scope, receive, send)"
    if inspect.isclass(app):
        remedy = "make an instance, or wrap an ASGI 2 application with asgiref.compatibility.guarantee_single_callable"
        raise _error(path, f"{app.__qualname__} is a class; {expected}: {remedy}")
    if not callable(app):
        raise _error(path, f"a {type(app).__qualname__} cannot be called; {expected}")
    try:
        signature = inspect.signature(app)
    except ValueError:
        return  # written in C: nobody can say
    try:
        signature.bind({}, None, None)
    except TypeError:
        remedy = (
            "wrap an ASGI 2 application with asgiref.compatibility.guarantee_single_callable, call a factory"
        )
        raise _error(path, f"it is called as app{signature}; {expected}: {remedy}") from None


def _error(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, message)])
