"""HTTP/1.1 heads, read (RFC 9112); `hostler.http.encode` writes them.

Theory of operation. `RequestReader` and `ResponseReader` read heads. They look for the empty line, and judge what they
have up to there: the first line by a regular expression, the header lines all at once, in a fixed number of passes
over the bytes. What follows the head stays untouched in `unread`; bodies are read by `hostler.http.body`. So nothing is
ever parsed ahead: a pipelined request waits as bytes until the one before it has been answered.

A head that comes in pieces is looked at as it comes, and refused as soon as it can no longer become one. Each byte is
looked at once then, because how far it has come is remembered: `_passed` lines are whole, `_line` is where the one
after them begins, `_seen` how far that has been looked at, and `_rest` the pattern of what may follow. There is a
pattern for the start of a request line, of a status line and of a header line, and one for the middle of each part of a
line that may be long (`_REST`). A line that has become whole is looked at again, and so is the head.

The grammar is that of RFC 9112 and 9110 without what they call obsolete. Of what they let a recipient put up with, only
empty lines in front of a request are: lines end in CRLF, one space is between the parts of a first line, none is before
a colon, no line is folded. What the lines say together, such as where the body ends, is judged by
`hostler.http.framing`, and what a target may be by `hostler.http.target`.

Rules for whoever changes this file: no I/O, no time; a reader raises ProtocolError and nothing else, whatever it is
fed; how bytes are cut into chunks never changes the result (tests/http/test_h1_properties.py holds both with
hypothesis); no pattern may take more than linear time, and none has possessive repeats or atomic groups, which match
wrongly before Python 3.11.5.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from hostler.errors import ProtocolError
from hostler.http.fields import TEXT, TEXT_PATTERN, TOKEN_PATTERN
from hostler.http.framing import frame_request, frame_response
from hostler.http.headers import Headers, RawHeaders, split_line
from hostler.http.limits import Limits
from hostler.http.malformed import header_error, request_line_error, status_line_error
from hostler.http.message import Request, Response

__all__ = ["MAX_INTERIM", "RequestReader", "ResponseReader", "read_lines"]

MAX_INTERIM: Final = 100
"""Interim heads that may come before a final one; RFC 9110 15.2 allows any number."""

_END: Final = b"\r\n\r\n"
_DEFAULT_LIMITS: Final = Limits()

_NAMES: Final = re.compile(rb"\r\n(%b+):" % TOKEN_PATTERN)
"""The name on a header line, behind the end of the line before."""


def _lower_names(section: bytes, lines: list[bytes]) -> list[bytes] | None:
    """Return the names on `lines`, in lower case; None unless all of them are well-formed header lines.

    In `section` each of them stands behind a CRLF, and CRLF CRLF behind the last. Two comparisons prove all there is to
    prove. As many lines have a token and a colon in front as there are lines. And without the characters of which values
    are made, the section is a CRLF for each line end and nothing else: no other control, and no CR or LF alone.
    """
    names = _NAMES.findall(section.lower())
    count = len(lines)
    if len(names) == count and section.translate(None, TEXT) == b"\r\n" * (count + 2):
        return names
    return None


# the parts of a line that may be long are groups; what follows the last one that was reached is looked at again
_AFTER_TARGET: Final = rb"(?: [HTP/0-9.]{0,8}\r?)?"
_AFTER_METHOD: Final = rb"(?: (?:(?P<target>[!-~]+)%b)?)?" % _AFTER_TARGET
_AFTER_NAME: Final = rb"(?::(?P<value>%b*)\r?)?" % TEXT_PATTERN

_HEADER_LINE: Final = re.compile(rb"(?:(?P<name>%b+)%b|\r)?" % (TOKEN_PATTERN, _AFTER_NAME))
"""As much as has come of a header line, or of the empty line."""

_HEADER_LINES: Final = re.compile(rb"(?:%b+:%b*\r\n)*" % (TOKEN_PATTERN, TEXT_PATTERN))

_REST: Final = {
    "method": re.compile(rb"(?P<method>%b*)%b" % (TOKEN_PATTERN, _AFTER_METHOD)),
    "target": re.compile(rb"(?P<target>[!-~]*)%b" % _AFTER_TARGET),
    "reason": re.compile(rb"(?P<reason>%b*)\r?" % TEXT_PATTERN),
    "name": re.compile(rb"(?P<name>%b*)%b" % (TOKEN_PATTERN, _AFTER_NAME)),
    "value": re.compile(rb"(?P<value>%b*)\r?" % TEXT_PATTERN),
}
"""What may follow in a line of which a part has begun, by the part."""


class _Head(ABC):
    """What both readers share: collecting bytes up to the empty line, and judging the header lines."""

    _first_line: ClassVar[re.Pattern[bytes]]
    """A whole first line, with CRLF."""

    _first_line_so_far: ClassVar[re.Pattern[bytes]]

    __slots__ = ("_buffer", "_limits", "_line", "_passed", "_rest", "_seen", "head", "unread")

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self.head = b""
        """The head's own bytes, once complete."""
        self.unread = b""
        """What followed the head in the same bytes."""
        self._start_over()

    def _start_over(self) -> None:
        self._buffer = bytearray()
        self._line = self._seen = self._passed = 0
        self._rest = self._first_line_so_far

    @property
    def begun(self) -> bool:
        """Whether any byte of the head has arrived."""
        return bool(self._buffer)

    def _advance(self, data: bytes) -> tuple[re.Match[bytes], Headers] | None:
        """Take `data`; once the head is complete return its first line and headers, with `unread` after it."""
        if self._buffer:
            return self._go_on(data)
        if data[:1] == b"\r":
            data = self._skip_empty_lines(data)
        end = data.find(_END) + 4
        if end < 4:
            self._collect(bytearray(data))
            return None
        if end == len(data):
            head, self.unread = data, b""
        else:
            head, self.unread = data[:end], data[end:]
        self.head = head
        return self._judge(head)

    def _go_on(self, data: bytes) -> tuple[re.Match[bytes], Headers] | None:
        """Take more of a head of which a part has arrived."""
        buffer = self._buffer
        if buffer == b"\r":  # and perhaps an empty line in front
            self._start_over()
            return self._advance(b"\r" + data)
        searched = max(len(buffer) - 3, 0)
        buffer += data
        end = buffer.find(_END, searched) + 4
        if end < 4:
            self._collect(buffer)
            return None
        self.head, self.unread = bytes(buffer[:end]), bytes(buffer[end:])
        self._start_over()
        return self._judge(self.head)

    def _judge(self, head: bytes) -> tuple[re.Match[bytes], Headers]:
        """Take a whole head apart."""
        lines = head[:-4].split(b"\r\n")
        first, limits = lines.pop(0), self._limits
        if len(head) > limits.head or len(first) > limits.request_line:
            raise self._too_long(len(first))
        match = self._first_line.match(head)
        if match is None:
            raise self._first_line_error(first)
        names = _lower_names(head, lines)
        if names is None:
            raise header_error(lines)
        if len(lines) > limits.headers:
            raise self._too_many()
        by_name = dict(zip(names, lines))  # noqa: B905 - the lengths are equal
        if len(by_name) == len(lines):
            return match, Headers.received(None, by_name)
        return match, Headers.received([split_line(line) for line in lines])

    def _collect(self, buffer: bytearray) -> None:
        """Keep the part of a head that has arrived; refuse it as soon as it is wrong."""
        self._buffer, self.head = buffer, b""
        limits = self._limits
        newline = buffer.find(b"\n", self._seen)
        first_line = 0
        if not self._line:
            first_line = newline if newline >= 0 else len(buffer)
            if first_line and buffer[first_line - 1] == 0x0D:  # a slice would be a copy
                first_line -= 1
        if len(buffer) > limits.head or first_line > limits.request_line:
            raise self._too_long(first_line)
        if newline >= 0:
            self._pass_lines(buffer)
        match = self._rest.fullmatch(buffer, self._seen)
        if match is None:
            raise self._error_so_far(buffer)
        if match.lastgroup is not None:
            self._rest, self._seen = _REST[match.lastgroup], match.end(match.lastgroup)

    def _pass_lines(self, buffer: bytearray) -> None:
        """Look at the lines that are whole now."""
        position = self._line
        if not position:
            first = self._first_line.match(buffer)
            if first is None:
                raise self._error_so_far(buffer)
            position = first.end()
        lines = _HEADER_LINES.match(buffer, position)
        assert lines is not None
        self._passed += buffer.count(b"\n", self._line, lines.end())
        self._line = self._seen = lines.end()
        self._rest = _HEADER_LINE
        if self._passed > self._limits.headers + 1:
            raise self._too_many()

    def _error_so_far(self, buffer: bytearray) -> ProtocolError:
        """Return what is wrong with a head of which a part has arrived."""
        line = bytes(buffer[self._line :]).partition(b"\r\n")[0]
        if not self._line:
            return self._first_line_error(line)
        return header_error([line], self._passed)

    def _too_long(self, first_line: int) -> ProtocolError:
        """Return what is wrong with a head that is over a limit, by the length of its first line."""
        if first_line > self._limits.request_line:
            return ProtocolError(f"the first line is longer than {self._limits.request_line} bytes", 414)
        return ProtocolError(f"the head is longer than {self._limits.head} bytes", 431)

    def _too_many(self) -> ProtocolError:
        return ProtocolError(f"more than {self._limits.headers} header lines", 431)

    def _skip_empty_lines(self, buffer: bytes) -> bytes:
        """Return what follows the empty lines in front of a head; only a request may have them."""
        raise ProtocolError("an empty line in front of a response")

    @staticmethod
    @abstractmethod
    def _first_line_error(line: bytes) -> ProtocolError:
        """Return what is wrong with a first line."""


