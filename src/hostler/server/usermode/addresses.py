"""What sockets are called: from the names that the system has for them to addresses, and back to a socket."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hostler.contract import Address

__all__ = ["address_of", "borrow_socket", "own_address_of"]


def address_of(name: tuple[Any, ...] | str | None) -> Address:
    """Return host and port of a peer's name; one that is gone has none, and neither has one on a Unix socket."""
    host, port = name[:2] if isinstance(name, tuple) else ("", 0)
    if isinstance(name, tuple) and len(name) == 4 and name[3]:
        host = f"{host.partition('%')[0]}%{_zone(name[3])}"
    # a socket for both families has IPv4 addresses as ::ffff:192.0.2.1
    return (host.removeprefix("::ffff:") if "." in host else host), port


def _zone(index: int) -> str:
    """Return what a network interface is called, to which an address belongs (RFC 4007 11)."""
    try:
        return socket.if_indextoname(index)
    except OSError:  # it is gone
        return str(index)


def own_address_of(name: tuple[Any, ...] | str) -> Address:
    """Return host and port of a socket's own name; on a Unix socket, its path and 0."""
    return (name, 0) if isinstance(name, str) else address_of(name)


def borrow_socket(descriptor: int, address: str) -> socket.socket:
    """Make a socket object around a connection's descriptor without asking the system what it is.

    `address` is our own, on a TCP connection that of either side.
    """
    if sys.platform != "win32" and "/" in address:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)
