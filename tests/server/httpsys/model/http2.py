"""Connections with streams on them, as in HTTP/2 and 3: in memory only; requests and responses are values, not bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.connection import HIGH_WATER, Connection, Disconnecting
from tests.server.httpsys.model.exchange import Request
from tests.server.httpsys.model.url import cook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.connection import Pairs
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.reply import Reply


class Http2Connection(Connection):
    """A connection with streams on it; only in memory."""

    def __init__(self, machine: Machine, remote: tuple[str, int], local: tuple[str, int],
                 *, tls: bool = True, certificate: bytes | None = None, version: int = 2) -> None:  # fmt: skip
        super().__init__(machine, remote, local, tls=tls, certificate=certificate)
        self.version = (version, 0)
        self.streams: list[Http2Stream] = []
        self.going_away = False
        """The client was asked to open no more streams (GOAWAY)."""

    def lost(self) -> None:
        """Note that the connection is broken."""
        for stream in list(self.streams):
            stream.lost()
        self.over()

    eof = lost

    def idle_out(self) -> None:
        """Close when the endpoint is no more and no stream is open."""
        if not self.streams:
            self.over()


class Answer(Protocol):
    """Who takes a stream's response, as values."""

    waiting: int

    def begun(self, status: int, reason: bytes, headers: Pairs) -> None:
        """Take the head."""

    def data(self, data: bytes) -> None:
        """Take some of the body."""

    def ended(self, trailers: Pairs) -> None:
        """Take the end."""

    def was_reset(self, code: int) -> None:
        """Take the stream's end before its time."""


class Http2Stream(Disconnecting):
    """One request on such a connection."""

    def __init__(self, connection: Http2Connection, answer: Answer) -> None:
        # source: aspnetcore#38059, HttpSysServer#442: each has a connection id of its own, for waits for a disconnect
        super().__init__(connection.machine)
        self.connection = connection
        self.answer = answer
        self.raw_connection_id = connection.connection_id
        self.remote, self.local = connection.remote, connection.local
        self.tls, self.certificate = connection.tls, connection.certificate
        self.request: Request | None = None
        self.error_code = 8
        """What it is reset with: CANCEL, unless HttpSetRequestProperty says otherwise."""
        self._clear: list[Callable[[], None]] = []
        connection.streams.append(self)

    def open(self, method: bytes, target: bytes, headers: Pairs, *, body: bool) -> None:
        """Take a request from the client."""
        connection = self.connection
        host = next((value for name, value in headers if name.lower() == b"host"), None)
        url = cook(target, host, tls=self.tls, port=self.local[1])
        self.request = Request(connection.machine, self, method, target, headers, connection.version, url)
        self.request.body_over = self.request.bodiless = not body
        lengths = any(name.lower() == b"content-length" for name, _ in headers)
        if method in {b"POST", b"PUT"} and not body and not lengths:
            # source: ASP.NET's Http2Tests: 411 from HTTP.sys itself, where the stream ends with its headers
            connection.machine.httperr.append((411, "LengthRequired"))
            self.request.refuse(411)
            return
        connection.route(self.request, host)

    def lost(self) -> None:
        """Note that the client is gone, or does not want it any more."""
        self._forget()
        if self.request is not None and not self.request.gone:
            self.request.drop(c.CONNECTION_INVALID)

    def idle_out(self) -> None:
        """Stay: the connection closes when no stream is open."""

    def _forget(self) -> None:
        # guess: the id is over with its stream, and so are the waits for it; of what else would they be told?
        self.over()
        if self in self.connection.streams:
            self.connection.streams.remove(self)

    @property
    def clogged(self) -> bool:
        return self.answer.waiting > HIGH_WATER

    def when_clear(self, call: Callable[[], None]) -> None:
        self._clear.append(call)

    def drained(self) -> None:
        if not self.clogged:
            clear, self._clear = self._clear, []
            for call in clear:
                call()

    def proceed(self) -> None:
        pass

    def consumed(self) -> None:
        pass

    def begin(self, reply: Reply, headers: Pairs) -> int:
        self.answer.begun(reply.head.status, b"", [(name.lower(), value) for name, value in headers])
        return sum(len(name) + len(value) for name, value in headers)

    def write(self, data: bytes) -> int:
        self.answer.data(data)
        return len(data)

    def end(self, reply: Reply, trailers: Pairs, *, close: bool) -> None:
        self._forget()
        self.answer.ended(trailers)

    def go_away(self) -> None:
        self.connection.going_away = True

    def reset(self) -> None:
        self._forget()
        self.answer.was_reset(self.error_code)