_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}


class RequestReader(_Head):
    """Reads one request head after another: `feed` until it returns the Request; the bytes after it are in `unread`.

    Any token is a method (RFC 9110 9.1).
    """

    _first_line = re.compile(rb"(%b+) ([!-~]+) HTTP/1\.([01])\r\n" % TOKEN_PATTERN)
    _first_line_so_far = re.compile(rb"(?:(?P<method>%b+)%b|\r)?" % (TOKEN_PATTERN, _AFTER_METHOD))
    _first_line_error = staticmethod(request_line_error)

    __slots__ = ("_skipped",)

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
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

    def feed(self, data: bytes) -> Request | None:
        """Take bytes from the client; return the head once it is complete, and be ready for the next.

        Raises ProtocolError: 400 malformed, 414 or 431 over a limit, 501 an unknown coding, 505 a version.
        """
        found = self._advance(data)
        if found is None:
            return None
        line, headers = found
        name, target, minor = line.groups()
        request = Request(
            _METHODS.get(name) or name.decode("ascii"), target, headers, 11 if minor == b"1" else 10
        )
        frame_request(request)
        self._skipped = 0
        return request


class ResponseReader(_Head):
    """Reads response heads to requests of `method`; interim (1xx) heads are read like any other, MAX_INTERIM of them."""

    _first_line = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (%b*))?\r\n" % TEXT_PATTERN)
    _first_line_so_far = re.compile(
        rb"(?:H[TP/1.0]{0,7}(?: (?:[1-9][0-9]{0,2}(?: (?P<reason>%b*))?)?)?\r?)?" % TEXT_PATTERN
    )
    _first_line_error = staticmethod(status_line_error)

    __slots__ = ("interim", "method")

    def __init__(self, method: str, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self.method = method
        self.interim = 0
        """Interim heads that came; for whoever sends another request to set to 0."""

    def feed(self, data: bytes) -> Response | None:
        """Take bytes from the destination; return the head once it is complete, and be ready for the next.

        Raises ProtocolError when it is not HTTP/1.x, its framing cannot be trusted, or it is one interim head too many.
        """
        found = self._advance(data)
        if found is None:
            return None
        line, headers = found
        minor, status, reason = line.groups()
        response = Response(int(status), headers, 0, reason or None, 11 if minor == b"1" else 10)
        frame_response(response, self.method)
        if response.status < 200:
            self.interim += 1
            if self.interim > MAX_INTERIM:
                raise ProtocolError(f"more than {MAX_INTERIM} interim responses to a request")
        return response


def read_lines(block: bytes) -> RawHeaders:
    """Read header lines, the last one ended by CRLF CRLF, as in a trailer section; raises ProtocolError."""
    lines = block[:-4].split(b"\r\n")
    if _lower_names(b"\r\n" + block, lines) is None:
        raise header_error(lines, section="trailer")
    return [split_line(line) for line in lines]
