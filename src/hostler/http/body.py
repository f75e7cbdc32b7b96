"""The three framings of a body (RFC 9112 6.3): by length, in chunks, until the connection closes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from hostler.errors import ProtocolError
from hostler.http.encode import encode_lines
from hostler.http.fields import NOT_TRAILERS
from hostler.http.h1 import read_lines
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders
    from hostler.http.message import RequestHead

__all__ = [
    "NO_BODY",
    "Body",
    "ChunkedBody",
    "ClosingBody",
    "LengthBody",
    "body_reader",
    "encode_chunk",
    "encode_last_chunk",
    "measure_body",
    "too_large",
    "whole_chunks",
]

_END: Final = b"\r\n\r\n"
_DEFAULT_LIMITS: Final = Limits()


def too_large(limit: int) -> ProtocolError:
    """Return the error of a body with more bytes than are allowed."""
    return ProtocolError(f"the body is larger than the {limit} bytes that are allowed", 413)


class Body(Protocol):
    """Reads one body off the wire."""

    complete: bool
    """Whether the last byte has been read."""

    unread: bytes
    """What followed the body in the bytes that ended it."""

    trailers: RawHeaders

    def feed(self, data: bytes) -> bytes:
        """Take bytes, return the payload among them in one piece; raises ProtocolError on broken framing."""
        ...

    def end(self) -> None:
        """Take the end of the connection; raises ProtocolError when the body is not complete with it."""


class LengthBody:
    """A body of `remaining` bytes (RFC 9112 6.2); zero stands for no body at all."""

    __slots__ = ("complete", "remaining", "trailers", "unread")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.complete = not remaining
        self.unread = b""
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> bytes:
        """Take bytes, return the payload among them."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return data
        remaining, self.remaining, self.complete = self.remaining, 0, True
        if size == remaining:
            return data
        self.unread = data[remaining:]
        return data[:remaining]

    def end(self) -> None:
        """Take the end of the connection."""
        if not self.complete:
            raise ProtocolError("the body ends before its length")


NO_BODY: Final = LengthBody(0)
"""The body of a message that has none. It is complete, so feed it nothing: everybody shares it."""


class ClosingBody:
    """A body that ends with the connection; whoever sees the end of file says so."""

    __slots__ = ("complete", "trailers", "unread")

    def __init__(self) -> None:
        self.complete = False
        self.unread = b""
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> bytes:
        """Return the bytes as they are."""
        return data

    def end(self) -> None:
        """Take the end of the connection, which is the body's."""
        self.complete = True


_MAX_CHUNK_LINE: Final = 1024
_EXTENSIONS: Final = re.compile(
    rb"""(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\\0-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*"))?)*"""
)
_SIZE_SO_FAR: Final = re.compile(
    rb"[0-9A-Fa-f]{0,15}(?:(?<=[0-9A-Fa-f]);[^\0-\x08\x0a-\x1f\x7f]*)?(?:(?<!^)\r)?"
)
_HEX: Final = b"0123456789abcdefABCDEF"


_SMALL: Final = 16
"""Chunks of fewer bytes are decoded by `_decode_run`: in a loop, each would cost more than its bytes."""

_CHUNKS: Final = [(b"[%x%X]" % (size, size) if size > 9 else b"%d" % size, size) for size in range(1, _SMALL)]
_RUN: Final = re.compile(
    rb"(?s:(?:0{0,14}(?:" + b"|".join(rb"%b\r\n.{%d}" % chunk for chunk in _CHUNKS) + rb")\r\n)*)"
)
"""Small chunks without extensions, one after another. No possessive repeats: before Python 3.11.5 they match wrongly."""

_PAYLOAD: Final = re.compile(
    rb"(?s:0{0,14}[1-9A-Fa-f]\r\n("
    + b"|".join(rb"(?<=%b\r\n).{%d}" % chunk for chunk in _CHUNKS)
    + rb")\r\n)"
)
"""One of them, and what it carries."""


