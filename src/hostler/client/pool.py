"""A pool of connections to one destination: the newest idle one first, the oldest idle ones closed."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from hostler.client.connection import DestinationConnection

if TYPE_CHECKING:
    import ssl

    from hostler.client.upstream import Upstream

__all__ = ["CONNECT_TIMEOUT", "IDLE_LIMIT", "Pool"]

CONNECT_TIMEOUT: Final = 15.0
"""Seconds to connect in, TLS included (SocketsHttpHandler.ConnectTimeout as YARP sets it)."""

IDLE_LIMIT: Final = 60.0
"""Seconds after which an idle connection is closed (SocketsHttpHandler.PooledConnectionIdleTimeout)."""


class Pool:
    """Connections to one destination."""

    def __init__(
        self, upstream: Upstream, context: ssl.SSLContext | None = None, limit: int | None = None
    ) -> None:
        """`limit` is how many connections there may be (HttpClient.MaxConnectionsPerServer); more requests wait."""
        self._upstream = upstream
        self._context = context
        self._limit = limit
        self._idle: list[DestinationConnection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def take(self) -> DestinationConnection | None:
        """Return an idle connection, or None."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not connection.transport.is_closing():
                return connection
        return None

    async def connect(self) -> DestinationConnection:
        """Return a connection: a new one, or an idle one after waiting for a place.

        Raises OSError (TimeoutError after 15 s, ssl.SSLError among them).
        """
        while self._limit is not None and self._open >= self._limit:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                else:
                    self._admit()  # the place was ours, and goes to the next
                raise
            if (connection := self.take()) is not None:
                return connection
        self._open += 1
        try:
            connection = await self._connect()
        except BaseException:
            self._open -= 1
            self._admit()
            raise
        if connection.closed:
            self._open -= 1
            self._admit()
            raise ConnectionResetError("the destination closed the connection at once")
        connection.counted = True
        return connection

    async def _connect(self) -> DestinationConnection:
        loop = asyncio.get_running_loop()
        upstream = self._upstream
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await loop.create_connection(
                lambda: DestinationConnection(self, loop),
                upstream.host,
                upstream.port,
                ssl=self._context,
                server_hostname=upstream.server_name if self._context is not None else None,
            )
        return connection

    def give_back(self, connection: DestinationConnection) -> None:
        """Keep a connection for the next request."""
        if self._closed:
            connection.close()
            return
        connection.deadline.set(IDLE_LIMIT)
        self._idle.append(connection)
        if self._waiting:
            self._admit()

    def forget(self, connection: DestinationConnection) -> None:
        """Note that a connection is closed."""
        if not connection.counted:
            return
        connection.counted = False
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange is over."""
        self._closed = True
        for connection in list(self._idle):
            connection.close()
