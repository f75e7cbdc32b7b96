"""HTTP/1.1 on httptools: heads in, heads out, and the three framings of a body (RFC 9112).

Theory of operation. One object reads one thing, and knows where it ends:

- `RequestReader` and `ResponseReader` read one head each. They look for the empty line themselves and give llhttp
  exactly the head, because httptools does not say where in its input a message ended, and a connection that may be
  lent to another process must know that to the byte. What follows the head stays untouched in `rest`.
- `LengthBody`, `ChunkedBody` and `ClosingBody` read one body each: `feed(data)` returns the payload pieces, and sets
  `done` and `rest` when the body's last byte was among them. No piece is copied that need not be.

So nothing is ever parsed ahead: a pipelined request waits as bytes until the one before it has been answered.

Rules for whoever changes this file: no I/O, no time; a reader raises ProtocolError and nothing else, whatever it is
fed; how bytes are cut into chunks never changes the result (tests/http/test_h1.py holds both with hypothesis).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Protocol

import httptools  # type: ignore[import-untyped, unused-ignore]

from hostler.errors import ProtocolError
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Request, Response, reason_phrase
from hostler.http.rules import Limits, frame_request, frame_response

__all__ = [
    "Body",
    "ChunkedBody",
    "ClosingBody",
    "LengthBody",
    "RequestReader",
    "ResponseReader",
    "body_reader",
    "encode_chunk",
    "encode_last_chunk",
    "encode_request",
    "encode_response",
]

_END: Final = b"\r\n\r\n"
_DEFAULT_LIMITS: Final = Limits()


class _Head(ABC):
    """What both readers share: collecting bytes up to the empty line, and llhttp's callbacks."""

    __slots__ = ("_buffer", "_fed", "_headers", "_limits", "_parser", "_url", "head", "rest")

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = b""
        self._fed = 0
        self._url = b""
        self._headers: RawHeaders = []
        self.head = b""
        """The head's own bytes, once complete."""
        self.rest = b""
        """What followed the head in the same bytes."""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    @property
    def begun(self) -> bool:
        """Whether any byte of the head has arrived."""
        return bool(self._buffer)

    def _advance(self, data: bytes) -> bool:
        """Take `data`; return whether the head is complete, then in `head`, with `rest` after it."""
        searched = len(self._buffer)
        buffer = self._buffer + data if searched else data
        if buffer[:1] in {b"\r", b"\n"}:
            # RFC 9112 2.2: an empty line or more before the request line is ignored
            buffer = buffer.lstrip(b"\r\n")
            searched = 0
        end = buffer.find(_END, searched - 3 if searched > 3 else 0)
        limits = self._limits
        if end < 0:
            self._buffer = buffer
            self._parse(buffer[self._fed :])
            self._fed = len(buffer)
            if len(buffer) > limits.head or (len(buffer) > limits.request_line and b"\r\n" not in buffer):
                raise self._too_long(buffer)
            return False
        end += 4
        if end == len(buffer):
            self.head = buffer
        else:
            self.head = buffer[:end]
            self.rest = buffer[end:]
        if end > limits.head:
            raise self._too_long(self.head)
        self._parse(self.head[self._fed :] if self._fed else self.head)
        self._buffer = b""
        if len(self._headers) > limits.headers:
            raise ProtocolError(f"more than {limits.headers} header lines", 431)
        return True

    def _too_long(self, head: bytes) -> ProtocolError:
        line = head.find(b"\r\n")
        if line < 0 or line > self._limits.request_line:
            return ProtocolError(f"the first line is longer than {self._limits.request_line} bytes", 414)
        return ProtocolError(f"the head is longer than {self._limits.head} bytes", 431)

    @abstractmethod
    def _parse(self, data: bytes) -> None:
        """Give bytes of the head to llhttp."""


