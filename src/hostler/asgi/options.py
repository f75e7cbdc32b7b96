"""How an application's WebSockets are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.deadline import Timer

__all__ = ["WebSocketOptions"]


@frozen
class WebSocketOptions:
    """How WebSocket connections are served; times are in seconds."""

    max_size: int | None = 1 << 24
    """Bytes of a message, decompressed; more closes with 1009. None is no limit."""

    compression: bool = True
    """Agree to permessage-deflate (RFC 7692)."""

    ping_interval: float | None = 20.0
    """How long a connection is left alone before a ping; None sends none."""

    ping_timeout: float = 20.0
    """How long the answer to a ping may take; longer closes with 1011."""

    close_timeout: float = 10.0
    """How long the peer has to answer the close frame, and the application to return; then the client is cut off."""

    call_later: Callable[[float, Callable[[], None]], Timer] | None = None
    """Calls a function after so many seconds; None is the running loop's own."""
