"""HTTP/1.1 heads, read, on httptools (RFC 9112); `hostler.http.encode` writes them.

Theory of operation. `RequestReader` and `ResponseReader` read heads. They look for the empty line themselves and give
llhttp exactly the head, because httptools does not say where in its input a message ended, and a connection that may
be lent to another process must know that to the byte. What follows the head stays untouched in `unread`; bodies are
read by `hostler.http.body`. So nothing is ever parsed ahead: a pipelined request waits as bytes until the one before
it has been answered.

llhttp is the judge of the grammar; what it lets through and HTTP does not is refused here and in `rules`.

Rules for whoever changes this file: no I/O, no time; a reader raises ProtocolError and nothing else, whatever it is
fed; how bytes are cut into chunks never changes the result (tests/http/test_h1_properties.py holds both with hypothesis).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import httptools  # type: ignore[import-untyped, unused-ignore]

from hostler.errors import ProtocolError
from hostler.http.framing import frame_request, frame_response
from hostler.http.headers import Headers, RawHeaders, split_line
from hostler.http.limits import Limits
from hostler.http.message import Request, Response, reason_phrase

__all__ = ["RequestReader", "ResponseReader", "read_lines"]

_END: Final = b"\r\n\r\n"
_DEFAULT_LIMITS: Final = Limits()
_VISIBLE: Final = bytes(range(0x21, 0x7F))
_TEXT: Final = b"\t " + _VISIBLE + bytes(range(0x80, 0x100))


class _Head(ABC):
    """What both readers share: collecting bytes up to the empty line, and having llhttp check them.

    llhttp gets nothing before the first line is complete, so that what a broken one is refused for does not depend on
    where it was cut; `_line_so_far` refuses at once what can no longer become one. Of llhttp's callbacks only one is
    used, and it is a dictionary's own method: it collects the names, without a Python call for each.
    """

    _line_so_far: ClassVar[re.Pattern[bytes]]

    __slots__ = ("_buffer", "_fed", "_limits", "_names", "_parser", "head", "on_header", "unread")

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = b""
        self._fed = 0
        self._names: dict[bytes, bytes] = {}
        self.on_header = self._names.__setitem__
        self.head = b""
        """The head's own bytes, once complete."""
        self.unread = b""
        """What followed the head in the same bytes."""

    @property
    def begun(self) -> bool:
        """Whether any byte of the head has arrived."""
        return bool(self._buffer)

    def _advance(self, data: bytes) -> list[bytes] | None:
        """Take `data`; return the head's lines once it is complete, then in `head`, with `unread` after it."""
        searched = len(self._buffer)
        buffer = self._buffer + data if searched else data
        if buffer[:1] == b"\r":
            buffer = self._skip_empty_lines(buffer)
            searched = 0
        end = buffer.find(_END, searched - 3 if searched > 3 else 0)
        if end < 0:
            self._collect(buffer)
            return None
        end += 4
        if end == len(buffer):
            head, self.unread = buffer, b""
        else:
            head, self.unread = buffer[:end], buffer[end:]
        self.head = head
        limits = self._limits
        lines = head[:-4].split(b"\r\n")
        if end > limits.head or len(lines[0]) > limits.request_line:
            raise self._too_long(len(lines[0]))
        self._parse(head[self._fed :] if self._fed else head)
        self._buffer, self._fed = b"", 0
        if len(lines) > limits.headers + 1:
            raise self._too_many()
        return lines

    def _headers(self, lines: list[bytes]) -> Headers:
        """Make headers of a head's lines, the first line among them; llhttp has found them well-formed."""
        del lines[0]
        by_name = dict(zip(map(bytes.lower, self._names), lines))  # noqa: B905 - the lengths are compared below
        self._names.clear()
        if len(by_name) == len(lines):
            return Headers(None, by_name)
        return Headers([split_line(line) for line in lines])

    def _collect(self, buffer: bytes) -> None:
        """Keep the part of a head that has arrived; refuse it as soon as it is wrong."""
        self._buffer, self.head = buffer, b""
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
        if buffer.count(b"\n") > limits.headers + 1:
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
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}


def _line_error(line: bytes) -> ProtocolError:
    """Return what is wrong with a request line that is not a good one."""
    if _OTHER_VERSION.fullmatch(line):
        return ProtocolError("the version is not HTTP/1.1 or HTTP/1.0", 505)
    return ProtocolError("the request line is not `METHOD target HTTP/1.1`")


class RequestReader(_Head):
    """Reads one request head after another: `feed` until it returns the Request; the bytes after it are in `unread`."""

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
        """Take bytes from the client; return the head once it is complete, and be ready for the next.

        Raises ProtocolError: 400 malformed, 414 or 431 over a limit, 501 an unknown method or coding, 505 a version.
        """
        lines = self._advance(data)
        if lines is None:
            return None
        name, _, rest = lines[0].partition(b" ")
        target, _, version = rest.rpartition(b" ")
        number = _VERSIONS.get(version)
        if number is None or not target or b" " in target:
            # llhttp lets through more than one space, HTTP/0.9 and 2.0, RTSP, ICE
            raise _line_error(lines[0])
        method = _METHODS.get(name)
        if method is None:
            self._check_line(lines[0])  # llhttp skips a bare LF in front
            method = name.decode("ascii")
        request = Request(method, target, self._headers(lines), number)
        frame_request(request)
        # llhttp waits for the body that this head announces; another one reads the next head
        self._parser = httptools.HttpRequestParser(self)
        self._skipped = 0
        return request


_PHRASES: Final = frozenset(map(reason_phrase, range(100, 600)))


class ResponseReader(_Head):
    """Reads response heads to requests of `method`; interim (1xx) heads are read like any other."""

    __slots__ = ("method",)

    _line_so_far = re.compile(rb"H[TP/1.0]{0,7}(?: (?:[0-9]{1,3}(?: [^\0-\x08\x0a-\x1f\x7f]*)?)?)?\r?")

    def __init__(self, method: str, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self.method = method
        self._parser: httptools.HttpResponseParser | None = None

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpResponseParser(self)
            # Content-Length beside Transfer-Encoding: `frame_response` decides
            parser.set_dangerous_leniencies(lenient_chunked_length=True)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # 101: only the head was fed
        except httptools.HttpParserError as error:
            raise ProtocolError(str(error)) from error

    def feed(self, data: bytes) -> Response | None:
        """Take bytes from the destination; return the head once it is complete, and be ready for the next.

        Raises ProtocolError when it is not HTTP/1.x, or its framing cannot be trusted.
        """
        lines = self._advance(data)
        if lines is None or self._parser is None:
            return None
        version = _VERSIONS.get(lines[0][:8])
        if version is None:
            raise ProtocolError("the destination does not answer in HTTP/1.1")
        status, reason = self._parser.get_status_code(), lines[0][13:]
        if status < 100:
            raise ProtocolError(f"the destination's status {status} is not a status")
        if reason not in _PHRASES and reason.translate(None, _TEXT):
            raise ProtocolError("the destination's reason phrase holds a control character")
        response = Response(status, self._headers(lines), 0, reason or None, version)
        frame_response(response, self.method)
        self._parser = None
        return response


def read_lines(block: bytes) -> RawHeaders:
    """Read header lines, the last one ended by CRLF CRLF, as in a trailer section; raises ProtocolError."""
    size = len(block)
    lines = ResponseReader("HEAD", Limits(head=size + 64, headers=size))._advance(
        b"HTTP/1.1 204 \r\n" + block
    )
    return [] if lines is None else [split_line(line) for line in lines[1:]]
