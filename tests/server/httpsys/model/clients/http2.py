"""A client without a socket that has one connection of many streams, as in HTTP/2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.server.httpsys.model.clients.call import PORTS, ClientCall
from tests.server.httpsys.model.http2 import Http2Connection, Http2Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.machine import Machine


class Http2Client:
    """A client with one connection of many streams."""

    def __init__(
        self,
        machine: Machine,
        remote: tuple[str, int],
        local: str,
        *,
        tls: bool,
        certificate: bytes | None,
        version: int = 2,
    ) -> None:
        self.machine = machine
        self.remote, self.local = remote, local
        self._tls, self._certificate, self._version = tls, certificate, version
        self.connection: Http2Connection | None = None
        self._streams: list[tuple[ClientCall, Http2Stream]] = []

    def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        more: bool = False,
    ) -> ClientCall:
        """Send a request; with `more`, its body follows with `send` and `finish`."""
        split = urlsplit(url)
        port = split.port or PORTS[split.scheme]
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        pairs = [(b"Host", split.netloc.encode())]
        pairs += [(name.encode(), value.encode("latin-1")) for name, value in headers]
        with self.machine.step():
            if self.connection is None or self.connection.gone or self.connection.going_away:
                self.connection = Http2Connection(
                    self.machine,
                    self.remote,
                    (self.local, port),
                    tls=self._tls or split.scheme == "https",
                    certificate=self._certificate,
                    version=self._version,
                )
            call = ClientCall(
                self.machine,
                lambda data: _of(stream).body_arrived(data),
                lambda trailers: _of(stream).body_ended(trailers),
            )
            stream = Http2Stream(self.connection, call)
            self._streams.append((call, stream))
            stream.open(method.encode(), target.encode("latin-1"), pairs, body=bool(body) or more)
            if body:
                call.send(body)
            if body and not more:
                call.finish()
        return call

    def cancel(self, call: ClientCall) -> None:
        """Reset one stream."""
        with self.machine.step():
            for entry, stream in self._streams:
                if entry is call:
                    stream.lost()
            call.reset = True

    def disconnect(self) -> None:
        """Break the connection."""
        with self.machine.step():
            if self.connection is not None:
                self.connection.lost()
            for call, _ in self._streams:
                call.reset = call.reset or not call.complete
            self._streams.clear()


def _of(stream: Http2Stream) -> Request:
    assert stream.request is not None
    return stream.request
