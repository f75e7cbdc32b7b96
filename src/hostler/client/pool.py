"""A pool of connections to one destination: slots for requests, the newest idle connection's first.

It knows connections as `UpstreamConnection`: what they speak, and how many requests one carries at a time, is theirs.

What a connection goes through here. It takes a place, of which there are `limit`, while it is being opened and until
it is closed. As long as it has free slots and nobody waits, it is available, and `take` hands out its slots. A slot
that becomes free goes to whoever has waited longest; so does a place that becomes vacant, and whoever gets that opens
a connection. What is handed to somebody who has given up meanwhile goes to the next. Nobody who comes later gets in
front of those who wait.

How many stay open, and how long. A connection closes itself after its idle timeout. Of those that are available beyond
a number, the ones that nobody needed for SURPLUS_TIME are closed, the oldest first: they are what a burst leaves behind.
A connection whose lifetime is over, or whose pool is closed, is retired: it finishes what it carries, takes no more, and
is closed. A pool that has no connection any more says so, and whoever keeps it may forget it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.client.upstream import ConnectionOwner, UpstreamConnection
    from hostler.config.model import HttpClient

__all__ = ["SURPLUS_TIME", "Pool"]

SURPLUS_TIME: Final = 2.0
"""Seconds for which idle connections are kept beyond their number, so that a load which comes and goes finds them again."""


class Pool:
    """Connections to one destination; `ConnectionOwner`."""

    def __init__(
        self,
        connect: Callable[[ConnectionOwner], Awaitable[UpstreamConnection]],
        client: HttpClient,
        when_empty: Callable[[], object] = lambda: None,
    ) -> None:
        """`client` says how many connections there may be, how many idle ones are kept, and how old one may become.

        Calls `when_empty` when the last connection is closed, or could not be opened, and nobody waits.
        """
        self._connect = connect
        self._limit = client.max_connections_per_server
        self._max_idle = client.max_idle_connections_per_server
        self._lifetime = client.pooled_connection_lifetime
        self._when_empty = when_empty
        self._places = 0
        """Connections, those that are being opened among them."""
        self._connections: set[UpstreamConnection] = set()
        self._available: dict[UpstreamConnection, None] = {}
        """Those with free slots, the newest last."""
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        """They get a connection with a slot for them, or None: a place to open one in."""
        self._fewest = 0
        """How few were available since the trimmer was set."""
        self._trimmer: asyncio.TimerHandle | None = None
        self._lifetimes: dict[UpstreamConnection, asyncio.TimerHandle] = {}
        self._retired: set[UpstreamConnection] = set()
        self._closed = False

    @property
    def is_empty(self) -> bool:
        """Whether it has no connection, and opens none."""
        return not self._places

    def take(self) -> UpstreamConnection | None:
        """Hand out a slot that is free now, or None."""
        available = self._available
        while available:
            connection, _ = available.popitem()
            if len(available) < self._fewest:  # noqa: PLR1730 - `min` would be a call for every request
                self._fewest = len(available)
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
        if self._trimmer is not None:
            self._trimmer.cancel()
            self._trimmer = None
        for connection in list(self._connections):
            self._retire(connection)

    # -- idle connections -----------------------------------------------------------------------------------------

    def _keep(self, connection: UpstreamConnection) -> None:
        """Have a connection available."""
        self._available[connection] = None
        if len(self._available) > self._max_idle and self._trimmer is None and not self._closed:
            self._set_trimmer()

    def _set_trimmer(self) -> None:
        self._fewest = len(self._available)
        self._trimmer = asyncio.get_running_loop().call_later(SURPLUS_TIME, self._trim)

    def _trim(self) -> None:
        """Close what was available all the time, but for the number that may be."""
        self._trimmer = None
        self._close_idle(max(0, min(self._fewest, len(self._available)) - self._max_idle))
        if len(self._available) > self._max_idle:
            self._set_trimmer()

    def _close_idle(self, count: int) -> None:
        """Close those among the `count` connections that were available first which carry no request."""
        for connection in list(islice(self._available, count)):
            if connection.is_idle():
                connection.close()

    def _retire(self, connection: UpstreamConnection) -> None:
        """Have a connection take no more requests, and close it when it has none."""
        if connection in self._available and connection.is_idle():
            connection.close()
        else:  # one that was handed out may be idle still: nobody has begun on it yet
            self._available.pop(connection, None)
            self._retired.add(connection)

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
        if self._closed:
            self._retired.add(connection)
            return connection
        if self._lifetime is not None:
            loop = asyncio.get_running_loop()
            self._lifetimes[connection] = loop.call_later(self._lifetime, self._retire, connection)
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
                self._keep(connection)
                return
            connection.slots -= 1
            waiter.set_result(connection)

    def _vacate(self) -> None:
        """Give a connection's place to whoever waits, or have one more again."""
        waiter = self._next()
        if waiter is None:
            self._places -= 1
            if not self._places:
                self._when_empty()
        else:
            waiter.set_result(None)

    # -- ConnectionOwner ------------------------------------------------------------------------------------------

    def released(self, connection: UpstreamConnection) -> None:
        """Offer a slot that is free again."""
        if self._retired and connection in self._retired:
            if connection.is_idle():
                connection.close()
        elif self._waiting:
            self._offer(connection)
        elif len(self._available) < self._max_idle:
            self._available[connection] = None
        else:
            self._keep(connection)

    def closed(self, connection: UpstreamConnection) -> None:
        """Let go of a connection."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._available.pop(connection, None)
            self._retired.discard(connection)
            if self._lifetimes and (timer := self._lifetimes.pop(connection, None)) is not None:
                timer.cancel()
            self._vacate()
