"""ASGI applications as hostler handlers (ASGI 3.0: HTTP and WebSocket 2.5, lifespan 2.0).

Imports point inwards: `application` <- `websocket` <- `http`, `scope`, `lifespan` <- `messages`; and from here only to
`hostler.exchange`, `hostler.answering`, `hostler.http` and `hostler.errors`. `websocket` alone needs the `websockets`
package, and is imported when the first WebSocket handshake arrives.
"""

from __future__ import annotations

from hostler.asgi.application import Application, load
from hostler.asgi.messages import DisconnectedError
from hostler.asgi.options import WebSocketOptions

__all__ = ["Application", "DisconnectedError", "WebSocketOptions", "load"]
