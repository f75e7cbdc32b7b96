"""A connection of our own load generator, which asks again as soon as it is answered.

It is connecting or sending (`_unsent` is not empty), then reading an answer (`_left` says how much is missing), then
asks again; where each request has a connection of its own, it waits for the server to close it and opens the next.
Over TLS, the first thing that is sent has OpenSSL shake hands first, which wants to read in between.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import ssl
import sys
import time
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from benchmarks.cases import MESSAGE, Measure

if TYPE_CHECKING:
    from benchmarks.cases import Case

__all__ = ["Client", "Script", "Tally", "client_context", "script_of"]

_READ: Final = 1 << 18
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_UNTIL_LAST_CHUNK: Final = -1


@frozen
class Script:
    """What a connection says."""

    opening: bytes
    """The first request on a connection."""

    request: bytes
    """Every further one; the same, unless the opening is the handshake of a WebSocket."""

    message: int = 0
    """How many bytes answer a message; 0: answers are of HTTP."""

    once: bool = False
    """Each connection takes one request."""

    tls: ssl.SSLContext | None = None
    resumed: bool = False
    """Each connection but a client's first resumes a session; what does not is a failure."""


@define
class Tally:
    """What the connections of a run saw together."""

    times: list[float] = field(factory=list)
    """Seconds of each answer, from the request's first byte, or from `connect`."""

    failures: int = 0
    answers: int = 0
    """How many there were before it counted."""

    waiting: int = 0
    """How many requests have begun and are not over."""

    counting: bool = False
    to_ask: int = sys.maxsize
    """How many requests may yet begin."""


class Client:
    """One connection after the other, as one client would have them."""

    def __init__(
        self, address: tuple[str, int], script: Script, tally: Tally, selector: selectors.BaseSelector
    ) -> None:
        self._address = address
        self._script = script
        self._tally = tally
        self._selector = selector
        self._socket: socket.socket | None = None
        self._session: ssl.SSLSession | None = None
        """What the next connection resumes."""

    def open(self) -> None:
        """Connect, and ask once connected."""
        self._socket = connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opening, self._head = True, b""
        self._left = 0
        self._wait(True)
        self._closes = self._script.once
        self._began = time.perf_counter()
        connection.connect_ex(self._address)
        self._unsent = memoryview(self._script.opening)
        self._events = selectors.EVENT_WRITE
        self._selector.register(connection, self._events, self)

    def close(self) -> None:
        """Leave; may be called again."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def ready(self, events: int) -> None:
        """Go on with what the socket is ready for."""
        try:
            if self._unsent:
                self._send()
            if events & selectors.EVENT_READ and self._socket is not None:
                self._take(self._socket.recv(_READ))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            self._again(failed=self._waiting)

    def ask(self) -> None:
        """Send a request, if one may yet begin."""
        if self._tally.counting:
            if not self._tally.to_ask:
                return
            self._tally.to_ask -= 1
        self._wait(True)
        self._head = b""
        self._began = time.perf_counter()
        self._unsent = memoryview(self._script.request)
        self._send()

    def _wait(self, waiting: bool) -> None:
        self._waiting = waiting
        self._tally.waiting += 1 if waiting else -1

    def _send(self) -> None:
        if self._script.tls is not None and not isinstance(self._socket, ssl.SSLSocket):
            self._encrypt(self._script.tls)
        wanted = selectors.EVENT_READ
        with contextlib.suppress(ssl.SSLWantReadError):
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            wanted |= selectors.EVENT_WRITE if self._unsent else 0
        if self._events != wanted:
            self._events = wanted
            self._selector.modify(self._socket, wanted, self)

    def _encrypt(self, context: ssl.SSLContext) -> None:
        """Encrypt from here on; the descriptor, by which the selector knows the socket, stays the same."""
        self._socket = context.wrap_socket(self._socket, do_handshake_on_connect=False, session=self._session)

    def _take(self, data: bytes) -> None:
        if not data:
            self._again(failed=self._waiting)
        elif not self._waiting:
            self._again(failed=True)  # more than was asked for
        elif self._left:
            self._body(data)
        elif self._script.message and not self._opening:
            self._left = self._script.message
            self._body(data)
        else:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if end:
                self._read_head(head + b"\r\n", rest)

    def _read_head(self, head: bytes, rest: bytes) -> None:
        if self._script.message:
            self._again(failed=True) if not head.startswith(b"HTTP/1.1 101") else self._answered()
            return
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or (length is None and not _CHUNKED.search(head)):
            self._again(failed=True)
            return
        self._closes = self._closes or _CLOSE.search(head) is not None
        self._left, self._head = int(length[1]) if length else _UNTIL_LAST_CHUNK, b""
        self._body(rest)

    def _body(self, data: bytes) -> None:
        if self._left == _UNTIL_LAST_CHUNK:
            self._head = (self._head + data)[-7:]
            if not self._head.endswith(b"\r\n0\r\n\r\n"):
                return
            self._left = 0
        else:
            self._left -= len(data)
        if not self._left:
            self._answered()

    def _answered(self) -> None:
        if self._tally.counting:
            self._tally.times.append(time.perf_counter() - self._began)
        else:
            self._tally.answers += 1
        self._wait(False)
        self._opening = False
        if self._script.resumed and isinstance(self._socket, ssl.SSLSocket):
            self._tally.failures += self._session is not None and not self._socket.session_reused
            self._session = self._socket.session
        if self._tally.counting and not self._closes:
            self.ask()

    def _again(self, *, failed: bool) -> None:
        self._tally.failures += failed
        if self._waiting:
            self._wait(False)
        self.close()
        if self._tally.counting:
            if not self._tally.to_ask:
                return
            self._tally.to_ask -= 1
        self.open()


def script_of(host: str, case: Case) -> Script:
    """Return what a case says."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (("host", host), *case.headers))
    if case.measure is Measure.MESSAGES:
        lines += "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        lines += "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        # a frame of text, masked with zeros (RFC 6455 5.2)
        frame = bytes((0x81, 0x80 | len(MESSAGE), 0, 0, 0, 0)) + MESSAGE
        return Script(f"GET {case.path} HTTP/1.1\r\n{lines}\r\n".encode(), frame, len(MESSAGE) + 2)
    lines += "connection: close\r\n" * case.new_connections
    lines += f"content-length: {case.body}\r\n" if case.body else ""
    request = f"{'POST' if case.body else 'GET'} {case.path} HTTP/1.1\r\n{lines}\r\n".encode() + bytes(
        case.body
    )
    return Script(
        request,
        request,
        once=case.new_connections,
        tls=client_context() if case.tls else None,
        resumed=case.resumed,
    )


def client_context() -> ssl.SSLContext:
    """Return the settings of a client over TLS, which verifies nothing, as h2load."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
