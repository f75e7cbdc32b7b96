"""The ends of a rehearsal: what a client and destinations would get is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, NoReturn

from attrs import define, field, frozen

from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.outgoing import delegated_head
from hostler.contract import Delegated
from hostler.http.encode import encode_response
from hostler.native import NOTHING_NATIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.client.address import DestinationAddress
    from hostler.client.tls.contexts import DestinationTls
    from hostler.client.upstream import ConnectionOwner, UpstreamConnection
    from hostler.client.web_proxy import HttpProxy
    from hostler.config.model import HttpClient
    from hostler.contract import Pump, RequestSource
    from hostler.errors import Failure
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response
    from hostler.native import NativeRequest
    from hostler.server.base import DelegationRule

__all__ = ["RecordingConnector", "RecordingRules", "RecordingStream", "Sent", "make_offline_loop"]

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
"""What every destination answers."""


@frozen
class Sent:
    """A request that would have gone out."""

    to: str
    """Where: the place of a connection, or a queue and its URL prefix."""

    head: bytes


class _Wire(asyncio.Transport):
    """A connection's transport: keeps the first request, and has it answered when it is whole."""

    def __init__(self, protocol: asyncio.Protocol, sent: Callable[[bytes], object]) -> None:
        super().__init__()
        self._protocol = protocol
        self._sent = sent
        self._written = b""
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is written; a head is followed by its answer."""
        self._written += bytes(data)
        if self._written.endswith(b"\r\n\r\n"):
            self._sent(self._written)
            self._written = b""
            asyncio.get_running_loop().call_soon(self._protocol.data_received, ANSWER)

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._closing

    def close(self) -> None:
        """Close; whoever writes is told at once that the connection is gone."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        """Do nothing: the answer has no body."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        """Return 0: everything is taken at once."""
        return 0

    def can_write_eof(self) -> bool:
        """Return False."""
        return False


@define
class RecordingConnector:
    """Opens connections that keep what is written; in place of `hostler.client.connector.Connector`."""

    record: Callable[[Sent], object]
    address: DestinationAddress
    client: HttpClient
    tls: DestinationTls | None
    proxy: HttpProxy | None

    async def connect(self, owner: ConnectionOwner) -> UpstreamConnection:
        """Open one, to nowhere."""
        loop = asyncio.get_running_loop()
        connection = Http1UpstreamConnection(owner, loop, self.client.pooled_connection_idle_timeout)
        connection.connection_made(_Wire(connection, lambda head: self.record(Sent(self._place, head))))
        return connection

    @property
    def _place(self) -> str:
        address = self.address
        if address.socket_path is not None:
            return f"the Unix socket {address.socket_path}"
        place = f"{address.host}, port {address.port}"
        if self.tls is not None:
            place += f", over TLS as {address.server_name}"
        if self.proxy is not None:
            place += f", through the web proxy {self.proxy.host}, port {self.proxy.port}"
        return place


@define(eq=False)
class _Rule:
    """A delegation rule that is open on nothing."""

    queue: str
    prefix: str

    def reset(self) -> None:
        """Do nothing."""


class RecordingRules:
    """The delegation rules of a server that keeps what is delegated."""

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Open a rule, whether there is such a queue or not."""
        return _Rule(queue, prefix)

    def close_rule(self, rule: DelegationRule) -> None:
        """Do nothing."""


@define(eq=False)
class RecordingStream:
    """The client's side of an exchange: one request without a body, and the head of the answer; `Stream`."""

    came: bytes
    """The request's head, as it came."""

    record: Callable[[Sent], object]
    hands_over_what_came: bool = False
    """Whether what is delegated goes as it came, as with HTTP.sys."""

    answer: bytes = b""
    """The head of the answer, as it would go to the client, without what a server adds."""

    started: bool = False
    closed: bool = False
    status: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    takes_plain: bool = False
    delegated: bool = False
    _pump: Pump | None = field(default=None, init=False)
    native: ClassVar[NativeRequest] = NOTHING_NATIVE

    @property
    def can_delegate(self) -> bool:
        """Whether nobody has begun to answer."""
        return not self.started and self._pump is None

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Tell whoever answers that the body is complete."""
        self._pump = pump
        if not knows_end:
            pump.feed_end([])

    def detach(self) -> None:
        """Let somebody else answer."""
        self._pump = None

    def limit_body(self, size: int) -> None:
        """Do nothing: there is no body."""

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Do nothing: this client stays."""

    def proceed(self) -> None:
        """Do nothing: there is no body."""

    def pause(self) -> None:
        """Do nothing: there is no body."""

    def resume(self) -> None:
        """Do nothing: there is no body."""

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Do nothing: no destination sends interim responses here."""

    def start(self, response: Response, data: bytes = b"") -> None:
        """Keep the head of the answer."""
        self.started = True
        self.status = response.status
        self.answer = encode_response(response.status, response.headers.pairs(), response.reason)
        self.write(data)

    def write(self, data: bytes) -> None:
        """Count a piece of the body."""
        self.bytes_sent += len(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Note that the answer is complete."""
        self.closed = True

    def abort(self) -> None:
        """Note that there will be no more of the answer."""
        self.closed = True

    async def delegate(self, rule: DelegationRule, source: RequestSource, headers: RawHeaders) -> Delegated:
        """Keep what the process of a queue would get."""
        head = self.came if self.hands_over_what_came else delegated_head(source, self.came)
        self.record(Sent(f"a process of the queue {rule.queue}, under {rule.prefix}", head))
        self.started = self.closed = self.delegated = True
        self.status = 200
        return Delegated(200)


async def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise ConnectionRefusedError("nothing is connected to in a rehearsal")


def make_offline_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop that connects to nothing, whatever a policy asks of it."""
    loop = asyncio.SelectorEventLoop()
    for name in (
        "create_connection",
        "create_unix_connection",
        "create_datagram_endpoint",
        "sock_connect",
        "getaddrinfo",
    ):
        setattr(loop, name, _refuse)
    return loop
