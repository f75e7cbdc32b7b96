"""Responses as they leave: heads to HTTP_RESPONSE, bodies to HTTP_DATA_CHUNK.

A head is first written as HTTP/1.1 writes it, which is also what checks it: the same function that the user-mode server
uses. The structures then only say where in that text each name and value stands.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from hostler.errors import ProtocolError
from hostler.http.encode import encode_lines, encode_response
from hostler.http.message import reason_phrase
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    MAX_CHUNKS,
    RESPONSE_HEADER_IDS,
    RESPONSE_HEADERS,
    DataChunkType,
    ResponseInfoFlag,
    ResponseInfoType,
)
from hostler.server.httpsys.marshal.memory import location

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders
    from hostler.windows.libraries import CData, Handle

__all__ = ["Chunks", "NativeResponse"]

_IDS: Final = RESPONSE_HEADER_IDS | {name: number for number, name in enumerate(RESPONSE_HEADERS)}
"""The ids of known headers, by their names in lower case and as they are registered."""

_OPAQUE_IDS: Final = {name: number for name, number in _IDS.items() if name.lower() != b"connection"}
"""Those of a 101: Connection is HTTP.sys' own, but for `Upgrade`, which it takes among the unknown ones only."""

_CONTENT_LENGTH: Final = RESPONSE_HEADER_IDS[b"content-length"]
_WWW_AUTHENTICATE: Final = RESPONSE_HEADER_IDS[b"www-authenticate"]
_REASON_AT: Final = len("HTTP/1.1 200 ")

_HEAD: Final = struct.Struct("<4x HH HH4xQ H6xQ")
"""HTTP_RESPONSE: Version, StatusCode, ReasonLength, pReason, UnknownHeaderCount, pUnknownHeaders."""

_SIZE: Final = ffi.sizeof("HTTP_RESPONSE")
_KNOWN_AT: Final = ffi.offsetof("HTTP_RESPONSE", "Headers", "KnownHeaders")
_INFOS_AT: Final = ffi.offsetof("HTTP_RESPONSE", "ResponseInfoCount")
_COUNTED: Final = struct.Struct("<H6xQ")
"""A length and a pointer: HTTP_KNOWN_HEADER, and how arrays are given."""

_UNKNOWN: Final = struct.Struct("<HH4xQQ")
"""HTTP_UNKNOWN_HEADER: NameLength, RawValueLength, pName, pRawValue."""

_INFO: Final = struct.Struct("<iIQ")
"""HTTP_RESPONSE_INFO: Type, Length, pInfo."""

_SEVERAL: Final = struct.Struct("<iIH6xQ")
"""HTTP_MULTIPLE_KNOWN_HEADERS: HeaderId, Flags, KnownHeaderCount, KnownHeaders."""

_MAX_CHUNK_SIZE: Final = 1 << 30
"""Bytes; BufferLength has 32 bits."""

_CHUNK_SIZE: Final = ffi.sizeof("HTTP_DATA_CHUNK")
_FROM_MEMORY: Final = struct.Struct("<i4xQI12x")
_FROM_FILE: Final = struct.Struct("<i4xQQQ")
_TRAILERS: Final = struct.Struct("<i4xH6xQ8x")
"""HTTP_DATA_CHUNK: DataChunkType, and the part of the union that it says."""

_TOO_LONG: Final = (
    "a header or the reason phrase is longer than 65535 bytes, or there are more headers than that"
)


class NativeResponse:
    """A response's head, as HttpSendHttpResponse takes it; owns all that it points to."""

    __slots__ = ("_kept", "_text", "pointer")

    def __init__(self, status: int, reason: bytes | None, raw: RawHeaders) -> None:
        """Build it; None stands for the registered reason phrase.

        Raises ProtocolError (500) for what no HTTP/1.1 head could hold, and for more than 65535 bytes in one header.
        """
        if reason is None:
            reason = reason_phrase(status)
        self._text = ffi.from_buffer(_written(status, reason, raw))
        self._kept: list[object] = []
        memory = bytearray(_SIZE + _UNKNOWN.size * len(raw))
        self.pointer: CData = ffi.from_buffer("HTTP_RESPONSE *", memory)
        """The HTTP_RESPONSE."""
        reason_at, unknown_at = location(self._text) + _REASON_AT, location(self.pointer) + _SIZE
        try:
            known = _IDS if status != 101 else _OPAQUE_IDS
            unknown, several = _fill(memory, reason_at + len(reason), raw, known)
            _HEAD.pack_into(
                memory, 0, 1, 1, status, len(reason), reason_at, unknown, unknown_at if unknown else 0
            )
        except struct.error:
            raise ProtocolError(_TOO_LONG, 500) from None
        if several:
            infos = _infos(several)
            self._kept.append(infos)
            _COUNTED.pack_into(memory, _INFOS_AT, len(several), location(infos))

    def leave_length_out(self) -> None:
        """Say no Content-Length: HTTP.sys adds that of a body which leaves with the head."""
        header = self.pointer.Headers.KnownHeaders[_CONTENT_LENGTH]
        header.RawValueLength, header.pRawValue = 0, ffi.NULL

    def put(self, chunks: Chunks) -> None:
        """Have the first pieces of the body leave with the head."""
        if chunks:
            self._kept.append(chunks)
            self.pointer.EntityChunkCount = len(chunks)
            self.pointer.pEntityChunks = chunks.array()


