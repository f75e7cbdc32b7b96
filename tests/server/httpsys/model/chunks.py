"""Reading what an application sends: HTTP_RESPONSE, and HTTP_DATA_CHUNK, whose data the kernel reads when it needs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from attrs import define

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.reply import Head

if TYPE_CHECKING:
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import Process

_TO_EOF = 0xFFFF_FFFF_FFFF_FFFF
_MOST_CHUNKS = 9999
_MULTIPLE_KNOWN_HEADERS = 0


@define(eq=False)
class Chunk:
    """A piece of a body. Memory is read when the send completes, so what is freed too early is noticed."""

    address: int = 0
    size: int = 0
    at_call: bytes | None = b""
    """What was there when the call was made."""
    file: int | None = None
    offset: int = 0
    trailers: list[tuple[bytes, bytes]] | None = None

    def read(self, machine: Machine) -> bytes:
        """Give the data, as it is now."""
        if self.file is not None:
            return self._read_file()
        if not self.size:
            return b""
        now = memory.read(self.address, self.size)
        # source: "Synchronization and Overlapped Input and Output": buffers of a call are not touched until it is over
        # guess: the data is read when the send completes, the strictest reading; heads are copied during the call
        if now != self.at_call:
            what = "is gone" if now is None else "changed"
            machine.defect(f"memory of a send that was under way {what}")
        return now or b"\0" * self.size

    def _read_file(self) -> bytes:
        assert self.file is not None
        pieces, offset, left = [], self.offset, self.size
        while left and (piece := os.pread(self.file, left, offset)):
            pieces.append(piece)
            offset += len(piece)
            left -= len(piece)
        return b"".join(pieces)


def read_chunks(process: Process, count: int, pointer: Any) -> list[Chunk]:
    """Read the HTTP_DATA_CHUNKs of a call; raises Win32."""
    if count and pointer == ffi.NULL:
        raise Win32(c.INVALID_PARAMETER)
    # source: HttpSendResponseEntityBody: EntityChunkCount cannot exceed 9999
    # guess: more of them are ERROR_INVALID_PARAMETER
    if count > _MOST_CHUNKS:
        raise Win32(c.INVALID_PARAMETER)
    return [_read_chunk(process, pointer[at]) for at in range(count)]


def _read_chunk(process: Process, chunk: Any) -> Chunk:
    kind = chunk.DataChunkType
    if kind == c.FROM_MEMORY:
        address, size = memory.number(chunk.FromMemory.pBuffer), chunk.FromMemory.BufferLength
        # guess: memory that is not there is ERROR_NOACCESS, as HttpReceiveHttpRequest says of its buffer
        at_call = memory.read(address, size)
        if at_call is None:
            raise Win32(c.NOACCESS)
        return Chunk(address, size, at_call)
    if kind == c.FROM_FILE:
        part = chunk.FromFileHandle
        file = process.file(part.FileHandle, "file")
        offset, length = part.ByteRange.StartingOffset, part.ByteRange.Length
        available = os.fstat(file.descriptor).st_size - offset
        # source: HTTP_BYTE_RANGE: HTTP_BYTE_RANGE_TO_EOF is up to the end
        # guess: a range beyond the end is ERROR_HANDLE_EOF
        if available < 0 or (length != _TO_EOF and length > available):
            raise Win32(c.HANDLE_EOF)
        return Chunk(file=file.descriptor, offset=offset, size=available if length == _TO_EOF else length)
    if kind == c.TRAILERS:
        trailers = chunk.Trailers
        # source: "Use ASP.NET Core with HTTP/2 on IIS": trailers from Windows 11 and Server 2022 on
        # guess: before them the type of chunk is ERROR_INVALID_PARAMETER
        if process.machine.release < process.machine.TRAILERS_SINCE:
            raise Win32(c.INVALID_PARAMETER)
        return Chunk(trailers=read_unknown_headers(trailers.TrailerCount, trailers.pTrailers))
    raise Win32(c.NOT_SUPPORTED if kind in {c.FROM_CACHE, c.FROM_CACHE_EX} else c.INVALID_PARAMETER)


def read_head(process: Process, response: Any) -> Head:
    """Read a HTTP_RESPONSE without its entity chunks; raises Win32."""
    if response == ffi.NULL:
        raise Win32(c.INVALID_PARAMETER)
    headers = []
    for at, name in enumerate(c.RESPONSE_HEADERS):
        known = response.Headers.KnownHeaders[at]
        # source: ASP.NET's Response: of a 101, Connection cannot be sent as a known header
        # guess: it is left out, where it could be an error
        if response.StatusCode == 101 and name.lower() == "connection":
            continue  # HTTP.sys' own; of an upgrade it takes the unknown one only
        # source: ASP.NET's ResponseHeaderTests: a known header without a value is not sent; an unknown one is
        if known.pRawValue != ffi.NULL and known.RawValueLength:
            headers.append((name.encode(), _bytes(known.pRawValue, known.RawValueLength)))
    for at in range(response.ResponseInfoCount):
        headers += _read_info(response.pResponseInfo[at])
    headers += read_unknown_headers(response.Headers.UnknownHeaderCount, response.Headers.pUnknownHeaders)
    # source: HTTP_RESPONSE_HEADERS: TrailerCount is reserved and must be zero
    if response.Headers.TrailerCount:
        process.machine.defect("HTTP_RESPONSE_HEADERS.TrailerCount is reserved and not 0")
    return Head(response.StatusCode, _bytes(response.pReason, response.ReasonLength), headers)


def _read_info(info: Any) -> list[tuple[bytes, bytes]]:
    # source: HTTP_RESPONSE_INFO, HTTP_MULTIPLE_KNOWN_HEADERS: several values of a known header, by its id
    # guess: a Length that is not the structure's is ERROR_INVALID_PARAMETER, and other types are passed over
    if info.Type != _MULTIPLE_KNOWN_HEADERS:
        return []
    if info.Length != ffi.sizeof("HTTP_MULTIPLE_KNOWN_HEADERS"):
        raise Win32(c.INVALID_PARAMETER)
    several = ffi.cast("HTTP_MULTIPLE_KNOWN_HEADERS *", info.pInfo)
    if not 0 <= several.HeaderId < len(c.RESPONSE_HEADERS):
        raise Win32(c.INVALID_PARAMETER)
    name = c.RESPONSE_HEADERS[several.HeaderId].encode()
    values = [several.KnownHeaders[at] for at in range(several.KnownHeaderCount)]
    # source: ASP.NET's ResponseHeaderTests: of several values those without any are not sent
    return [(name, _bytes(value.pRawValue, value.RawValueLength)) for value in values if value.RawValueLength]


def read_unknown_headers(count: int, pointer: Any) -> list[tuple[bytes, bytes]]:
    """Read HTTP_UNKNOWN_HEADERs."""
    headers = [pointer[at] for at in range(count)]
    return [
        (_bytes(header.pName, header.NameLength), _bytes(header.pRawValue, header.RawValueLength))
        for header in headers
    ]


def _bytes(pointer: Any, size: int) -> bytes:
    if not size:
        return b""
    data = memory.read(memory.number(pointer), size)
    if data is None:
        raise Win32(c.NOACCESS)
    return data
