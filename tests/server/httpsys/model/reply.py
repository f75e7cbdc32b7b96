"""A response inside the kernel: what HTTP.sys adds to it, how its body is framed, and how the connection goes on."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

import h11
from attrs import define, field

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request

_API = b"Microsoft-HTTPAPI/2.0"
_BODILESS = {204, 205, 304}
"""Whose responses have no body, and get no length."""
# source: ASP.NET's Response: StatusWithNoResponseBody, and no Content-Length: 0 for them either
# guess: HTTP.sys leaves such a head as it is; RFC 9112 6.3 has a client wait for the body of a 205 without a length


@define(eq=False)
class Head:
    """What an application says of its response (HTTP_RESPONSE)."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]] = field(factory=list)

    def get(self, name: bytes) -> bytes | None:
        """Give a header's value, lower-cased."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.strip().lower()
        return None


class _ChunkCheck:
    """Follows a body that the application chunks itself: HTTP.sys passes it on as it is, right or wrong."""

    def __init__(self) -> None:
        self._parser = h11.Connection(h11.CLIENT)
        self._parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._parser.send(h11.EndOfMessage())
        self.wrong = "is chunked and ends without the last chunk"
        self.feed(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n")

    def feed(self, data: bytes) -> None:
        """Take more of it."""
        try:
            self._parser.receive_data(data)
            while isinstance(event := self._parser.next_event(), (h11.Response, h11.Data, h11.EndOfMessage)):
                if isinstance(event, h11.EndOfMessage):
                    self.wrong = ""
        except h11.RemoteProtocolError as error:
            self.wrong = f"has chunks that are none: {error}"


class Reply:
    """The response to one request.

    Its body ends with its Content-Length; or with the application's own last chunk; or, when it is of unknown length,
    with the connection, which takes the DISCONNECT flag; or with the stream (HTTP/2).
    """

    def __init__(self, request: Request, head: Head, flags: int, whole: int | None) -> None:
        """Prepare a response; `whole` is the size of its body where that is all there is."""
        self.request = request
        self.head = head
        self.opaque = bool(flags & c.OPAQUE)
        self.over = False
        self.sent = 0
        """Bytes of the body that the application gave."""
        self.bodiless = head.status in _BODILESS
        self.dropped = request.method == b"HEAD" or self.bodiless
        """The body is not sent."""
        given = head.get(b"content-length")
        self.length = int(given) if given is not None else None
        encoding = head.get(b"transfer-encoding")
        http1 = request.version < (2, 0)
        self.chunked = http1 and encoding is not None and encoding.endswith(b"chunked")
        self.chunks_itself = False
        # source: HTTP_SEND_RESPONSE_FLAG_DISCONNECT of HttpSendHttpResponse: it is the flag that ends the connection
        # source: ASP.NET's Response: a response's Connection: close is always sent with that flag
        # guess: the header alone closes nothing, the strictest reading: end() has it as a defect
        self.close = bool(flags & c.DISCONNECT)
        # source: RFC 9112 6.1: not to who asked in HTTP/1.0; RFC 9113 8.2.2: not in HTTP/2
        if encoding is not None and (not http1 or request.version == (1, 0)):
            self._defect("has Transfer-Encoding on a version that has none")
        if self.length is None and encoding is None and not self.opaque and not self.bodiless:
            # source: ASP.NET's Response: HTTP.sys sets the length of what one call sends whole
            if whole is not None and (whole or request.method != b"HEAD"):
                self.length = whole
                head.headers.append((b"Content-Length", b"%d" % whole))
            # guess: HTTP_SEND_RESPONSE_FLAG_AUTOMATIC_CHUNKING has no page; it does what its name says, in HTTP/1.1
            elif flags & c.AUTOMATIC_CHUNKING and request.version == (1, 1):
                self.chunked = self.chunks_itself = True
                head.headers.append((b"Transfer-Encoding", b"chunked"))
        self._check = _ChunkCheck() if self.chunked and not self.chunks_itself else None
        self.ends_with_connection = (
            http1 and self.length is None and not self.chunked and not self.opaque and not self.dropped
        )

    @staticmethod
    def check(request: Request, head: Head, flags: int) -> None:
        """Raise Win32 when HTTP.sys would not take the head."""
        # source: HttpSendHttpResponse: OPAQUE is for 101 only, and ERROR_INVALID_PARAMETER else
        # guess: nor can a 101 be sent without it
        if bool(flags & c.OPAQUE) != (head.status == 101):
            raise Win32(c.INVALID_PARAMETER)
        # source: ASP.NET's Request: upgrades are for HTTP/1.1
        if head.status == 101 and request.version != (1, 1):
            raise Win32(c.INVALID_PARAMETER)
        # source: ASP.NET's Response: 100 Continue is HTTP.sys' own, and a status is up to 999
        # guess: no other 1xx can be sent
        if not (head.status == 101 or 200 <= head.status <= 999):
            raise Win32(c.INVALID_PARAMETER)
        # guess: a name or value that would split the head is ERROR_INVALID_PARAMETER
        for name, value in head.headers:
            if (
                not name
                or any(byte in b"\r\n\0 :" for byte in name)
                or any(byte in b"\r\n\0" for byte in value)
            ):
                raise Win32(c.INVALID_PARAMETER)
        length = head.get(b"content-length")
        if length is not None and not length.isdigit():
            raise Win32(c.INVALID_PARAMETER)

    def _defect(self, what: str) -> None:
        request = self.request
        url = request.target.decode("latin-1")
        request.machine.defect(f"the response to {request.method.decode()} {url} {what}")

    def begin(self) -> int:
        """Send the head; returns its size."""
        head = self.head
        # source: wine: httpapi/tests/httpapi.c: Date is always HTTP.sys' own, whatever the application gives
        headers = [(name, value) for name, value in head.headers if name.lower() not in {b"server", b"date"}]
        own = next((value for name, value in head.headers if name.lower() == b"server"), None)
        # source: HttpSendHttpResponse: the own Server, a space, Microsoft-HTTPAPI; "Http.sys registry settings for Windows": DisableServerHeader
        if self.request.machine.disable_server_header < 2:
            headers.append((b"Server", own + b" " + _API if own else _API))
        elif own:
            headers.append((b"Server", own))
        headers.append((b"Date", formatdate(usegmt=True).encode()))
        return self.request.channel.begin(self, headers)

    def write(self, data: bytes) -> int:
        """Send a piece of the body; returns its size."""
        self.sent += len(data)
        if data and self.bodiless:
            self._defect(f"has a body, and its status is {self.head.status}")
        if not data or self.dropped:
            return 0
        if self.length is not None and self.sent > self.length:
            # source: wine: httpapi/tests/httpapi.c: the body is not cut, and so the client takes the rest for an answer
            self._defect(f"has {self.sent} bytes of a Content-Length of {self.length}")
        if self._check is not None:
            self._check.feed(data)
        if self.chunks_itself:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        return self.request.channel.write(data)

    def end(self, flags: int, trailers: list[tuple[bytes, bytes]]) -> None:
        """Finish the response, and see to the connection."""
        self.over = True
        close = self.close or bool(flags & c.DISCONNECT)
        if self.length is not None and not self.dropped and self.sent < self.length:
            # guess: a body that is shorter than its length breaks the connection, as nothing else can tell the client
            self._defect(f"ends after {self.sent} bytes of a Content-Length of {self.length}")
            self.request.channel.reset()
            return
        if self.head.get(b"connection") == b"close" and not close and self.request.version < (2, 0):
            self._defect("has Connection: close and is not ended with DISCONNECT")
        # source: HttpSendHttpResponse: without Content-Length and Transfer-Encoding the application has to use DISCONNECT
        if self.ends_with_connection and not close:
            self._defect("is of unknown length and is not ended with DISCONNECT")
        if self._check is not None and not self.dropped and (wrong := self._check.wrong):
            self._defect(wrong)
        if self.chunks_itself:
            lines = b"".join(b"%s: %s\r\n" % pair for pair in trailers)
            self.request.channel.write(b"0\r\n%s\r\n" % lines)
            trailers = []
        self.request.channel.end(self, trailers, close=close or self.ends_with_connection or self.opaque)
