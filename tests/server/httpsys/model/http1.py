"""Connections with HTTP/1.0 or 1.1 on them: bytes in, requests out; responses in, bytes out.

h11 parses, one request after another: what was pipelined waits until the request before is answered and its body is
over. A fresh parser is made for each request; its other half, which would send, is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.connection import HIGH_WATER, Connection
from tests.server.httpsys.model.exchange import Request
from tests.server.httpsys.model.url import BadUrlError, cook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.connection import Pairs, Wire
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.reply import Reply


class Http1Connection(Connection):
    """A connection with HTTP/1.0 or 1.1 on it."""

    def __init__(self, machine: Machine, wire: Wire, remote: tuple[str, int], local: tuple[str, int],
                 *, tls: bool = False, certificate: bytes | None = None) -> None:  # fmt: skip
        super().__init__(machine, remote, local, tls=tls, certificate=certificate)
        self.wire = wire
        self.request: Request | None = None
        self._parser = self._fresh_parser()
        self._surplus = b""
        self._ended = False
        """The client has said that it sends no more."""
        self._body_over = True
        self._answered = True
        self._opaque = False
        self._keep = True
        self._awaited = False
        """The client waits for 100 Continue."""
        self._clear: list[Callable[[], None]] = []
        self._busy = False

    def _fresh_parser(self) -> h11.Connection:
        return h11.Connection(h11.SERVER, max_incomplete_event_size=self.machine.max_request_bytes)

    # -- what the client sends ------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.gone:
            return
        if self._opaque:
            assert self.request is not None
            self.request.body_arrived(data)
            return
        self._surplus += data
        self._advance()

    def eof(self) -> None:
        """Note that the client sends no more; it may still wait for its answer."""
        if self.gone or self._ended:
            return
        self._ended = True
        if self._opaque and self.request is not None:
            self.request.body_ended()
        elif self._answered:
            self._close()
        elif not self._body_over:
            # guess: the end of the client's sending is no disconnect (the disconnect token of ASP.NET fires on RST, not on FIN)
            self._broken_off()

    def lost(self) -> None:
        """Note that the connection is broken."""
        request, self.request = self.request, None
        # guess: a client that goes away ends what is pending for its requests with ERROR_CONNECTION_INVALID
        if request is not None and not request.gone:
            request.drop(c.CONNECTION_INVALID)
        clear, self._clear = self._clear, []
        for call in clear:
            call()
        if not self.gone:
            self.over()

    @property
    def wants_more(self) -> bool:
        """Whether the client's bytes may come."""
        if self.gone or self._ended:
            return False
        if self.request is not None and not self.request.gone and len(self.request.body) > HIGH_WATER:
            return False
        return len(self._surplus) <= HIGH_WATER

    def _advance(self) -> None:
        """Parse as far as the state of the exchange allows."""
        if self._busy:
            return
        self._busy = True
        try:
            while not self.gone and not self._opaque and self._step():
                pass
        finally:
            self._busy = False

    def _step(self) -> bool:
        """Take one step; returns whether there may be another."""
        if self._answered and self._body_over:
            # source: RFC 9112 2.2: empty lines in front of a request are passed over
            if self._surplus.lstrip(b"\r\n") == b"":
                return False
            self._parser = self._fresh_parser()
        elif self._body_over:
            return False
        try:
            if self._surplus:
                data, self._surplus = self._surplus, b""
                self._parser.receive_data(data)
            event = self._parser.next_event()
        except h11.RemoteProtocolError as error:
            self._malformed(error)
            return False
        if event is h11.NEED_DATA:
            if self._answered and self._body_over:
                self._surplus = self._parser.trailing_data[0]  # parse the head again when there is more of it
            return False
        return self._event(event)

    def _event(self, event: object) -> bool:
        request = self.request
        if isinstance(event, h11.Request):
            self._head(event)
        elif isinstance(event, h11.Data):
            self._awaited = False
            if request is not None:
                request.body_arrived(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._body_over = True
            self._surplus = bytes(self._parser.trailing_data[0])
            if request is not None:
                request.body_ended([(bytes(name), bytes(value)) for name, value in event.headers])
            self._next()
        return True

    def _head(self, event: h11.Request) -> None:
        headers = [(bytes(name), bytes(value)) for name, value in event.headers.raw_items()]
        version = (1, 0) if event.http_version == b"1.0" else (1, 1)
        tokens = b",".join(value.lower() for name, value in headers if name.lower() == b"connection")
        # source: RFC 9112 9.3: HTTP/1.1 persists unless it says close, 1.0 where it says keep-alive
        self._keep = b"close" not in tokens if version == (1, 1) else b"keep-alive" in tokens
        self._awaited = self._parser.they_are_waiting_for_100_continue
        self._body_over = self._answered = False
        host = next((value for name, value in headers if name.lower() == b"host"), None)
        method, target = bytes(event.method), bytes(event.target)
        size = len(method) + len(target) + sum(len(name) + len(value) + 4 for name, value in headers) + 14
        # source: "Http.sys registry settings for Windows": MaxRequestBytes, 16384; 400 with reason RequestLength
        if size > self.machine.max_request_bytes:
            self._refuse(400, "RequestLength")
            return
        if method == b"CONNECT":
            # guess: CONNECT is refused by the kernel, where no prefix could match it
            self._refuse(400, "Verb")
            return
        try:
            url = cook(target, host, tls=self.tls, port=self.local[1])
        except BadUrlError:
            self._refuse(400, "URL")
            return
        request = self.request = Request(self.machine, self, method, target, headers, version, url)
        encodings = [value.lower() for name, value in headers if name.lower() == b"transfer-encoding"]
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        if not encodings and (not lengths or int(lengths[0]) == 0):
            request.body_over = True
        if method in {b"POST", b"PUT"} and version == (1, 1) and not encodings and not lengths:
            # source: ASP.NET's OpaqueUpgradeTests: HTTP.sys itself answers 411 to a POST or PUT that says no length
            self._refuse(411, "LengthRequired")
            return
        self.route(request, host)

    def _malformed(self, error: h11.RemoteProtocolError) -> None:
        """Answer what cannot be parsed, unless an answer is on its way already."""
        if self._answered:
            # source: "Error logging in HTTP Server API": 505 Version_N/S, 501 N/I for a transfer coding, 400 for the rest
            version = b"version" in str(error).encode().lower()
            self._body_over = self._answered = False
            self._refuse(505 if version else 501 if error.error_status_hint == 501 else 400, "Header")
        else:
            self._broken_off()

    def _broken_off(self) -> None:
        """Answer a body that cannot go on, unless an answer has begun."""
        request = self.request
        assert request is not None
        begun = request.reply is not None
        if not request.gone:
            request.drop(c.CONNECTION_INVALID)
        if begun:
            self.reset()
        else:
            self._refuse(400, "BadRequest")

    def idle_out(self) -> None:
        """Close when the endpoint is no more: now, or when the answer that is under way is over."""
        # guess: with the last URL of a port its connections are closed, when the answer that is under way is over
        self._keep = False
        if self._answered and self._body_over:
            self._close()

    def _refuse(self, status: int, reason: str) -> None:
        self.machine.httperr.append((status, reason))
        url = cook(b"/", b"", tls=self.tls, port=self.local[1])
        self.request = Request(self.machine, self, b"GET", b"/", [], (1, 1), url)
        self.request.body_over = True
        self.request.refuse(status)

    # -- what is answered (Channel) -------------------------------------------------------------------------------

    @property
    def clogged(self) -> bool:
        return self.wire.waiting > HIGH_WATER

    def when_clear(self, call: Callable[[], None]) -> None:
        self._clear.append(call)

    def drained(self) -> None:
        """Note that the client took something."""
        if not self.clogged:
            clear, self._clear = self._clear, []
            for call in clear:
                call()

    def proceed(self) -> None:
        if self._awaited:
            self._awaited = False
            self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def consumed(self) -> None:
        self.wire.resume()

    def begin(self, reply: Reply, headers: Pairs) -> int:
        head, request = reply.head, reply.request
        if self._awaited:
            # guess: whoever is answered without 100 Continue may send the body or not, and the connection closes
            reply.close = True  # the body that was announced may come or not
        close = reply.close or reply.ends_with_connection or not self._keep
        if not reply.opaque and head.get(b"connection") is None:
            if close:
                # source: ASP.NET's Response: HTTP.sys adds Connection: close by itself
                headers.append((b"Connection", b"close"))
            elif request.version == (1, 0):
                headers.append((b"Connection", b"keep-alive"))
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        data = b"HTTP/1.1 %d %s\r\n%s\r\n" % (head.status, head.reason, lines)
        self.wire.send(data)
        if reply.opaque:
            # source: HttpSendHttpResponse: with OPAQUE all bytes that follow are the entity body
            self._opaque = True
            self._body_over = True
            request.body_over = self._ended
            surplus, self._surplus = self._surplus, b""
            if surplus:
                request.body_arrived(surplus)
        return len(data)

    def write(self, data: bytes) -> int:
        self.wire.send(data)
        return len(data)

    def end(self, reply: Reply, trailers: Pairs, *, close: bool) -> None:
        self._answered = True
        if close or not self._keep:
            self._close()
            return
        self._next()
        self._advance()

    def _next(self) -> None:
        """Go on to the next request when this one is over on both sides."""
        if self._answered and self._body_over and not self._opaque:
            self.request = None
            if self._ended:
                self._close()

    def _close(self) -> None:
        self.request = None
        self.over()
        self.wire.close()

    def go_away(self) -> None:
        """HTTP/1 has no such frame."""

    def reset(self) -> None:
        self.request = None
        self.over()
        self.wire.reset()
