"""The handshake with a destination, which is the protocol of its connection until that is encrypted."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from hostler.tls.engine import TlsEngine
from hostler.tls.transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.client.address import DestinationAddress
    from hostler.client.tls.contexts import DestinationTls

__all__ = ["ClientHandshake"]

Made = TypeVar("Made", bound=asyncio.Protocol)


class ClientHandshake(asyncio.Protocol, Generic[Made]):
    """A handshake with one destination.

    Once it is complete, what `make_protocol` makes is connected with a `TlsTransport`; when it fails, nothing is made.
    """

    __slots__ = ("_engine", "_first", "_loop", "_make_protocol", "_over", "_peer", "_raw", "_tls")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tls: DestinationTls,
        address: DestinationAddress,
        make_protocol: Callable[[], Made],
    ) -> None:
        """Raises UnicodeError, or ssl.SSLError, for a name that cannot be asked for."""
        self._loop = loop
        self._tls = tls
        self._peer = address.socket_path, address.host, address.port, address.server_name
        session = tls.sessions.find(self._peer)
        self._engine = TlsEngine(tls.context, server_name=address.server_name, session=session)
        self._make_protocol = make_protocol
        self._first = b""
        """The first bytes from the destination, of which a reader of records may make anything."""
        self._over: asyncio.Future[Made | Exception] = loop.create_future()
        """Its result is the protocol that is connected, or why the handshake failed."""
        self._raw: asyncio.Transport

    async def complete(self) -> Made:
        """Return the protocol once it is connected; raises ConnectionError where the handshake fails."""
        try:
            made = await self._over
        except asyncio.CancelledError:
            self._raw.abort()
            raise
        if isinstance(made, Exception):
            raise made
        return made

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._raw = cast("asyncio.Transport", transport)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake."""
        if self._over.done():
            return
        self._first = self._first or bytes(data[:5])
        self._engine.incoming.write(data)
        self._go_on()

    def eof_received(self) -> bool:
        """Give up: the handshake needs both sides."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        self._fail(exc)

    def _go_on(self) -> None:
        engine, raw = self._engine, self._raw
        try:
            complete = engine.shake_hands()
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            raw.close()
            self._fail(error)
            return
        self._flush()
        if complete and not self._over.done():
            self._tls.sessions.note(self._peer, engine.tls)
            made = self._make_protocol()
            TlsTransport(self._loop, raw, engine, made, partial(self._tls.failed, self._peer))
            self._over.set_result(made)

    def _flush(self) -> None:
        if self._engine.outgoing.pending:
            self._raw.write(self._engine.outgoing.read())

    def _fail(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_result(self._tls.failed(self._peer, error, self._first))
