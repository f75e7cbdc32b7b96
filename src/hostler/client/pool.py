"""A pool of connections to one destination: slots for requests, the newest idle connection's first.

It knows connections as `UpstreamConnection`: what they speak, and how many requests one carries at a time, is theirs.

What a connection goes through here. It takes a place, of which there are `limit`, while it is being opened and until
it is closed. As long as it has free slots and nobody waits, it is available, and `take` hands out its slots. A slot
that becomes free goes to whoever has waited longest; so does a place that becomes vacant, and whoever gets that opens
a connection. What is handed to somebody who has given up meanwhile goes to the next. Nobody who comes later gets in
front of those who wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.client.upstream import ConnectionOwner, UpstreamConnection

__all__ = ["Pool"]


class Pool:
    """Connections to one destination; `ConnectionOwner`."""

    def __init__(
        self, connect: Callable[[ConnectionOwner], Awaitable[UpstreamConnection]], limit: int | None = None
    ) -> None:
        """`limit` is how many connections there may be (HttpClient.MaxConnectionsPerServer); more requests wait."""
        self._connect = connect
        self._limit = limit
        self._places = 0
        """Connections, those that are being opened among them."""
        self._connections: set[UpstreamConnection] = set()
        self._available: dict[UpstreamConnection, None] = {}
        """Those with free slots, the newest last."""
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        """They get a connection with a slot for them, or None: a place to open one in."""
        self._closed = False

    def take(self) -> UpstreamConnection | None:
        """Hand out a slot that is free now, or None."""
        available = self._available
        while available:
            connection, _ = available.popitem()
            if connection.has_expired():
                continue
            connection.slots -= 1
            if connection.slots:
                available[connection] = None
            return connection
        return None

    async def acquire(self) -> UpstreamConnection:
        """Hand out a slot: a free one, one of a new connection, or the next that becomes free.

        Raises OSError (TimeoutError, ssl.SSLError among them) when no connection can be opened.
        """
        while (connection := self.take()) is None:
            if self._limit is None or self._places < self._limit:
                self._places += 1
                return await self._open()
            given = await self._wait()
            if given is None:
                return await self._open()
            if not given.has_expired():
                return given
        return connection

    def put_back(self, connection: UpstreamConnection) -> None:
        """Take back a slot that was not used."""
        if not connection.has_expired():
            connection.slots += 1
            self.released(connection)

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange is over."""
        self._closed = True
        for connection in list(self._available):
            if connection.is_idle():
                connection.close()

    # -- opening and waiting --------------------------------------------------------------------------------------

    async def _open(self) -> UpstreamConnection:
        """Open a connection in a place that is taken already; return it with a slot handed out."""
        try:
            connection = await self._connect(self)
        except BaseException:
            self._vacate()
            raise
        if connection.has_expired():
            self._vacate()
            raise ConnectionResetError("the destination closed the connection at once")
        self._connections.add(connection)
        connection.slots -= 1
        self._offer(connection)
        return connection

    async def _wait(self) -> UpstreamConnection | None:
        waiter: asyncio.Future[UpstreamConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled():
                given = waiter.result()
                self._vacate() if given is None else self.put_back(given)
            raise

    def _next(self) -> asyncio.Future[UpstreamConnection | None] | None:
        """Return whoever has waited longest and has not given up."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _offer(self, connection: UpstreamConnection) -> None:
        """Give a connection's free slots to those who wait, then to whoever comes."""
        while connection.slots:
            waiter = self._next()
            if waiter is None:
                self._available[connection] = None
                return
            connection.slots -= 1
            waiter.set_result(connection)

    def _vacate(self) -> None:
        """Give a connection's place to whoever waits, or have one more again."""
        waiter = self._next()
        if waiter is None:
            self._places -= 1
        else:
            waiter.set_result(None)

    # -- ConnectionOwner ------------------------------------------------------------------------------------------

    def released(self, connection: UpstreamConnection) -> None:
        """Offer a slot that is free again."""
        if self._closed and connection.is_idle():
            connection.close()
        elif self._waiting:
            self._offer(connection)
        else:
            self._available[connection] = None

    def closed(self, connection: UpstreamConnection) -> None:
        """Let go of a connection."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._available.pop(connection, None)
            self._vacate()