def _decode_run(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the payload of the small chunks at `start`, and where they end."""
    end = start
    if (match := _RUN.match(data, start)) is not None:
        end = match.end()
    if end == start:
        return b"", end
    if data[start + 1] == 0x0D:
        size = int(data[start : start + 1], 16)
        whole = size + 5
        count, odd = divmod(end - start, whole)
        if not odd and data[start:end:whole] == data[start : start + 1] * count:
            # each begins where the one before it says, with the same digit: all of them have this size
            payload = bytearray(count * size)
            for column in range(size):
                payload[column::size] = data[start + 3 + column : end : whole]
            return bytes(payload), end
    return b"".join(_PAYLOAD.findall(data, start, end)), end


_FEW: Final = 8
"""Chunks that `whole_chunks` takes; of many, `ChunkedBody` decodes small ones faster."""


@lru_cache(maxsize=256)
def _chunk_size(line: bytes) -> int:
    """Return what a size line says, which ends in LF."""
    if line[-2:] != b"\r\n" or len(line) > _MAX_CHUNK_LINE:
        raise ProtocolError("a chunk's size line does not end in CRLF")
    text, semicolon, _ = line[:-2].partition(b";")
    if not text or len(text) > 15 or text.strip(_HEX):
        raise ProtocolError("a chunk's size is not a hexadecimal number")
    if semicolon and not _EXTENSIONS.fullmatch(line, len(text), len(line) - 2):
        raise ProtocolError("a chunk's extension is not `;name=value`")
    return int(text, 16)


def whole_chunks(data: bytes, start: int) -> bytes | None:
    """Return the payload of a body in chunks that is there to its end, in few chunks and without trailers.

    Most small ones are. `start` is where the body begins, and nothing may follow it. None where a `ChunkedBody` is to read
    it; raises ProtocolError as that does.
    """
    last = len(data) - 5
    if last < start or data[last:] != b"0\r\n\r\n":
        return None
    pieces: list[bytes] = []
    while start < last:
        end = data.find(b"\n", start, last) + 1
        if not end or len(pieces) == _FEW:
            return None
        behind = end + _chunk_size(data[start:end])
        if behind == end or data[behind : behind + 2] != b"\r\n":
            return None
        pieces.append(data[end:behind])
        start = behind + 2
    return b"".join(pieces) if start == last else None


class ChunkedBody:
    """A body in chunks, with trailers (RFC 9112 7.1), stricter than llhttp: CRLF only, no blanks around the size.

    Chunk extensions are read over. `trailers` holds all of them once `complete` is set. What it costs goes with the
    bytes, not with the chunks, as far as Python allows.
    """

    __slots__ = (
        "_after_data",
        "_buffer",
        "_in_trailers",
        "_limits",
        "_remaining",
        "_taken",
        "complete",
        "limit",
        "trailers",
        "unread",
    )

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = b""
        """The first bytes of a size line, of the CRLF after a chunk, or of the trailers."""
        self._remaining = 0
        """Bytes of a chunk that have not come."""
        self._after_data = False
        self._in_trailers = False
        self._taken = 0
        self.limit: int | None = None
        """Bytes of payload that there may be; more are an error as soon as a chunk says so."""
        self.complete = False
        self.unread = b""
        self.trailers: RawHeaders = []

    def feed(self, data: bytes) -> bytes:
        """Take bytes, return the payload among them; raises ProtocolError on broken framing."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        pieces: list[bytes] = []
        position, size = 0, len(data)
        while position < size:
            if self._remaining:
                end = min(position + self._remaining, size)
                pieces.append(data[position:end])
                self._remaining -= end - position
                self._after_data = not self._remaining
                position = end
            elif self._after_data:
                position = self._skip_crlf(data, position)
            elif self._in_trailers:
                self._read_trailers(data[position:])
                break
            elif (end := data.find(b"\n", position) + 1) > 0:
                count = self._remaining = _chunk_size(data[position:end])
                self._in_trailers = not count
                position = end
                if 0 < count < _SMALL and data[end + count : end + count + 2] == b"\r\n":
                    pieces.append(data[end : end + count])
                    self._remaining = 0
                    piece, position = _decode_run(data, end + count + 2)
                    pieces.append(piece)
            else:
                self._keep_line(data[position:])
                break
        payload = b"".join(pieces)
        self._taken += len(payload)
        if self.limit is not None and self._taken + self._remaining > self.limit:
            raise too_large(self.limit)
        return payload

    def end(self) -> None:
        """Take the end of the connection."""
        if not self.complete:
            raise ProtocolError("the body ends before its last chunk")

    def _skip_crlf(self, data: bytes, position: int) -> int:
        """Return where the CRLF after a chunk ends, as far as it has come."""
        crlf = data[position : position + 2]
        if crlf != b"\r\n"[: len(crlf)]:
            raise ProtocolError("a chunk is not followed by CRLF")
        if len(crlf) < 2:
            self._buffer = crlf
        else:
            self._after_data = False
        return position + 2

    def _keep_line(self, line: bytes) -> None:
        """Keep the part of a size line that has come; refuse it as soon as it is wrong."""
        if len(line) > _MAX_CHUNK_LINE or not _SIZE_SO_FAR.fullmatch(line):
            raise ProtocolError("a chunk's size line is too long, or not one")
        self._buffer = line

    def _read_trailers(self, data: bytes) -> None:
        if data[:2] == b"\r\n":
            self.complete, self.unread = True, data[2:]
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
        # a trailer section has the grammar of a head's lines
        lines = read_lines(data[: end + 4])
        if len(lines) > self._limits.headers:
            raise ProtocolError(f"more than {self._limits.headers} trailer lines", 431)
        self.trailers = [pair for pair in lines if pair[0].lower() not in NOT_TRAILERS]
        self.complete, self.unread = True, data[end + 4 :]


def body_reader(framing: int, limits: Limits = _DEFAULT_LIMITS) -> Body:
    """Return what reads a body of this framing."""
    if framing >= 0:
        return LengthBody(framing)
    return ChunkedBody(limits) if framing == CHUNKED else ClosingBody()


def measure_body(data: bytes, request: RequestHead, limits: Limits = _DEFAULT_LIMITS) -> tuple[int, bool]:
    """Return how many bytes of `data`, which follow a request's head, are its body, and whether they are all of it.

    What follows an offer to upgrade is for whoever answers, and so is a body that breaks its framing.
    """
    if request.upgrade is not None:
        return len(data), False
    if not request.framing:
        return 0, True
    body = body_reader(request.framing, limits)
    try:
        body.feed(data)
    except ProtocolError:
        return len(data), False
    return len(data) - len(body.unread), body.complete


def encode_chunk(data: bytes) -> bytes:
    """Wrap payload in one chunk; the payload must not be empty, which would end the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def encode_last_chunk(trailers: RawHeaders) -> bytes:
    """Write the last chunk and the trailer section."""
    return encode_lines(b"0", trailers) if trailers else b"0\r\n\r\n"