class RequestReader(_Head):
    """Reads one request head: `feed` until it returns the Request; the bytes after it are in `rest`."""

    __slots__ = ()

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._parser = httptools.HttpRequestParser(self)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # CONNECT, or an offer to upgrade: only the head was fed, so nothing was left over
        except httptools.HttpParserInvalidMethodError as error:
            start = (self._buffer or self.head).split(b" ", 1)[0]
            known_shape = start.isalpha() and start.isupper()
            raise ProtocolError("an unknown method", 501 if known_shape else 400) from error
        except httptools.HttpParserError as error:
            raise ProtocolError(str(error)) from error

    def feed(self, data: bytes) -> Request | None:
        """Take bytes from the client; return the head once it is complete.

        Raises ProtocolError: 400 malformed, 414 or 431 over a limit, 501 an unknown method or coding, 505 a version.
        """
        if not self._advance(data):
            return None
        method = self._parser.get_method().decode("ascii")
        head, url = self.head, self._url
        line_end = head.find(b"\r\n")
        if line_end > self._limits.request_line:
            raise self._too_long(head)
        if line_end != len(method) + len(url) + 10:
            raise ProtocolError("the request line is not `method SP target SP version`")
        version = head[line_end - 8 : line_end]
        if version == b"HTTP/1.1":
            request = Request(method, url, Headers(self._headers))
        elif version == b"HTTP/1.0":
            request = Request(method, url, Headers(self._headers), 10)
        elif version[:5] == b"HTTP/":
            raise ProtocolError("the version is not HTTP/1.1 or HTTP/1.0", 505)
        else:
            raise ProtocolError("the protocol is not HTTP")
        frame_request(request)
        return request


