"""The user-mode server: listens on URL prefixes, serves named queues, delegates to those of others."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import evolve

from hostler.errors import ListenError, PrefixError, ProtocolError, UnsupportedError
from hostler.server.handling import Handling
from hostler.server.options import ServerOptions, refuse, unsupported_by_usermode
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.server.usermode.connection import Connection
from hostler.server.usermode.directory import QueueDirectory
from hostler.server.usermode.host import Host
from hostler.server.usermode.member import Member
from hostler.server.usermode.rule import Rule, delegation_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.contract import Address
    from hostler.http.target import Target
    from hostler.pipeline import Handler
    from hostler.server.base import DelegationRule, QueueMode

__all__ = ["UserModeServer", "bind"]

_LOOK_AGAIN: Final = 0.02
_PICKS: Final = 10
"""How often a free port is picked before that is given up."""

_WILDCARDS: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - what + and * mean


class UserModeServer:
    """A server on sockets of its own; `hostler.server.base.Server`. Belongs to the event loop that it is made in."""

    def __init__(self, handler: Handler, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        refuse(unsupported_by_usermode(self.options), "the user-mode server")
        self.prefixes = PrefixTable()
        self._host = Host(Handling(handler), self.options)
        self._listeners: list[asyncio.Server] = []
        self._rules = delegation_rules(self.options)
        self._members: list[Member] = []

    @property
    def can_delegate(self) -> bool:
        """Whether this platform has Unix sockets that carry descriptors."""
        return sys.platform != "win32" and hasattr(socket, "AF_UNIX")

    # -- listening ------------------------------------------------------------------------------------------------

    async def listen(self, prefixes: Iterable[UrlPrefix]) -> tuple[UrlPrefix, ...]:
        """Listen on more prefixes; returns them with the ports that were picked for port 0."""
        ours = [sock for listener in self._listeners for sock in listener.sockets]
        settled, sockets = bind(prefixes, self.options.backlog, ours)
        try:
            await self.listen_on(settled, sockets)
        except BaseException:
            for sock in sockets:
                sock.close()
            raise
        return settled

    async def listen_on(self, prefixes: Iterable[UrlPrefix], sockets: Iterable[socket.socket]) -> None:
        """Listen on sockets that are bound already, for these prefixes."""
        added: list[UrlPrefix] = []
        try:
            for prefix in prefixes:
                self.prefixes.add(prefix)
                added.append(prefix)
        except PrefixError as error:
            for prefix in added:
                self.prefixes.remove(prefix)
            raise ListenError(errno.EADDRINUSE, f"cannot listen: {error}") from error
        for sock in sockets:
            listener = await self._host.loop.create_server(
                lambda: Connection(self._host, self), sock=sock, backlog=self.options.backlog
            )
            self._listeners.append(listener)

    def place(self, scheme: str, host: str, server: Address, target: Target) -> tuple[str, str]:
        """Find the URL prefix of a request; 400 when none of them has its host, 404 when none has its path."""
        match = self.prefixes.match(scheme, host, server[1], server[0], target.path or "/")
        if match is not None:
            return match.path_base, match.path
        everywhere = "[::]" if ":" in server[0] else "0.0.0.0"  # noqa: S104 - compared, not bound
        hosts = {host, "+", "*", server[0], f"[{server[0]}]", everywhere}
        if any(prefix.port == server[1] and prefix.host in hosts for prefix in self.prefixes):
            raise ProtocolError(f"no URL prefix takes {target.path}", 404)
        raise ProtocolError(f"no URL prefix takes the host {host!r}")

    # -- queues ---------------------------------------------------------------------------------------------------

    async def join(self, queue: str, mode: QueueMode) -> Member:
        """Serve requests that other processes delegate to `queue`, opened as `mode` says."""
        member = Member(self._host, QueueDirectory(queue).open(mode))
        self._members.append(member)
        return member

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Open (or share) the delegation rule for `queue` and `prefix`."""
        if not self.can_delegate:
            raise UnsupportedError(
                f"queue {queue!r} cannot be delegated to: the user-mode server lends sockets, which {sys.platform} "
                "cannot; use HTTP.sys there"
            )
        UrlPrefix.parse(prefix)
        return self._rules.open(queue, prefix)

    def close_rule(self, rule: DelegationRule) -> None:
        """Give a rule back."""
        assert isinstance(rule, Rule)
        self._rules.close(rule)

    # -- stopping -------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """Stop: no new connections at once, exchanges in progress have `grace` seconds, then they are aborted."""
        host = self._host
        host.draining = True
        for listener in self._listeners:
            listener.close()
        for member in self._members:
            member.leave()
        for connection in list(host.connections):
            connection.stop_when_idle()
        try:
            async with asyncio.timeout(grace):
                await self._finish()
                for member in self._members:
                    await member.close()
        except TimeoutError:
            await host.handling.abort(grace)
        finally:
            self._drop()

    async def _finish(self) -> None:
        """Wait until closing what is left loses no request and no part of an answer."""
        host = self._host
        while True:
            running = [task for task in host.handling.tasks if not task.done()]
            if running:
                await asyncio.wait(running, timeout=_LOOK_AGAIN)
            elif any(connection.unfinished for connection in host.connections):
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                return

    def _drop(self) -> None:
        """Let go of everything now."""
        host = self._host
        host.handling.cancel()
        for connection in list(host.connections):
            connection.stop_now()
        for member in self._members:
            member.hang_up()
        self._rules.close_all()


