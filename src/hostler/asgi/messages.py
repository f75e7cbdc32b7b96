"""What ASGI passes around (ASGI spec 3.0, "Events")."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

__all__ = [
    "ASGIApplication",
    "DisconnectedError",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "frames_logger",
    "logger",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

logger: Final = logging.getLogger("hostler.asgi")

frames_logger: Final = logging.getLogger("hostler.asgi.websocket")


class DisconnectedError(ConnectionError):
    """The application sent a message to a client that is gone (ASGI HTTP spec 2.4: `send` raises OSError)."""
