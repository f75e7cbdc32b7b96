"""Opening connections to a destination: name, and the protocol that is spoken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.client.http1 import Http1UpstreamConnection

if TYPE_CHECKING:
    import ssl

    from hostler.client.address import DestinationAddress
    from hostler.client.upstream import ConnectionOwner, UpstreamConnection

__all__ = ["CONNECT_TIMEOUT", "IDLE_TIMEOUT", "Connector"]

CONNECT_TIMEOUT: Final = 15.0
"""Seconds to connect in, TLS included (SocketsHttpHandler.ConnectTimeout as YARP sets it)."""

IDLE_TIMEOUT: Final = 60.0
"""Seconds after which an idle connection is closed (SocketsHttpHandler.PooledConnectionIdleTimeout)."""


@frozen
class Connector:
    """Opens connections to one destination; over TLS if it has a context."""

    address: DestinationAddress
    context: ssl.SSLContext | None = None

    async def connect(self, owner: ConnectionOwner) -> UpstreamConnection:
        """Open a connection; raises OSError (TimeoutError, ssl.SSLError), or UnicodeError for a name like no other."""
        loop = asyncio.get_running_loop()
        address = self.address
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, connection = await loop.create_connection(
                lambda: Http1UpstreamConnection(owner, loop, IDLE_TIMEOUT),
                address.host,
                address.port,
                ssl=self.context,
                server_hostname=address.server_name if self.context is not None else None,
            )
        return connection
