"""Opening connections to a destination: name, TLS, and the protocol that is spoken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from attrs import field, frozen

from hostler.client.dialing import dial, is_literal
from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.tls.handshake import ClientHandshake
from hostler.client.web_proxy import open_tunnel

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hostler.client.address import DestinationAddress
    from hostler.client.tls.contexts import DestinationTls
    from hostler.client.upstream import ConnectionOwner, UpstreamConnection
    from hostler.client.web_proxy import HttpProxy
    from hostler.config.model import HttpClient

__all__ = ["Connector"]

_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)


@frozen
class Connector:
    """Opens connections to one destination; over TLS if it has settings for that, through a web proxy if it has one."""

    address: DestinationAddress
    client: HttpClient
    tls: DestinationTls | None = None
    proxy: HttpProxy | None = None
    header: bytes | None = None
    """What a connection begins with, in front of TLS: a header of the PROXY protocol."""

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
        return is_literal(self._host) and (self.proxy is None or self.tls is None)

    async def connect(self, owner: ConnectionOwner) -> UpstreamConnection:
        """Open a connection; raises OSError (TimeoutError, ssl.SSLError), or UnicodeError for a name like no other."""
        loop, client = asyncio.get_running_loop(), self.client

        def make() -> Http1UpstreamConnection:
            return Http1UpstreamConnection(owner, loop, client.pooled_connection_idle_timeout)

        missing = "connection"
        try:
            async with asyncio.timeout(client.connect_timeout):
                if self.tls is None:
                    return await self._open(loop, make)
                handshake = ClientHandshake(loop, self.tls, self.address, make)
                await self._open(loop, lambda: handshake)
                missing = "TLS handshake"
                return await handshake.complete()
        except TimeoutError as error:
            raise TimeoutError(f"no {missing} within {client.connect_timeout:g} s") from error

    async def _open(self, loop: asyncio.AbstractEventLoop, make: Callable[[], _Protocol]) -> _Protocol:
        """Connect what `make` makes with the destination, by whichever way leads there."""
        protocol = make()
        first = protocol if self.header is None else _HeaderFirst(self.header, protocol)
        if self.address.socket_path is not None:
            await loop.create_unix_connection(lambda: first, self.address.socket_path)
        elif self._at_once:
            await loop.create_connection(lambda: first, self._host, self._port)
        else:
            connected = await self._dial()
            try:
                await loop.create_connection(lambda: first, sock=connected)
            except BaseException:
                connected.close()
                raise
        return protocol

    async def _dial(self) -> socket.socket:
        """Return a socket that is connected to the destination."""
        connected = await dial(self._host, self._port)
        if self.proxy is not None and self.tls is not None:
            try:
                await open_tunnel(connected, self.address, self.proxy)
            except BaseException:
                connected.close()
                raise
        return connected


class _HeaderFirst(asyncio.Protocol):
    """Sends a header, and leaves the connection to another protocol."""

    def __init__(self, header: bytes, following: asyncio.Protocol) -> None:
        self._header = header
        self._following = following

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send it; what follows is not ours."""
        connected = cast("asyncio.Transport", transport)
        connected.write(self._header)
        connected.set_protocol(self._following)
        self._following.connection_made(connected)