def _written(status: int, reason: bytes, raw: RawHeaders) -> bytes:
    """Write a head as HTTP/1.1 does; raises ProtocolError (500) when it cannot."""
    try:
        return encode_response(status, raw, reason)
    except ProtocolError as error:
        raise ProtocolError(str(error), 500) from error


def _fill(
    memory: bytearray, address: int, raw: RawHeaders, known: dict[bytes, int]
) -> tuple[int, dict[int, list[tuple[int, int]]]]:
    """Say in `memory` where each header stands: `raw` as it was written at the address `address`.

    `known` are the ids of those that have a address in HTTP_RESPONSE.

    Returns how many unknown headers there are, and the (length, address) pairs of known ones that there are several of:
    HTTP_RESPONSE has one address for each.
    """
    seen: dict[int, tuple[int, int]] = {}
    several: dict[int, list[tuple[int, int]]] = {}
    unknown = 0
    for name, value in raw:
        name_at = address + 2  # after CRLF
        value_at = name_at + len(name) + 2  # after a colon and a space
        size = len(value)
        address = value_at + size
        number = known.get(name)
        if number is None and (number := known.get(name.lower())) is None:
            _UNKNOWN.pack_into(memory, _SIZE + _UNKNOWN.size * unknown, len(name), size, name_at, value_at)
            unknown += 1
        elif number not in seen:
            seen[number] = size, value_at
            _COUNTED.pack_into(memory, _KNOWN_AT + _COUNTED.size * number, size, value_at)
        else:
            several.setdefault(number, [seen[number]]).append((size, value_at))
    for number in several:
        _COUNTED.pack_into(memory, _KNOWN_AT + _COUNTED.size * number, 0, 0)
    return unknown, several


def _infos(several: dict[int, list[tuple[int, int]]]) -> CData:
    """Build an array of HTTP_RESPONSE_INFO for known headers that there are several of; it owns what hangs on it.

    The order of authentication schemes is kept, so that a client takes the first it can.
    """
    count, values = len(several), sum(map(len, several.values()))
    memory = bytearray((_INFO.size + _SEVERAL.size) * count + _COUNTED.size * values)
    infos = ffi.from_buffer(memory)
    base = location(infos)
    info, header, value = 0, _INFO.size * count, (_INFO.size + _SEVERAL.size) * count
    for number, places in several.items():
        flags = ResponseInfoFlag.PRESERVE_ORDER if number == _WWW_AUTHENTICATE else 0
        kind = ResponseInfoType.MULTIPLE_KNOWN_HEADERS
        _INFO.pack_into(memory, info, kind, _SEVERAL.size, base + header)
        _SEVERAL.pack_into(memory, header, number, flags, len(places), base + value)
        for address in places:
            _COUNTED.pack_into(memory, value, *address)
            value += _COUNTED.size
        info += _INFO.size
        header += _SEVERAL.size
    return infos


class Chunks:
    """Pieces of a body, in order (HTTP_DATA_CHUNK); owns the array, and keeps what the pieces point to.

    At most 9999 of them: one more raises ValueError.
    """

    __slots__ = ("_kept", "_packed")

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._kept: list[CData] = []

    def __len__(self) -> int:
        return len(self._packed)

    def array(self) -> CData:
        """Make the array; it lives as long as this does."""
        array = ffi.from_buffer("HTTP_DATA_CHUNK[]", b"".join(self._packed))
        self._kept.append(array)
        return array

    def memory(self, data: bytes) -> None:
        """Add bytes, which are not copied; nothing when there are none."""
        size = len(data)
        if size:
            held = ffi.from_buffer(data)
            self._kept.append(held)
            address = location(held)
            for at in range(0, size, _MAX_CHUNK_SIZE):
                part = min(size - at, _MAX_CHUNK_SIZE)
                self._add(_FROM_MEMORY.pack(DataChunkType.FROM_MEMORY, address + at, part))

    def file(self, handle: Handle, offset: int, length: int) -> None:
        """Add `length` bytes of an open file from `offset` on; HTTP.sys reads them. BYTE_RANGE_TO_EOF for all."""
        if length:
            address = location(handle)
            self._add(_FROM_FILE.pack(DataChunkType.FROM_FILE_HANDLE, offset, length, address))

    def trailers(self, raw: RawHeaders) -> None:
        """Add what follows the body: nothing may come after it. Raises ProtocolError (500) as for headers."""
        if not raw:
            return
        try:
            text = ffi.from_buffer(encode_lines(b"", raw))
        except ProtocolError as error:
            raise ProtocolError(str(error), 500) from error
        try:
            array = ffi.from_buffer(_table(raw, location(text)))
            packed = _TRAILERS.pack(DataChunkType.TRAILERS, len(raw), location(array))
        except struct.error:
            raise ProtocolError(_TOO_LONG, 500) from None
        self._kept += (text, array)
        self._add(packed)

    def _add(self, packed: bytes) -> None:
        if len(self._packed) >= MAX_CHUNKS:
            raise ValueError(f"more than {MAX_CHUNKS} pieces of a body in one call; send what there is first")
        self._packed.append(packed)


def _table(raw: RawHeaders, address: int) -> bytes:
    """Build an array of HTTP_UNKNOWN_HEADER: `raw` as it was written at the address `address`."""
    table = []
    for name, value in raw:
        value_at = address + len(name) + 4  # after CRLF, a colon and a space
        table.append(_UNKNOWN.pack(len(name), len(value), address + 2, value_at))
        address = value_at + len(value)
    return b"".join(table)
