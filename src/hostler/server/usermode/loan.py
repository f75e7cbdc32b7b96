"""A loan: a client's connection on its way to another process, and what comes back."""

from __future__ import annotations

import itertools
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field, frozen

if sys.platform.startswith("linux"):
    import fcntl
    import termios

if TYPE_CHECKING:
    import asyncio

    from hostler.contract import Address
    from hostler.errors import Failure

__all__ = ["Holder", "Loan", "Returned", "Shared", "borrow_socket", "bytes_read", "bytes_written", "is_gone"]


class Holder(Protocol):
    """A member that holds a copy of a connection's descriptor."""

    def forget(self, connection: int) -> None:
        """Have the copy closed."""


_numbers = itertools.count(1)


@define(eq=False)
class Shared:
    """A client's connection as other processes know it."""

    socket: socket.socket
    client: Address
    server: Address
    https: bool
    number: int = field(factory=lambda: next(_numbers) & 0xFFFFFFFF)
    holders: set[Holder] = field(factory=set)
    """The members that have a copy."""

    waiting: asyncio.Future[None] | None = None
    """Settled when the connection is lost while its request waits for a member."""

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.socket.fileno() < 0

    def close(self) -> None:
        """Have every copy closed, and a request that waits end."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)
        holders, self.holders = self.holders, set()
        for holder in holders:
            holder.forget(self.number)


@define(eq=False)
class Loan:
    """A client's connection with one request, on its way to a member."""

    shared: Shared
    data: bytes
    """The request's head, and what was read of its body."""

    headers: bytes
    written: int | None
    """What the kernel counts as written on the connection before the loan; None when it does not say."""

    read: int | None = None
    """What the kernel counts as read from the connection before the loan; None when nothing will be read from it."""

    def untouched(self) -> bool:
        """Whether the kernel vouches that nothing was sent on the connection since, and no body taken from it."""
        if self.written is None or bytes_written(self.shared.socket) != self.written:
            return False
        return self.read is None or bytes_read(self.shared.socket) == self.read


@frozen
class Returned:
    """A connection that came back, and what became of the exchange."""

    status: int
    bytes_received: int
    bytes_sent: int
    keep_alive: bool
    surplus: bytes
    failure: Failure | None = None


def bytes_written(sock: socket.socket) -> int | None:
    """Return how many bytes have been written to a TCP connection by anybody, sent or not (Linux 4.19, TCP_INFO).

    None where the kernel does not count them: then nobody may assume that nothing was sent.
    """
    if sys.platform.startswith("linux"):
        info = _tcp_info(sock)
        if len(info) == _TCP_INFO_SIZE:
            (unsent,) = struct.unpack_from("=I", info, 144)  # tcpi_notsent_bytes
            sent, again = struct.unpack_from("=QQ", info, 200)  # tcpi_bytes_sent, tcpi_bytes_retrans
            return int(sent - again + unsent)
    return None


def bytes_read(sock: socket.socket) -> int:
    """Return how many bytes anybody has read from a TCP connection (Linux, TCP_INFO); -1 where nobody knows.

    The end of the client's stream may count as a byte.
    """
    if sys.platform.startswith("linux"):
        try:
            waiting = _unread(sock)
            info = _tcp_info(sock)
            while waiting != (waiting := _unread(sock)):
                info = _tcp_info(sock)
        except (OSError, ValueError):
            return -1
        if len(info) == _TCP_INFO_SIZE:
            return int.from_bytes(info[128:136], sys.byteorder) - waiting  # tcpi_bytes_received
    return -1


def is_gone(sock: socket.socket) -> bool:
    """Whether a TCP connection is over for both sides, as after a reset (Linux, TCP_INFO); False where nobody knows."""
    return sys.platform.startswith("linux") and _tcp_info(sock)[:1] == _TCP_CLOSE


if sys.platform.startswith("linux"):
    _TCP_CLOSE: Final = b"\x07"
    _TCP_INFO_SIZE: Final = 216

    def _tcp_info(sock: socket.socket) -> bytes:
        """Return `struct tcp_info` of Linux 4.19; less of it, or nothing, where there is no more."""
        try:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        except OSError:
            return b""

    def _unread(sock: socket.socket) -> int:
        """Return how many bytes have arrived and wait to be read."""
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)


def borrow_socket(descriptor: int, address: str) -> socket.socket:
    """Make a socket object around a TCP connection's descriptor without asking the system what it is."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)
