"""The handshake with a client, which is the protocol of its connection until that is encrypted."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, cast

from hostler.tls.engine import TlsEngine
from hostler.tls.transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ServerHandshake"]

_log = logging.getLogger("hostler.server")


class ServerHandshake(asyncio.Protocol):
    """A handshake with one client.

    Once it is complete, what `make_protocol` makes is connected with a `TlsTransport`; when it fails, nothing is made.
    """

    __slots__ = ("_deadline", "_engine", "_loop", "_make_protocol", "_raw")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        timeout: float,
    ) -> None:
        """Take part in a handshake by `context` that may last `timeout` seconds."""
        self._loop = loop
        self._engine = TlsEngine(context, server_side=True)
        self._make_protocol = make_protocol
        self._deadline = loop.call_later(timeout, self._on_deadline)
        self._raw: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to begin."""
        self._raw = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake."""
        engine, raw = self._engine, self._raw
        if raw.is_closing():
            return
        engine.incoming.write(data)
        try:
            complete = engine.shake_hands()
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            _log.info("no TLS connection with %s: %s", raw.get_extra_info("peername"), error)
            raw.close()
            return
        self._flush()
        if complete:
            self._deadline.cancel()
            TlsTransport(self._loop, raw, engine, self._make_protocol())

    def eof_received(self) -> bool:
        """Give up: the handshake needs both sides."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Be done with it."""
        self._deadline.cancel()

    def _flush(self) -> None:
        if self._engine.outgoing.pending:
            self._raw.write(self._engine.outgoing.read())

    def _on_deadline(self) -> None:
        self._raw.abort()
