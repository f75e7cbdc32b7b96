"""Opening connections to a destination: name, TLS, and the protocol that is spoken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from attrs import field, frozen

from hostler.client.dialing import dial, is_literal
from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.web_proxy import open_tunnel

if TYPE_CHECKING:
    import socket
    import ssl

    from hostler.client.address import DestinationAddress
    from hostler.client.upstream import ConnectionOwner, UpstreamConnection
    from hostler.client.web_proxy import HttpProxy
    from hostler.config.model import HttpClient

__all__ = ["Connector"]


@frozen
class Connector:
    """Opens connections to one destination; over TLS if it has a context, through a web proxy if it has one."""

    address: DestinationAddress
    client: HttpClient
    context: ssl.SSLContext | None = None
    proxy: HttpProxy | None = None

    _host: str = field(init=False)
    """Where a connection leads first."""

    _port: int = field(init=False)
    _at_once: bool = field(init=False)
    """Whether the event loop can connect by itself: no name has to be looked up, no tunnel opened."""

    @_host.default
    def _first_host(self) -> str:
        return self.address.host if self.proxy is None else self.proxy.host

    @_port.default
    def _first_port(self) -> int:
        return self.address.port if self.proxy is None else self.proxy.port

    @_at_once.default
    def _is_literal(self) -> bool:
        return is_literal(self._host) and (self.proxy is None or self.context is None)

    async def connect(self, owner: ConnectionOwner) -> UpstreamConnection:
        """Open a connection; raises OSError (TimeoutError, ssl.SSLError), or UnicodeError for a name like no other."""
        loop = asyncio.get_running_loop()

        def make() -> Http1UpstreamConnection:
            return Http1UpstreamConnection(owner, loop, self.client.pooled_connection_idle_timeout)

        address, context = self.address, self.context
        name = None if context is None else address.server_name
        async with asyncio.timeout(self.client.connect_timeout):
            if address.socket_path is not None:
                _, connection = await loop.create_unix_connection(make, address.socket_path)
            elif self._at_once:
                _, connection = await loop.create_connection(
                    make, self._host, self._port, ssl=context, server_hostname=name
                )
            else:
                connected = await self._dial()
                try:
                    _, connection = await loop.create_connection(
                        make, sock=connected, ssl=context, server_hostname=name
                    )
                except BaseException:
                    connected.close()
                    raise
        return connection

    async def _dial(self) -> socket.socket:
        """Return a socket that is connected to the destination."""
        connected = await dial(self._host, self._port)
        if self.proxy is not None and self.context is not None:
            try:
                await open_tunnel(connected, self.address, self.proxy)
            except BaseException:
                connected.close()
                raise
        return connected