class ResponseReader(_Head):
    """Reads one response head to a request of `method`; interim (1xx) heads are read like any other."""

    __slots__ = ("_method", "_reason")

    def __init__(self, method: str, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = method
        self._reason = b""
        self._parser = httptools.HttpResponseParser(self)

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # 101: only the head was fed
        except httptools.HttpParserError as error:
            raise ProtocolError(str(error)) from error

    def feed(self, data: bytes) -> Response | None:
        """Take bytes from the destination; return the head once it is complete.

        Raises ProtocolError when it is not HTTP/1.x, or its framing cannot be trusted.
        """
        if not self._advance(data):
            return None
        version = self.head[:8]
        if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
            raise ProtocolError("the destination does not answer in HTTP/1.1")
        status = self._parser.get_status_code()
        if not 100 <= status <= 999:
            raise ProtocolError(f"the destination's status {status} is not a status")
        response = Response(
            status, Headers(self._headers), 0, self._reason or None, 11 if version == b"HTTP/1.1" else 10
        )
        frame_response(response, self._method)
        return response


class Body(Protocol):
    """Reads one body off the wire."""

    done: bool
    """Whether the last byte has been read."""

    rest: bytes
    """What followed the body in the bytes that ended it."""

    trailers: RawHeaders

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the payload among them; raises ProtocolError on broken framing."""
        ...


_NO_TRAILERS: RawHeaders = []


class LengthBody:
    """A body of `remaining` bytes (RFC 9112 6.2); zero stands for no body at all."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.done = not remaining
        self.rest = b""
        self.trailers = _NO_TRAILERS

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the payload among them."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return [data]
        remaining, self.remaining, self.done = self.remaining, 0, True
        if size == remaining:
            return [data] if size else []
        self.rest = data[remaining:]
        return [data[:remaining]] if remaining else []


class ClosingBody:
    """A body that ends with the connection; whoever sees the end of file says so."""

    __slots__ = ("done", "rest", "trailers")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.trailers = _NO_TRAILERS

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bytes as they are."""
        return [data]


_MAX_CHUNK_LINE: Final = 1024
_HEX: Final = b"0123456789abcdefABCDEF"


class ChunkedBody:
    """A body in chunks, with trailers (RFC 9112 7.1), as strict as llhttp: CRLF only, no blanks around the size.

    Chunk extensions are read over. `trailers` is complete when `done` is set.
    """

    __slots__ = (
        "_after_data",
        "_buffer",
        "_in_trailers",
        "_limits",
        "_remaining",
        "done",
        "rest",
        "trailers",
    )

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = b""
        self._remaining = 0
        self._after_data = False
        self._in_trailers = False
        self.done = False
        self.rest = b""
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the payload among them; raises ProtocolError on broken framing."""
        pieces: list[bytes] = []
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position, size = 0, len(data)
        while position < size:
            if self._remaining:
                end = min(position + self._remaining, size)
                pieces.append(data[position:end] if position or end != size else data)
                self._remaining -= end - position
                self._after_data = not self._remaining
                position = end
                continue
            if self._in_trailers:
                self._read_trailers(data[position:])
                break
            if self._after_data:
                crlf = data[position : position + 2]
                if crlf != b"\r\n"[: len(crlf)]:
                    raise ProtocolError("a chunk is not followed by CRLF")
                if len(crlf) < 2:
                    self._buffer = crlf
                    break
                self._after_data = False
                position += 2
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._buffer = data[position:]
                if len(self._buffer) > _MAX_CHUNK_LINE:
                    raise ProtocolError("a chunk's size line is too long")
                break
            self._remaining = self._chunk_size(data[position : end + 1])
            self._in_trailers = not self._remaining
            position = end + 1
        return pieces

    @staticmethod
    def _chunk_size(line: bytes) -> int:
        if line[-2:] != b"\r\n" or len(line) > _MAX_CHUNK_LINE:
            raise ProtocolError("a chunk's size line does not end in CRLF")
        text, semicolon, extension = line[:-2].partition(b";")
        if not text or len(text) > 15 or text.strip(_HEX):
            raise ProtocolError("a chunk's size is not a hexadecimal number")
        if semicolon and any(byte < 32 and byte != 9 or byte == 127 for byte in extension):
            raise ProtocolError("a chunk's extension holds a control character")
        return int(text, 16)

    def _read_trailers(self, data: bytes) -> None:
        if data[:2] == b"\r\n":
            self.done, self.rest = True, data[2:]
            return
        end = data.find(_END)
        if end < 0:
            self._buffer = data
            if len(data) > self._limits.trailers:
                raise ProtocolError("the trailer section is too long", 431)
            if data[:1] == b"\n" or b"\n\n" in data:
                raise ProtocolError("a trailer line does not end in CRLF")
            return
        if end > self._limits.trailers:
            raise ProtocolError("the trailer section is too long", 431)
        # llhttp reads the lines: a trailer section has the grammar of a head's
        reader = ResponseReader("HEAD", Limits(head=end + 64, headers=self._limits.headers))
        reader.feed(b"HTTP/1.1 204 \r\n" + data[: end + 4])
        self.trailers = [pair for pair in reader._headers if pair[0].lower() not in _NOT_TRAILERS]
        self.done, self.rest = True, data[end + 4 :]


_NOT_TRAILERS: Final = frozenset({
    b"transfer-encoding", b"content-length", b"host", b"connection", b"trailer", b"te", b"upgrade", b"keep-alive",
    b"content-encoding", b"content-type", b"content-range", b"authorization", b"set-cookie", b"cookie", b"expect",
})  # fmt: skip
"""Fields that must not come in a trailer section (RFC 9110 6.5.1); they are dropped."""


def body_reader(framing: int, limits: Limits = _DEFAULT_LIMITS) -> Body:
    """Return what reads a body of this framing."""
    if framing >= 0:
        return LengthBody(framing)
    return ChunkedBody(limits) if framing == CHUNKED else ClosingBody()


def _lines(first: bytes, raw: RawHeaders) -> bytes:
    parts = [first]
    for name, value in raw:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    head = b"".join(parts)
    # one count proves that no name or value smuggles a line in
    if head.count(b"\n") != len(raw) + 2 or head.count(b"\r") != len(raw) + 2 or b"\0" in head:
        raise ProtocolError("a header holds CR, LF or NUL")
    return head


def encode_request(method: str, target: bytes, raw: RawHeaders) -> bytes:
    """Write a request head; raises ProtocolError when a header would break it."""
    return _lines(b"%s %s HTTP/1.1\r\n" % (method.encode("ascii"), target), raw)


_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, reason_phrase(status)) for status in range(100, 600)
}


def encode_response(status: int, raw: RawHeaders, reason: bytes | None = None) -> bytes:
    """Write a response head; raises ProtocolError when a header would break it."""
    if reason is None and status in _STATUS_LINES:
        return _lines(_STATUS_LINES[status], raw)
    return _lines(b"HTTP/1.1 %d %s\r\n" % (status, reason or b""), raw)


def encode_chunk(data: bytes) -> bytes:
    """Wrap payload in one chunk; the payload must not be empty, which would end the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def encode_last_chunk(trailers: RawHeaders) -> bytes:
    """Write the last chunk and the trailer section."""
    return _lines(b"0\r\n", trailers) if trailers else b"0\r\n\r\n"
