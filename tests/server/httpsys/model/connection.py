"""Clients' connections as the kernel sees them: what those of HTTP/1 (http1.py) and of HTTP/2 (http2.py) share.

Both give each request a channel to answer on, which is the connection itself or one of its streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tests.server.httpsys.model import codes as c

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.port import Operation
    from tests.server.httpsys.model.reply import Reply

Pairs = list[tuple[bytes, bytes]]
HIGH_WATER = 1 << 16
"""Bytes that may wait on either side before the other is held back."""


class Wire(Protocol):
    """Where a connection's bytes go."""

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""

    def send(self, data: bytes) -> None:
        """Give bytes to the client."""

    def close(self) -> None:
        """Say that there is no more."""

    def reset(self) -> None:
        """Break the connection."""

    def resume(self) -> None:
        """Read again, after `wants_more` was False."""


class Channel(Protocol):
    """What a request is answered on."""

    connection_id: int
    """What HTTP_REQUEST.ConnectionId says, and waits for a disconnect take."""
    raw_connection_id: int
    """HTTP_REQUEST.RawConnectionId."""
    remote: tuple[str, int]
    local: tuple[str, int]
    tls: bool
    certificate: bytes | None

    @property
    def clogged(self) -> bool:
        """Whether the client does not keep up."""

    def when_clear(self, call: Callable[[], None]) -> None:
        """Call back when it does again."""

    def proceed(self) -> None:
        """Send 100 Continue where the client waits for it."""

    def consumed(self) -> None:
        """Note that some of the body was read."""

    def begin(self, reply: Reply, headers: Pairs) -> int:
        """Send a head; returns its size."""

    def write(self, data: bytes) -> int:
        """Send some of the body; returns its size."""

    def end(self, reply: Reply, trailers: Pairs, *, close: bool) -> None:
        """Note that the response is complete."""

    def go_away(self) -> None:
        """Ask the client for no more requests on the connection (GOAWAY)."""

    def reset(self) -> None:
        """Break off: the connection, or the stream."""


class Disconnecting:
    """What has a connection id, and whoever wants to know when it is over."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.connection_id = machine.new_id()
        self.waits: list[Operation] = []
        """HttpWaitForDisconnect(Ex)."""
        self.gone = False
        machine.connections[self.connection_id] = self

    def over(self) -> None:
        """Be over, and tell who waits for that."""
        if self.gone:
            return
        self.gone = True
        del self.machine.connections[self.connection_id]
        waits, self.waits = self.waits, []
        for operation in waits:
            operation.complete(c.OK)

    def idle_out(self) -> None:
        """Close when the endpoint is no more."""
        raise NotImplementedError


class Connection(Disconnecting):
    """What both kinds have: who is at the ends, and who wants to know when it is over."""

    def __init__(
        self,
        machine: Machine,
        remote: tuple[str, int],
        local: tuple[str, int],
        *,
        tls: bool = False,
        certificate: bytes | None = None,
    ) -> None:
        super().__init__(machine)
        self.raw_connection_id = self.connection_id
        self.remote, self.local = remote, local
        self.tls, self.certificate = tls, certificate

    def over(self) -> None:
        """Forget the connection, and tell who waits for that."""
        for group in {entry.group for entry in self.machine.registry.registrations.values()}:
            group.connections.discard(self)
        super().over()

    def route(self, request: Request, host: bytes | None) -> None:
        """Find who takes a request, or answer it here."""
        machine = self.machine
        found = machine.registry.find(request.url, self.local[1], self.local[0])
        if isinstance(found, int):
            # source: "Error logging in HTTP Server API": 400 with reason Hostname where no host matches
            # guess: a host that is known, and none of its prefixes the path's: 404, as IIS users see it
            machine.httperr.append((found, "Hostname" if found == 400 else "NotFound"))
            request.refuse(found, b"Bad Request - Invalid Hostname" if found == 400 else None)
            return
        group = found.group
        request.group, request.context = group, found.context
        queue = group.queue
        most = group.most_connections
        # source: HTTP_CONNECTION_LIMIT_INFO: of a URL group; beyond it requests are refused with ConnLimit
        if most is not None and self not in group.connections and len(group.connections) >= most:
            request.unavailable(queue, "ConnLimit")
            return
        group.connections.add(self)
        # source: HttpSetUrlGroupProperty: 503 for a group that is not bound to a queue
        # source: "Error logging in HTTP Server API": 503 with reason Disabled, AppOffline
        if queue is None or not group.active:
            request.unavailable(queue, "Disabled" if queue is not None else "AppOffline")
        elif queue.gone:
            request.unavailable(queue, "AppOffline")
        elif not machine.cache.answer(request, found):
            queue.arrive(request)
