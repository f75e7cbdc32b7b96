"""Which server it is: the one place that knows the implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from hostler.exchange import Handler
    from hostler.server.base import QueueMode, Server
    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix
    from hostler.server.usermode.directory import Hold

__all__ = ["bind_sockets", "hold_queue", "make_server"]


def make_server(handler: Handler, options: ServerOptions | None = None) -> Server:
    """Make the server of this platform for a handler; it belongs to the running event loop."""
    from hostler.server.usermode.server import UserModeServer  # noqa: PLC0415 - one of several, by platform

    return UserModeServer(handler, options)


def hold_queue(queue: str, mode: QueueMode) -> Hold:
    """Hold a named queue for as long as the process lives, without serving it (HTTP.sys: the controller).

    Raises QueueExistsError, NoSuchQueueError, QueueAccessError, QueueNameError; UnsupportedError on Windows.
    """
    from hostler.server.usermode.directory import QueueDirectory  # noqa: PLC0415 - as above

    return QueueDirectory(queue).open(mode)


def bind_sockets(
    prefixes: Iterable[UrlPrefix], backlog: int
) -> tuple[tuple[UrlPrefix, ...], list[socket.socket]]:
    """Bind sockets for prefixes, to be listened on by other processes."""
    from hostler.server.usermode.server import bind  # noqa: PLC0415 - as above

    return bind(prefixes, backlog)
