"""HTTP/1.1 on httptools: heads in, heads out, and the three framings of a body (RFC 9112).

Theory of operation. One object reads one thing, and knows where it ends:

- `RequestReader` and `ResponseReader` read one head each. They look for the empty line themselves and give llhttp
  exactly the head, because httptools does not say where in its input a message ended, and a connection that may be
  lent to another process must know that to the byte. What follows the head stays untouched in `rest`.
- `LengthBody`, `ChunkedBody` and `ClosingBody` read one body each: `feed(data)` returns the payload pieces, and sets
  `done` and `rest` when the body's last byte was among them. No piece is copied that need not be.

So nothing is ever parsed ahead: a pipelined request waits as bytes until the one before it has been answered.

Rules for whoever changes this file: no I/O, no time; a reader raises ProtocolError and nothing else, whatever it is
fed; how bytes are cut into chunks never changes the result (tests/http/test_h1_properties.py holds both with hypothesis).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Final, Protocol

import httptools  # type: ignore[import-untyped, unused-ignore]

from hostler.errors import ProtocolError
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, Request, Response, reason_phrase
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
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VISIBLE: Final = bytes(range(0x21, 0x7F))
_TEXT: Final = b"\t " + _VISIBLE + bytes(range(0x80, 0x100))


class _Head(ABC):
    """What both readers share: collecting bytes up to the empty line, and llhttp's callbacks.

    llhttp gets nothing before the first line is complete, so that what a broken one is refused for does not depend on
    where it was cut; `_line_so_far` refuses at once what can no longer become one.
    """

    _line_so_far: ClassVar[re.Pattern[bytes]]

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
        """Take a piece of the target from llhttp."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header line from llhttp."""
        if value and value[-1] <= 0x20:
            value = value.rstrip(b" \t")  # RFC 9112 5.1: not part of the value; httptools leaves it there
        self._headers.append((name, value))

    @property
    def begun(self) -> bool:
        """Whether any byte of the head has arrived."""
        return bool(self._buffer)

    def _advance(self, data: bytes) -> int:
        """Take `data`; return the first line's length once the head is complete, then in `head`, with `rest` after it.

        Zero stands for a head that is not complete.
        """
        searched = len(self._buffer)
        buffer = self._buffer + data if searched else data
        if buffer[:1] == b"\r":
            buffer = self._skip_empty_lines(buffer)
            searched = 0
        end = buffer.find(_END, searched - 3 if searched > 3 else 0)
        if end < 0:
            self._collect(buffer)
            return 0
        end += 4
        if end == len(buffer):
            head = buffer
        else:
            head = buffer[:end]
            self.rest = buffer[end:]
        self.head = head
        limits = self._limits
        line = head.find(b"\r\n")
        if end > limits.head or line > limits.request_line:
            raise self._too_long(line)
        self._parse(head[self._fed :] if self._fed else head)
        self._buffer = b""
        if len(self._headers) > limits.headers:
            raise self._too_many()
        return line

    def _collect(self, buffer: bytes) -> None:
        """Keep the part of a head that has arrived; refuse it as soon as it is wrong."""
        self._buffer = buffer
        limits = self._limits
        newline = buffer.find(b"\n")
        first = buffer if newline < 0 else buffer[:newline]
        line = len(first.removesuffix(b"\r"))
        if len(buffer) > limits.head or line > limits.request_line:
            raise self._too_long(line)
        if buffer and not self._fed and not self._line_so_far.fullmatch(first):
            raise ProtocolError("this is not HTTP")
        if newline < 0:
            return
        self._parse(buffer[self._fed :])
        self._fed = len(buffer)
        if len(self._headers) > limits.headers:
            raise self._too_many()

    def _too_long(self, line: int) -> ProtocolError:
        if line > self._limits.request_line:
            return ProtocolError(f"the first line is longer than {self._limits.request_line} bytes", 414)
        return ProtocolError(f"the head is longer than {self._limits.head} bytes", 431)

    def _too_many(self) -> ProtocolError:
        return ProtocolError(f"more than {self._limits.headers} header lines", 431)

    def _skip_empty_lines(self, buffer: bytes) -> bytes:
        """Return what follows the empty lines in front of a head; only a request may have them."""
        raise ProtocolError("an empty line in front of a response")

    @abstractmethod
    def _parse(self, data: bytes) -> None:
        """Give bytes of the head to llhttp."""


_METHOD: Final = rb"[!#$%&'*+.^_`|~0-9A-Z-]+"
_GOOD_LINE: Final = re.compile(_METHOD + rb" [!-~]+ HTTP/1\.[01]")
_OTHER_VERSION: Final = re.compile(_METHOD + rb" [!-~]+ HTTP/[0-9]\.[0-9]")
_VERSIONS: Final = {b"HTTP/1.1": 11, b"HTTP/1.0": 10}


