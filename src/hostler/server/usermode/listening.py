"""Binding sockets for URL prefixes: the narrowest ones that see every request of them."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import evolve

from hostler.errors import ListenError
from hostler.http.unix_socket import unix_url
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.addresses import own_address_of
from hostler.server.usermode.unix_listening import bind_unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hostler.server.options import ServerOptions

__all__ = ["bind", "serves", "socket_modes"]

MAX_PORT_PICKS: Final = 10
"""How often a free port is picked before that is given up."""

_NO_MODES: Final[Mapping[str, int]] = {}
_WILDCARDS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - what + and * mean


class BoundSocket(Protocol):
    """What is asked of a socket that is bound already."""

    @property
    def family(self) -> int: ...

    def getsockname(self) -> Any: ...

    def getsockopt(self, level: int, name: int, /) -> int: ...


def bind(
    prefixes: Iterable[UrlPrefix],
    backlog: int | None,
    ours: Iterable[BoundSocket] = (),
    modes: Mapping[str, int] = _NO_MODES,
    inherited: Sequence[socket.socket] = (),
) -> tuple[tuple[UrlPrefix, ...], list[socket.socket]]:
    """Bind the narrowest sockets that, with `ours`, see every request of the prefixes; all of them or none.

    Returns the prefixes with port 0 replaced by the port that was picked, and the sockets, which do not listen without
    a `backlog`. `modes` has those of Unix sockets, by path (`socket_modes`). Raises ListenError with the prefix and the
    remedy.

    `inherited` are sockets that are bound already: a prefix that is served by some of them is listened on there, and
    nowhere else. They come first among the sockets; one that is for no prefix is an error.
    """
    wanted = list(prefixes)
    bound: dict[int, UrlPrefix] = {}
    held = [*inherited, *ours]
    sockets: list[socket.socket] = []
    try:
        # wildcards first, so that a port which is needed everywhere is not taken for one address before
        everywhere = set(_WILDCARDS.values())
        for at in sorted(range(len(wanted)), key=lambda at: wanted[at].addresses()[0] not in everywhere):
            prefix = bound[at] = wanted[at]
            if any(serves(sock, prefix) for sock in inherited):
                continue
            if prefix.socket_path is None:
                bound[at] = _bind_prefix(prefix, held, sockets)
            elif not any(serves(sock, prefix) for sock in (*held, *sockets)):
                sockets.append(_bind_unix_prefix(prefix, modes.get(prefix.socket_path), backlog))
        _refuse_unused(inherited, wanted)
        if backlog is not None:
            for sock in (*inherited, *sockets):
                sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return tuple(bound[at] for at in range(len(wanted))), [*inherited, *sockets]


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
        family = _family_of(address)
        if port and _covered(address, port, [*held, *sockets]):
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


def _covered(address: str, port: int, sockets: Iterable[BoundSocket]) -> bool:
    return any(_accepts(sock, address, port) for sock in sockets)


def _accepts(sock: BoundSocket, address: str, port: int) -> bool:
    """Whether all that connects to an address and port comes in on a socket."""
    name = sock.getsockname()
    if not isinstance(name, tuple) or name[1] != port:
        return False
    own = own_address_of(name)[0]
    if own == address or own == _WILDCARDS[_family_of(address)]:
        return True
    # a socket for both families, as systemd makes them
    return own == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serves(sock: BoundSocket, prefix: UrlPrefix) -> bool:
    """Whether requests of a prefix come in on a socket; others may too."""
    name = sock.getsockname()
    if prefix.socket_path is not None:
        return bool(name == prefix.socket_path)
    if not isinstance(name, tuple) or name[1] != prefix.port:
        return False
    addresses = prefix.addresses()
    return addresses[0] in _WILDCARDS.values() or any(
        _accepts(sock, address, prefix.port) for address in addresses
    )


def _refuse_unused(inherited: Iterable[socket.socket], prefixes: Iterable[UrlPrefix]) -> None:
    """Raise ListenError for a socket whose clients would find nobody."""
    for sock in inherited:
        if not any(serves(sock, prefix) for prefix in prefixes):
            name = sock.getsockname()
            if isinstance(name, bytes):
                raise ListenError(
                    errno.EINVAL,
                    f"the inherited socket {sock.fileno()} is the abstract one {ascii(name[1:])[1:]}, which no URL prefix can "
                    "be for; listen on one with a path, as in ListenStream=/run/hostler.sock",
                )
            if isinstance(name, tuple):
                host, port = name[:2]
                where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                url = f"http://{'+' if host in _WILDCARDS.values() else where.rpartition(':')[0]}:{port}/"
            else:
                where, url = name, unix_url(name, "/")
            raise ListenError(
                errno.EINVAL,
                f"the inherited socket {sock.fileno()} listens on {where}, which is for no URL prefix; add one, as with "
                f"--url {url}, or do not pass the socket",
            )


def socket_modes(options: ServerOptions) -> dict[str, int]:
    """Return which modes the files of Unix sockets are to have, by path, where an endpoint says so."""
    modes = {}
    for url, endpoint in options.endpoints.items():
        path = UrlPrefix.parse(url).socket_path
        if path is not None and endpoint.socket_mode is not None:
            modes[path] = endpoint.socket_mode
    return modes


def _bind_unix_prefix(prefix: UrlPrefix, mode: int | None, backlog: int | None) -> socket.socket:
    assert prefix.socket_path is not None
    try:
        return bind_unix(prefix.socket_path, mode, backlog)
    except OSError as error:
        path = prefix.socket_path
        if error.errno == errno.EADDRINUSE:
            why = f"{path} is in use; stop the program that listens there, or choose another path"
        elif error.errno == errno.EEXIST:
            why = f"{path} is there, and is no socket; remove it, or choose another path"
        elif error.errno == errno.ENOENT:
            why = f"{Path(path).parent} is no directory; make it, or choose another path"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            why = f"this user may not make {path}; give it the right to write there, or choose another path"
        else:
            why = str(error)
        raise ListenError(error.errno, f"cannot listen on {prefix}: {why}") from error


def _listening_socket(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # what is accepted inherits it; asyncio does not set it on a socket that was made without a protocol number
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(_with_zone(address, port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _with_zone(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return an address as bind(2) takes it; raises OSError for a zone that is no network interface."""
    address, mark, zone = address.partition("%")
    if not mark:
        return address, port
    try:
        return address, port, 0, socket.if_nametoindex(zone)
    except OSError as error:
        raise OSError(errno.ENODEV, f"{zone} is no network interface of this machine") from error


def _listen_error(prefix: UrlPrefix, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        why = f"port {prefix.port} is in use; stop the program that has it, or choose another port"
    elif error.errno == errno.EACCES:
        why = f"port {prefix.port} needs privileges; choose one above 1023, or give the program CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRNOTAVAIL:
        why = f"{prefix.host} is no address of this machine; choose one that is, or + for all"
    else:
        why = error.strerror or str(error)
    return ListenError(error.errno, f"cannot listen on {prefix}: {why}")