class _Socket(Protocol):
    """What is asked of a socket that is bound already."""

    @property
    def family(self) -> int: ...

    def getsockname(self) -> Any: ...


def bind(
    prefixes: Iterable[UrlPrefix], backlog: int, ours: Iterable[_Socket] = ()
) -> tuple[tuple[UrlPrefix, ...], list[socket.socket]]:
    """Bind the narrowest sockets that, with `ours`, see every request of the prefixes; all of them or none.

    Returns the prefixes with port 0 replaced by the port that was picked, and the sockets. Raises ListenError with
    the prefix and the remedy.
    """
    wanted = list(prefixes)
    settled: dict[int, UrlPrefix] = {}
    held = list(ours)
    sockets: list[socket.socket] = []
    for prefix in wanted:
        if prefix.scheme == "https":
            raise UnsupportedError(
                f"{prefix}: https is not supported yet; put a TLS terminator in front, and listen on http"
            )
    try:
        # wildcards first, so that a port which is needed everywhere is not taken for one address before
        everywhere = set(_WILDCARDS.values())
        for at in sorted(range(len(wanted)), key=lambda at: wanted[at].addresses()[0] not in everywhere):
            settled[at] = _bind_prefix(wanted[at], held, sockets)
        for sock in sockets:
            sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return tuple(settled[at] for at in range(len(wanted))), sockets


def _bind_prefix(prefix: UrlPrefix, held: list[_Socket], sockets: list[socket.socket]) -> UrlPrefix:
    """Bind what `prefix` still needs; returns it with its port."""
    for _ in range(_PICKS if not prefix.port else 0):
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


def _bind_addresses(prefix: UrlPrefix, held: list[_Socket], sockets: list[socket.socket]) -> UrlPrefix:
    port, failures = prefix.port, []
    bound = False
    for address in prefix.addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if port and _covered(family, address, port, [*held, *sockets]):
            bound = True
            continue
        try:
            sock = _listening_socket(family, address, port)
        except OSError as error:
            failures.append(error)
            continue
        sockets.append(sock)
        port, bound = sock.getsockname()[1], True
    # a host without IPv6 (or IPv4) has fewer addresses, and that is fine; anything else is not
    missing = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    serious = [error for error in failures if error.errno not in missing] or (failures if not bound else [])
    if serious:
        raise _listen_error(prefix, serious[0])
    return evolve(prefix, port=port)


def _covered(family: int, address: str, port: int, sockets: Iterable[_Socket]) -> bool:
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