def _line_error(line: bytes) -> ProtocolError:
    """Return what is wrong with a request line that is not a good one."""
    if _OTHER_VERSION.fullmatch(line):
        return ProtocolError("the version is not HTTP/1.1 or HTTP/1.0", 505)
    return ProtocolError("the request line is not `METHOD target HTTP/1.1`")


class RequestReader(_Head):
    """Reads one request head: `feed` until it returns the Request; the bytes after it are in `rest`."""

    __slots__ = ("_skipped",)

    _line_so_far = re.compile(rb"(?:" + _METHOD + rb"(?: (?:[!-~]+(?: [HTP/0-9.]{0,8})?)?)?)?\r?")

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._parser = httptools.HttpRequestParser(self)
        self._skipped = 0

    def _skip_empty_lines(self, buffer: bytes) -> bytes:
        # RFC 9112 2.2: an empty line or more before the request line is ignored; not more of them than fill a head
        end, most = 0, self._limits.head
        while buffer.startswith(b"\r\n", end) and self._skipped <= most:
            end += 2
            self._skipped += 2
        if self._skipped > most:
            raise ProtocolError(f"more than {most} bytes of empty lines before a request", 431)
        return buffer[end:]

    def _collect(self, buffer: bytes) -> None:
        super()._collect(buffer)
        if self._fed:
            self._check_line(buffer)

    @staticmethod
    def _check_line(head: bytes) -> None:
        line = head.partition(b"\r\n")[0]
        if not _GOOD_LINE.fullmatch(line):
            raise _line_error(line)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # CONNECT, or an offer to upgrade: only the head was fed, so nothing was left over
        except httptools.HttpParserError as error:
            self._check_line(self.head or self._buffer)
            # llhttp refuses a method in three places, with two classes: unknown (FOO), longer than a known one (GETS),
            # known from RTSP (DESCRIBE)
            raise ProtocolError(str(error), 501 if "method" in str(error) else 400) from error

    def feed(self, data: bytes) -> Request | None:
        """Take bytes from the client; return the head once it is complete.

        Raises ProtocolError: 400 malformed, 414 or 431 over a limit, 501 an unknown method or coding, 505 a version.
        """
        line = self._advance(data)
        if not line:
            return None
        method, target = self._parser.get_method().decode("ascii"), self._url
        version = _VERSIONS.get(self.head[line - 8 : line])
        if version is None or line != len(method) + len(target) + 10:
            # llhttp lets through more than one space, HTTP/0.9 and 2.0, RTSP, ICE
            raise _line_error(self.head[:line])
        request = Request(method, target, Headers(self._headers), version)
        frame_request(request)
        return request


_PHRASES: Final = frozenset(map(reason_phrase, range(100, 600)))


class ResponseReader(_Head):
    """Reads one response head to a request of `method`; interim (1xx) heads are read like any other."""

    __slots__ = ("_method", "_reason")

    _line_so_far = re.compile(rb"H[TP/1.0]{0,7}(?: (?:[0-9]{1,3}(?: [^\0-\x08\x0a-\x1f\x7f]*)?)?)?\r?")

    def __init__(self, method: str, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._method = method
        self._reason = b""
        self._parser = httptools.HttpResponseParser(self)
        # Content-Length beside Transfer-Encoding: `frame_response` decides
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)

    def on_status(self, reason: bytes) -> None:
        """Take a piece of the reason phrase from llhttp."""
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
        version = _VERSIONS.get(self.head[:8])
        if version is None:
            raise ProtocolError("the destination does not answer in HTTP/1.1")
        status, reason = self._parser.get_status_code(), self._reason
        if status < 100:
            raise ProtocolError(f"the destination's status {status} is not a status")
        if reason not in _PHRASES and reason.translate(None, _TEXT):
            raise ProtocolError("the destination's reason phrase holds a control character")
        response = Response(status, Headers(self._headers), 0, reason or None, version)
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


class LengthBody:
    """A body of `remaining` bytes (RFC 9112 6.2); zero stands for no body at all."""

    __slots__ = ("done", "remaining", "rest", "trailers")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.done = not remaining
        self.rest = b""
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the payload among them."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return [data] if size else []
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
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bytes as they are."""
        return [data] if data else []


_MAX_CHUNK_LINE: Final = 1024
_EXTENSIONS: Final = re.compile(
    rb"""(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\\0-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*"))?)*"""
)
_SIZE_SO_FAR: Final = re.compile(
    rb"[0-9A-Fa-f]{0,15}(?:(?<=[0-9A-Fa-f]);[^\0-\x08\x0a-\x1f\x7f]*)?(?:(?<!^)\r)?"
)
_HEX: Final = b"0123456789abcdefABCDEF"


