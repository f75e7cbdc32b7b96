"""Binding sockets for URL prefixes: the narrowest ones that see every request of them."""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import evolve

from hostler.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.server.prefix import UrlPrefix

__all__ = ["bind"]

MAX_PORT_PICKS: Final = 10
"""How often a free port is picked before that is given up."""

_WILDCARDS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - what + and * mean


class BoundSocket(Protocol):
    """What is asked of a socket that is bound already."""

    @property
    def family(self) -> int: ...

    def getsockname(self) -> Any: ...


def bind(
    prefixes: Iterable[UrlPrefix], backlog: int | None, ours: Iterable[BoundSocket] = ()
) -> tuple[tuple[UrlPrefix, ...], list[socket.socket]]:
    """Bind the narrowest sockets that, with `ours`, see every request of the prefixes; all of them or none.

    Returns the prefixes with port 0 replaced by the port that was picked, and the sockets, which do not listen without
    a `backlog`. Raises ListenError with
    the prefix and the remedy.
    """
    wanted = list(prefixes)
    bound: dict[int, UrlPrefix] = {}
    held = list(ours)
    sockets: list[socket.socket] = []
    try:
        # wildcards first, so that a port which is needed everywhere is not taken for one address before
        everywhere = set(_WILDCARDS.values())
        for at in sorted(range(len(wanted)), key=lambda at: wanted[at].addresses()[0] not in everywhere):
            bound[at] = _bind_prefix(wanted[at], held, sockets)
        if backlog is not None:
            for sock in sockets:
                sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return tuple(bound[at] for at in range(len(wanted))), sockets


def _bind_prefix(prefix: UrlPrefix, held: list[BoundSocket], sockets: list[socket.socket]) -> UrlPrefix:
    """Bind what `prefix` still needs; returns it with its port."""
    for _ in range(MAX_PORT_PICKS if not prefix.port else 0):
        before = len(sockets)
        try:
            return _bind_addresses(prefix, held, sockets)
        except ListenError as error:
            # the port that was free on one address is taken on another: pick again
            if error.errno != errno.EADDRINUSE:
                raise
            for sock in sockets[before:]:
                sock.close()
            del sockets[before:]
    return _bind_addresses(prefix, held, sockets)


def _bind_addresses(prefix: UrlPrefix, held: list[BoundSocket], sockets: list[socket.socket]) -> UrlPrefix:
    port, failures = prefix.port, []
    found = False
    for address in prefix.addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if port and _covered(family, address, port, [*held, *sockets]):
            found = True
            continue
        try:
            sock = _listening_socket(family, address, port)
        except OSError as error:
            failures.append(error)
            continue
        sockets.append(sock)
        port, found = sock.getsockname()[1], True
    # a host without IPv6 (or IPv4) has fewer addresses, and that is fine; anything else is not
    missing = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    serious = [error for error in failures if error.errno not in missing] or (failures if not found else [])
    if serious:
        raise _listen_error(prefix, serious[0])
    return evolve(prefix, port=port)


def _covered(family: int, address: str, port: int, sockets: Iterable[BoundSocket]) -> bool:
    wildcard = _WILDCARDS[socket.AddressFamily(family)]
    return any(
        sock.family == family
        and sock.getsockname()[1] == port
        and sock.getsockname()[0] in {address, wildcard}
        for sock in sockets
    )


def _listening_socket(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # what is accepted inherits it; asyncio does not set it on a socket that was made without a protocol number
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _listen_error(prefix: UrlPrefix, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        why = f"port {prefix.port} is in use; stop the program that has it, or choose another port"
    elif error.errno == errno.EACCES:
        why = f"port {prefix.port} needs privileges; choose one above 1023, or give the program CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRNOTAVAIL:
        why = f"{prefix.host} is no address of this machine; choose one that is, or + for all"
    else:
        why = str(error)
    return ListenError(error.errno, f"cannot listen on {prefix}: {why}")
