"""A client without a socket that speaks HTTP/1.1 or 1.0, in bytes, on one connection at a time; h11 parses answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11

from tests.server.httpsys.model.clients.call import PORTS, ClientCall
from tests.server.httpsys.model.http1 import Http1Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.server.httpsys.model.clients.call import Pairs
    from tests.server.httpsys.model.machine import Machine


class _Wire:
    """The client's end of its connection (connection.Wire)."""

    def __init__(self, client: Client) -> None:
        self.send, self.close, self.reset = client.arrived, client.was_closed, client.was_reset
        self._client = client

    @property
    def waiting(self) -> int:
        return self._client.unread

    def resume(self) -> None:
        """Nothing is held back."""


class Client:
    """A client with one connection at a time, HTTP/1."""

    def __init__(
        self, machine: Machine, remote: tuple[str, int], local: str, *, tls: bool, certificate: bytes | None
    ) -> None:
        self.machine = machine
        self.remote, self.local = remote, local
        self._tls, self._certificate = tls, certificate
        self.connection: Http1Connection | None = None
        self.received = bytearray()
        """Everything that came, as it came."""
        self._unread = bytearray()
        self._paused = False
        self._ended = False
        self._calls: list[tuple[ClientCall, h11.Connection]] = []
        self._rest = b""

    # -- requests

    def connect(self, port: int, *, tls: bool = False) -> Http1Connection:
        """Connect, unless there is a connection."""
        with self.machine.step():
            if self.connection is None or self.connection.gone:
                self._rest, self._ended = b"", False
                self.connection = Http1Connection(
                    self.machine,
                    _Wire(self),
                    self.remote,
                    (self.local, port),
                    tls=self._tls or tls,
                    certificate=self._certificate,
                )
            return self.connection

    def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        version: str = "1.1",
        chunked: bool = False,
        length: int | None = None,
        expect: bool = False,
        host: str | None = None,
        target: str | None = None,
    ) -> ClientCall:
        """Send a request.

        `body` is all of it. With `chunked`, or with the `length` that it will have, more follows with `send` and
        `finish`. With `expect` a body is sent when 100 Continue has come. `host` and `target` go out as they are.
        """
        split = urlsplit(url)
        port = split.port or PORTS[split.scheme]
        target = target or (split.path or "/") + (f"?{split.query}" if split.query else "")
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        if host is not None or (host := split.netloc):
            pairs.insert(0, (b"Host", host.encode()))
        if expect:
            pairs.append((b"Expect", b"100-continue"))
        if chunked:
            pairs.append((b"Transfer-Encoding", b"chunked"))
        elif length is not None or body:
            pairs.append((b"Content-Length", b"%d" % (len(body or b"") if length is None else length)))
        head = b"%s %s HTTP/%s\r\n" % (method.encode(), target.encode("latin-1"), version.encode())
        head += b"".join(b"%s: %s\r\n" % pair for pair in pairs) + b"\r\n"
        with self.machine.step():
            connection = self.connect(port, tls=split.scheme == "https")
            call = self._call(connection, chunked=chunked)
            self._calls.append((call, _parser(method, pairs)))
            self._later = (call, body) if expect and body is not None else None
            connection.feed(head)
            if body is not None and not expect:
                call.send(body)
                if chunked:
                    call.finish()
        return call

    _later: tuple[ClientCall, bytes] | None = None

    def _call(self, connection: Http1Connection, *, chunked: bool) -> ClientCall:
        def send(data: bytes) -> None:
            framed = chunked and not call.upgraded
            connection.feed(b"%x\r\n%s\r\n" % (len(data), data) if framed else data)

        def finish(trailers: Pairs) -> None:
            if chunked:
                connection.feed(b"0\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in trailers) + b"\r\n")

        call = ClientCall(self.machine, send, finish)
        return call

    def send_raw(self, data: bytes, port: int = 80) -> None:
        """Send bytes as they are; connects to `port` when there is no connection."""
        with self.machine.step():
            self.connect(port).feed(data)

    def disconnect(self) -> None:
        """Break the connection (RST)."""
        with self.machine.step():
            if self.connection is not None:
                self.connection.lost()
                self.connection = None
            self._broken()

    def close(self) -> None:
        """Say that no more is sent (FIN); answers can still come."""
        with self.machine.step():
            if self.connection is not None:
                self.connection.eof()

    @property
    def paused(self) -> bool:
        """Whether nothing is read: what comes waits, and sends pend when it is much."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        with self.machine.step():
            self._paused = value
            if not value:
                data, self._unread = bytes(self._unread), bytearray()
                self._take(data)
                if self._ended:
                    self._end()
                elif self.connection is not None:
                    self.connection.drained()

    # -- what comes

    def arrived(self, data: bytes) -> None:
        """Take bytes."""
        if self._paused:
            self._unread += data
        else:
            self._take(data)

    def was_closed(self) -> None:
        """Take the end of the connection."""
        self._ended = True
        if not self._paused:
            self._end()

    def was_reset(self) -> None:
        """Take the connection's break."""
        self._unread.clear()
        self._broken()

    @property
    def unread(self) -> int:
        """Bytes that came and were not read."""
        return len(self._unread)

    def _broken(self) -> None:
        for call, _ in self._calls:
            call.reset = True
        self._calls.clear()

    def _take(self, data: bytes) -> None:
        self.received += data
        data, self._rest = self._rest + data, b""
        while data and self._calls:
            call, parser = self._calls[0]
            if call.upgraded:
                call.body += data
                return
            parser.receive_data(data)
            data = self._parse(call, parser)
        self._rest = data

    def _end(self) -> None:
        """Finish what the end of the connection finishes: answers without a length."""
        for call, parser in list(self._calls):
            if call.upgraded:
                call.complete = True
            elif call is self._calls[0][0] and call.status:
                parser.receive_data(b"")
                self._parse(call, parser)
            if not call.complete:
                call.reset = True
        self._calls.clear()

    def _parse(self, call: ClientCall, parser: h11.Connection) -> bytes:
        """Take events; returns what belongs to the next answer."""
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                call.broken = str(error)
                self._calls.pop(0)
                return b""
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return b""
            if isinstance(event, h11.InformationalResponse):
                self._interim(call, event)
                if event.status_code == 101:
                    call.body += parser.trailing_data[0]
                    return b""
            elif isinstance(event, h11.Response):
                call.begun(event.status_code, bytes(event.reason), _pairs(event.headers))
            elif isinstance(event, h11.Data):
                call.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                call.ended(_pairs(event.headers))
                self._calls.pop(0)
                return bytes(parser.trailing_data[0])
            else:
                return b""

    def _interim(self, call: ClientCall, event: h11.InformationalResponse) -> None:
        if event.status_code == 101:
            call.begun(101, bytes(event.reason), _pairs(event.headers))
            call.upgraded = True
            return
        call.informational.append(event.status_code)
        later, self._later = self._later, None
        if event.status_code == 100 and later is not None:
            later[0].send(later[1])
            later[0].finish()


def _parser(method: str, pairs: Pairs) -> h11.Connection:
    """Make a parser for the answer to a request, which it only needs to know the kind of."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    known = [(b"Host", b"x"), *(pair for pair in pairs if pair[0].lower() in {b"upgrade", b"connection"})]
    parser.send(h11.Request(method=method.encode(), target=b"/", headers=known))
    parser.send(h11.EndOfMessage())
    return parser


def _pairs(headers: Any) -> Pairs:
    return [(bytes(name), bytes(value)) for name, value in headers.raw_items()]