class ChunkedBody:
    """A body in chunks, with trailers (RFC 9112 7.1), stricter than llhttp: CRLF only, no blanks around the size.

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
                if len(self._buffer) > _MAX_CHUNK_LINE or not _SIZE_SO_FAR.fullmatch(self._buffer):
                    raise ProtocolError("a chunk's size line is too long, or not one")
                break
            self._remaining = self._chunk_size(data[position : end + 1])
            self._in_trailers = not self._remaining
            position = end + 1
        return pieces

    @staticmethod
    def _chunk_size(line: bytes) -> int:
        if line[-2:] != b"\r\n" or len(line) > _MAX_CHUNK_LINE:
            raise ProtocolError("a chunk's size line does not end in CRLF")
        text, semicolon, _ = line[:-2].partition(b";")
        if not text or len(text) > 15 or text.strip(_HEX):
            raise ProtocolError("a chunk's size is not a hexadecimal number")
        if semicolon and not _EXTENSIONS.fullmatch(line, len(text), len(line) - 2):
            raise ProtocolError("a chunk's extension is not `;name=value`")
        return int(text, 16)

    def _read_trailers(self, data: bytes) -> None:
        if data[:2] == b"\r\n":
            self.done, self.rest = True, data[2:]
            return
        end = data.find(_END)
        if end < 0:
            self._buffer = data
            if len(data) > self._limits.trailers + 3:
                raise ProtocolError("the trailer section is too long", 431)
            ends = data.count(b"\r\n")
            if data.count(b"\n") != ends or data.count(b"\r", 0, -1) > ends:
                raise ProtocolError("a trailer line does not end in CRLF")
            return
        if end > self._limits.trailers:
            raise ProtocolError("the trailer section is too long", 431)
        # llhttp reads the lines: a trailer section has the grammar of a head's
        reader = ResponseReader("HEAD", Limits(head=end + 64, headers=self._limits.headers))
        reader._advance(b"HTTP/1.1 204 \r\n" + data[: end + 4])
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


_names: Final[set[bytes]] = set()
"""Header names that have been seen to be tokens: looking one up is cheaper than looking at its letters."""

_MOST_NAMES: Final = 4096


def _admit(name: bytes) -> None:
    """Remember a header name; raises ProtocolError when it is not a token (RFC 9110 5.1)."""
    if not name or name.translate(None, _TOKEN):
        raise ProtocolError(f"{name!r} is not a header name")
    if len(_names) < _MOST_NAMES:
        _names.add(name)


def _lines(first: bytes, raw: RawHeaders) -> bytes:
    for name, _ in raw:
        if name not in _names:
            _admit(name)
    parts = [first]
    parts += map(b": ".join, raw)
    parts.append(b"\r\n")
    head = b"\r\n".join(parts)
    # one count proves that nothing smuggles a line in
    if head.count(b"\n") != len(raw) + 2 or head.count(b"\r") != len(raw) + 2 or b"\0" in head:
        raise ProtocolError("a header holds CR, LF or NUL")
    return head


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def encode_request(method: str, target: bytes, raw: RawHeaders) -> bytes:
    """Write a request head; raises ProtocolError when the method, the target or a header would break it."""
    if method not in _METHODS and (
        not method or not method.isascii() or method.encode("ascii").translate(None, _TOKEN)
    ):
        raise ProtocolError(f"{method!r} is not a method")
    if not target or target.translate(None, _VISIBLE):
        raise ProtocolError(f"{target!r} is not a request target")
    return _lines(b"%s %s HTTP/1.1" % (method.encode("ascii"), target), raw)


_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s" % (status, reason_phrase(status)) for status in range(100, 600)
}


def encode_response(status: int, raw: RawHeaders, reason: bytes | None = None) -> bytes:
    """Write a response head; raises ProtocolError when the status, the reason or a header would break it."""
    if reason is None and status in _STATUS_LINES:
        return _lines(_STATUS_LINES[status], raw)
    if not 100 <= status <= 999:
        raise ProtocolError(f"{status} is not a status")
    return _lines(b"HTTP/1.1 %d %s" % (status, reason or b""), raw)


def encode_chunk(data: bytes) -> bytes:
    """Wrap payload in one chunk; the payload must not be empty, which would end the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def encode_last_chunk(trailers: RawHeaders) -> bytes:
    """Write the last chunk and the trailer section."""
    return _lines(b"0", trailers) if trailers else b"0\r\n\r\n"
