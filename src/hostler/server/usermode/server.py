"""The user-mode server: listens on URL prefixes, serves named queues, delegates to those of others."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, cast

from hostler.errors import CertificateError, ListenError, PrefixError, UnsupportedError
from hostler.server.handling import Handling
from hostler.server.options import ServerOptions, refuse_unsupported, unsupported_by_usermode
from hostler.server.pending import Pending
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.server.usermode.accepted import AcceptedConnection
from hostler.server.usermode.accepting import accept_on
from hostler.server.usermode.client_socket import ClientSocket, SocketReader
from hostler.server.usermode.context import ServerContext
from hostler.server.usermode.endpoint import Endpoints, LiveEndpoint
from hostler.server.usermode.listening import bind, socket_modes
from hostler.server.usermode.unix_listening import SocketFiles

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from hostler.contract import Address, Rejection
    from hostler.pipeline import Handler
    from hostler.server.base import DelegationRule, QueueMode
    from hostler.server.delegation import DelegationRules
    from hostler.server.placing import Placing
    from hostler.server.usermode.accepting import Listener, Opening
    from hostler.server.usermode.queues.borrower import ServedQueue
    from hostler.server.usermode.queues.lender import TargetQueue
    from hostler.server.usermode.queues.rule import Rule
    from hostler.server.usermode.tls.following import CertificateFollower
    from hostler.server.usermode.tls.handshakes import HandshakeCounts, Handshakes

__all__ = ["UserModeServer"]


class UserModeServer:
    """A server on sockets of its own; `hostler.server.base.Server`. Belongs to the event loop that it is made in."""

    def __init__(
        self,
        handler: Handler,
        options: ServerOptions | None = None,
        *,
        on_reject: Callable[[Rejection], object] | None = None,
    ) -> None:
        """`on_reject` is called with what the server answers itself, and the handler never sees."""
        self.options = options or ServerOptions()
        refuse_unsupported(unsupported_by_usermode(self.options), "the user-mode server")
        self.prefixes = PrefixTable()
        self._context = ServerContext(Handling(handler, on_reject), self.options)
        self._endpoints = Endpoints(self.options)
        self._follower: CertificateFollower | None = None
        """None where there are no certificates."""
        self._listeners: list[Listener] = []
        self._files: list[SocketFiles] = []
        """Of the Unix sockets among those that were bound here."""
        self._opening: Pending[Opening] = Pending()
        """Connections that were accepted and have no protocol yet."""
        self._handshakes: Handshakes | None = None
        """None before the first https prefix is listened on."""
        self._rules: DelegationRules[TargetQueue, Rule] | None = None
        """None before the first one is opened."""
        self._queues: list[ServedQueue] = []

    @property
    def can_delegate(self) -> bool:
        """Whether this platform has Unix sockets that carry descriptors."""
        return sys.platform != "win32" and hasattr(socket, "AF_UNIX")

    @property
    def delegates_changes(self) -> bool:
        """Whether a delegated request goes as it was left: its head is written for whoever it goes to."""
        return True

    @property
    def keeps_responses(self) -> bool:
        """Whether it keeps responses: not yet."""
        return False

    # -- listening ------------------------------------------------------------------------------------------------

    async def listen(self, prefixes: Iterable[UrlPrefix]) -> tuple[UrlPrefix, ...]:
        """Listen on more prefixes; returns them with the ports that were picked for port 0."""
        ours = [sock for listener in self._listeners for sock in listener.sockets]
        bound, sockets = bind(prefixes, self.options.backlog, ours, socket_modes(self.options))
        files = SocketFiles.of(sockets)
        try:
            await self.listen_on(bound, sockets)
        except BaseException:
            files.remove()
            for sock in sockets:
                sock.close()
            raise
        self._files.append(files)
        return bound

    async def listen_on(self, prefixes: Iterable[UrlPrefix], sockets: Iterable[socket.socket]) -> None:
        """Listen on sockets that are bound already, for these prefixes."""
        bound = list(sockets)
        added: list[UrlPrefix] = []
        try:
            for prefix in prefixes:
                self.prefixes.add(prefix)
                added.append(prefix)
            endpoints = [self._endpoints.of(sock, self.prefixes) for sock in bound]
        except (PrefixError, ListenError, CertificateError) as error:
            for prefix in added:
                self.prefixes.remove(prefix)
            if not isinstance(error, PrefixError):
                raise
            raise ListenError(errno.EADDRINUSE, f"cannot listen: {error}") from error
        if self._handshakes is None and any(endpoint.tls is not None for endpoint in endpoints):
            self._handshakes = self._make_handshakes()
        for sock, endpoint in zip(bound, endpoints, strict=True):
            make = partial(self._make_protocol, endpoint)
            self._listeners.append(
                await accept_on(self._context.loop, sock, make, self.options.backlog, self._opening)
            )
        if self._follower is None and any(endpoint.tls is not None for endpoint in endpoints):
            from hostler.server.usermode.tls.following import CertificateFollower  # noqa: PLC0415 - for https alone

            self._follower = CertificateFollower(self._endpoints.contexts)

    def _make_handshakes(self) -> Handshakes:
        from hostler.server.usermode.tls.handshakes import Handshakes  # noqa: PLC0415 - for https alone

        context = self._context
        return Handshakes(context.loop, self.options.handshake_limit, context.handling.rejected)

    @property
    def handshakes(self) -> HandshakeCounts | None:
        """How handshakes have ended so far; None where no https prefix is listened on."""
        return None if self._handshakes is None else self._handshakes.counts

    @property
    def refused_headers(self) -> Counter[str]:
        """The connections that were closed in place of a header of the PROXY protocol (`ServerContext`)."""
        return self._context.refused_headers

    def _make_protocol(
        self,
        endpoint: LiveEndpoint,
        sock: socket.socket | None = None,
        addresses: tuple[Address, Address] | None = None,
    ) -> asyncio.Protocol:
        """Make what the bytes of a new connection go to."""
        if endpoint.trusts is None:
            return self._make_client(endpoint, sock, addresses)
        from hostler.server.usermode.proxy_protocol import HeaderProtocol  # noqa: PLC0415 - where it is demanded

        return HeaderProtocol(
            self._context,
            endpoint.trusts,
            self.options.timeouts.header_wait
            if endpoint.tls is None
            else endpoint.tls.options.handshake_timeout,
            partial(self._make_client, endpoint, sock),
        )

    def _make_client(
        self,
        endpoint: LiveEndpoint,
        sock: socket.socket | None,
        addresses: tuple[Address, Address] | None,
        peer: Address | None = None,
    ) -> asyncio.Protocol:
        """Make what the bytes of a client go to; `peer` is who is connected, where that is another one."""
        loop, tls = self._context.loop, endpoint.tls
        accept = partial(self._accept, endpoint, peer)
        make = partial(
            ClientSocket,
            loop,
            accept,
            self.options.timeouts.send,
            sock,
            addresses,
            is_encrypted=tls is not None,
        )
        if tls is None:
            return make()
        from hostler.server.usermode.tls.handshake import ServerHandshake  # noqa: PLC0415 - for https alone

        assert self._handshakes is not None
        return ServerHandshake(self._handshakes, tls, make, None if addresses is None else addresses[0])

    def _accept(self, endpoint: LiveEndpoint, peer: Address | None, socket: ClientSocket) -> SocketReader:
        placing: Placing = self.prefixes
        tls = socket.security()
        if tls is not None and endpoint.tls is not None:
            placing = endpoint.tls.placing(placing, tls.server_name)
        connection = AcceptedConnection(self._context, placing, socket, endpoint.scheme, tls).connection
        connection.peer = peer
        return connection

    def reload_certificates(self) -> bool:
        """Have the certificates read again, whether their files changed or not; returns whether there are any."""
        if self._follower is not None:
            self._follower.reload()
        return self._follower is not None

    # -- queues ---------------------------------------------------------------------------------------------------

    async def join(self, queue: str, mode: QueueMode) -> ServedQueue:
        """Serve requests that other processes delegate to `queue`, opened as `mode` says."""
        from hostler.server.usermode.queues.borrower import ServedQueue  # noqa: PLC0415 - with queues only, as below
        from hostler.server.usermode.queues.directory import QueueDirectory  # noqa: PLC0415

        served = ServedQueue(self._context, QueueDirectory(queue).open(mode))
        self._queues.append(served)
        return served

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Open (or share) the delegation rule for `queue` and `prefix`."""
        if not self.can_delegate:
            raise UnsupportedError(
                f"queue {queue!r} cannot be delegated to: the user-mode server lends sockets, which {sys.platform} "
                "cannot; use HTTP.sys there"
            )
        UrlPrefix.parse(prefix)
        if self._rules is None:
            from hostler.server.usermode.queues.rule import delegation_rules  # noqa: PLC0415

            self._rules = delegation_rules(self.options)
        return self._rules.open(queue, prefix)

    def close_rule(self, rule: DelegationRule) -> None:
        """Give a rule back."""
        assert self._rules is not None
        self._rules.close(cast("Rule", rule))

    # -- the response cache ---------------------------------------------------------------------------------------

    async def flush_cache(self, url: str, *, recursive: bool = False) -> None:
        """Do nothing: no response is kept here. Raises ValueError for what is no absolute URL."""
        from hostler.caching import check_url  # noqa: PLC0415 - for who caches

        check_url(url)

    # -- stopping -------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """Stop: no new connections at once, exchanges in progress have `grace` seconds, then they are aborted."""
        context = self._context
        context.stopping = True
        while self._files:
            self._files.pop().remove()
        for listener in self._listeners:
            listener.close()
        if self._follower is not None:
            self._follower.stop()
        if self._handshakes is not None:
            self._handshakes.stop()
        for queue in self._queues:
            queue.leave()
        for connection in list(context.connections):
            connection.finish()
        try:
            async with asyncio.timeout(grace):
                await self._finished()
                for queue in self._queues:
                    await queue.close()
        except TimeoutError:
            await context.handling.abort(grace)
        finally:
            self._drop()

    async def _finished(self) -> None:
        """Wait until closing what is left loses no request and no part of an answer."""
        tasks, unfinished = self._context.handling.tasks, self._context.unfinished
        while self._opening or tasks or unfinished:
            await self._opening.emptied()
            await tasks.emptied()
            await unfinished.emptied()

    def _drop(self) -> None:
        """Let go of everything now."""
        self._context.handling.cancel()
        for connection in list(self._context.connections):
            connection.stop()
        for queue in self._queues:
            queue.hang_up()
        if self._rules is not None:
            self._rules.close_all()
