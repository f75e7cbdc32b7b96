"""Connections that begin with a header of the PROXY protocol: who sent it, and what follows it.

The transport has `HeaderProtocol` for its protocol until the header is complete, and then, by `set_protocol`, what the
endpoint's other connections have from the start: TLS, or the client's socket. A peer that is not trusted is closed before
a byte of it is read; so is one whose header is malformed, or late.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from hostler.errors import ProtocolError
from hostler.http.proxy_protocol import ProxyHeaderReader
from hostler.server.usermode.addresses import address_of, own_address_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.server.usermode.context import ServerContext

__all__ = ["HeaderProtocol"]

_log = logging.getLogger("hostler.server")


class HeaderProtocol(asyncio.Protocol):
    """Waits for the header; `hostler.server.usermode.context.OpenConnection` meanwhile."""

    __slots__ = ("_context", "_deadline", "_make_next", "_reader", "_timeout", "_transport", "_trusts")

    def __init__(
        self,
        context: ServerContext,
        trusts: Callable[[Address], bool],
        timeout: float,
        make_next: Callable[[tuple[Address, Address], Address | None], asyncio.Protocol],
    ) -> None:
        """Wait for `timeout` seconds for a peer that `trusts` holds for.

        `make_next` gets the client's address and ours, and the peer's where it is not the client itself.
        """
        self._context = context
        self._trusts = trusts
        self._timeout = timeout
        self._make_next = make_next
        self._reader = ProxyHeaderReader()
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read, if the peer is trusted."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._trusts(self._peer()):
            self._refuse("not trusted", "it is no trusted proxy")
            return
        self._context.connections.add(self)
        self._deadline = self._context.loop.call_later(self._timeout, self._on_deadline)

    def data_received(self, data: bytes) -> None:
        """Read the header, and hand the connection on behind it."""
        if self._transport.is_closing():
            return
        try:
            read = self._reader.feed(bytes(data))
        except ProtocolError as error:
            self._refuse("malformed", str(error))
            return
        if read is None:
            return
        header, rest = read
        self._forget()
        peer, own = self._peer(), own_address_of(self._transport.get_extra_info("sockname"))
        if header.client is None:
            following = self._make_next((peer, own), None)
        else:
            following = self._make_next((header.client, own), peer)
        self._transport.set_protocol(following)
        following.connection_made(self._transport)
        if rest and not self._transport.is_closing():
            following.data_received(rest)

    def eof_received(self) -> bool:
        """Close: the header is not complete, and never will be."""
        self._context.refused_headers["left"] += 1
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()

    def finish(self) -> None:
        """End: no request is under way."""
        self._transport.abort()

    def stop(self) -> None:
        """End now."""
        self._transport.abort()

    def _on_deadline(self) -> None:
        self._refuse("too slow", f"no whole PROXY header came within {self._timeout:g} s")

    def _refuse(self, kind: str, why: str) -> None:
        self._context.refused_headers[kind] += 1
        host, port = self._peer()
        _log.info("closed the connection of %s:%d: %s", host or "unix", port, why)
        self._forget()
        self._transport.abort()

    def _forget(self) -> None:
        self._context.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _peer(self) -> Address:
        return address_of(self._transport.get_extra_info("peername"))
