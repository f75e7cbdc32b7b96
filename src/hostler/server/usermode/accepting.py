"""Accepting clients' connections, many in one turn of the event loop.

A client that waits to be accepted waits for as many turns as there are connections before it, divided by how many are
accepted in a turn; and a turn is long while others are busy. libuv, and so uvloop, accepts one.
"""

from __future__ import annotations

import logging
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from hostler.server.usermode.addresses import address_of, own_address_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable

    from hostler.contract import Address
    from hostler.server.pending import Pending

__all__ = ["MAX_ACCEPTS_PER_TURN", "Acceptor", "Listener", "Opening", "accept_on"]

_log = logging.getLogger("hostler.server")

MAX_ACCEPTS_PER_TURN: Final = 128
"""Connections that are accepted before those that are open have their turn."""

_WILDCARDS: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound

ACCEPT_RETRY_INTERVAL: Final = 1.0
"""Seconds until a listener that has no room for a connection looks again."""


Opening: TypeAlias = "Coroutine[Any, Any, Any]"
"""The making of a transport for a connection, under way."""


class MakeProtocol(Protocol):
    """Makes what a connection's bytes go to."""

    def __call__(
        self, sock: socket.socket | None = None, addresses: tuple[Address, Address] | None = None
    ) -> asyncio.Protocol:
        """Make it; with the accepted socket, and the client's address and ours, where they are known."""
        ...


class Listener(Protocol):
    """A socket whose connections are accepted."""

    @property
    def sockets(self) -> Iterable[socket.socket]:
        """What it listens on."""

    def close(self) -> None:
        """Accept nobody any more, and close the socket."""


async def accept_on(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    make_protocol: MakeProtocol,
    backlog: int,
    opening: Pending[Opening],
) -> Listener:
    """Give every connection that comes in on a bound socket a protocol; `opening` has those that have none yet."""
    if sys.platform == "win32":  # a completion port does not say that a socket is readable
        return await loop.create_server(make_protocol, sock=sock, backlog=backlog)
    else:  # noqa: RET505 - for mypy, which checks each platform's own branch
        sock.listen(backlog)
        return Acceptor(loop, sock, make_protocol, opening)


class _AcceptedSocket(socket.socket):
    """A socket whose family and type are numbers; `socket` makes members of enumerations, for each look anew."""

    __slots__ = ()

    family = socket.SocketType.family  # type: ignore[assignment]
    type = socket.SocketType.type  # type: ignore[assignment]


class Acceptor:
    """Accepts on one listening socket; `Listener`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        make_protocol: MakeProtocol,
        opening: Pending[Opening],
    ) -> None:
        sock.setblocking(False)
        address = own_address_of(sock.getsockname())
        self._address = None if address[0] in _WILDCARDS else address
        """What every connection's own address is, if that is known."""
        self.sockets = (sock,)
        self._loop = loop
        self._socket = sock
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._make_protocol = make_protocol
        self._opening = opening
        self._retry: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket, self._on_readable)

    def _on_readable(self) -> None:
        for _ in range(MAX_ACCEPTS_PER_TURN):
            try:
                descriptor, peer = self._socket._accept()  # type: ignore[attr-defined]
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # that client is gone already
                continue
            except OSError as error:
                self._give_up_for_now(error)
                return
            sock, own = _AcceptedSocket(*self._kind, descriptor), self._address
            make = partial(self._make_protocol, sock, None if own is None else (address_of(peer), own))
            opening = self._loop.connect_accepted_socket(make, sock)
            self._opening.add(opening)
            self._open(opening, sock)

    def _give_up_for_now(self, error: OSError) -> None:
        """Leave connections to wait where they are: there is no room for them."""
        address = own_address_of(self._socket.getsockname())
        _log.error("%s:%d: no connection can be accepted (%s); trying on", *address, error)
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(ACCEPT_RETRY_INTERVAL, self._listen)

    def _open(self, opening: Opening, sock: socket.socket, _: object = None) -> None:
        """Go on with making a transport: at once, and when what it awaits is there. A task would begin a turn later."""
        awaited = None
        try:
            awaited = opening.send(None)
        except StopIteration:
            return
        except OSError as error:
            _log.debug("a client was gone before its connection was open: %s", error)
            sock.close()
        finally:
            if awaited is None:
                self._opening.discard(opening)
        if awaited is not None:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(partial(self._open, opening, sock))

    def close(self) -> None:
        """Accept nobody any more, and close the socket."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
