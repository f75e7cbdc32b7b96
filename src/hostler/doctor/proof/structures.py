"""Structures of HTTP.sys as plain values of JSON: what is sent, what is set, what a request says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import REQUEST_HEADERS, DataChunkType, ServerProperty
from hostler.server.httpsys.marshal.address import read_address

if TYPE_CHECKING:
    from hostler.windows.libraries import CData

__all__ = [
    "bytes_of",
    "cache_of",
    "chunks_of",
    "delegation_of",
    "plain",
    "property_of",
    "request_of",
    "response_of",
]

_LONGEST: Final = 4096
"""Bytes of a piece that are written down as they are."""

_MOST_PARTS: Final = 8
_RUN: Final = re.compile(rb"(.)\1{63,}", re.DOTALL)
_FLAT: Final = frozenset(
    {
        ServerProperty.STATE,
        ServerProperty.QUEUE_LENGTH,
        ServerProperty.TIMEOUTS,
        ServerProperty.VERBOSITY_503,
    }
)
"""Properties whose structures point to nothing."""


def plain(data: bytes) -> object:
    """Write bytes down: as Latin-1 text, with long runs of one byte by their length; of many bytes only the number."""
    parts: list[object] = []
    text_at = 0
    for run in _RUN.finditer(data):
        parts += [data[text_at : run.start()].decode("latin-1")] if run.start() > text_at else []
        parts.append({"run": run[1].decode("latin-1"), "times": len(run[0])})
        text_at = run.end()
    if len(data) - text_at > _LONGEST or len(parts) > _MOST_PARTS:
        return {"bytes": len(data)}
    rest = data[text_at:].decode("latin-1")
    if not parts:
        return rest
    return [*parts, rest] if rest else parts


def bytes_of(written: Any) -> bytes:
    """Make the bytes again that `plain` wrote down; those that were only counted are all "x"."""
    if isinstance(written, str):
        return written.encode("latin-1")
    if isinstance(written, list):
        return b"".join(map(bytes_of, written))
    if "run" in written:
        return bytes(written["run"].encode("latin-1") * written["times"])
    return b"x" * int(written["bytes"])


def _memory(pointer: CData, size: int) -> bytes:
    return bytes(ffi.buffer(ffi.cast("char *", pointer), size)) if size else b""


def _pairs(count: int, headers: CData) -> list[list[object]]:
    """HTTP_UNKNOWN_HEADERs."""
    return [
        [
            plain(_memory(headers[at].pName, headers[at].NameLength)),
            plain(_memory(headers[at].pRawValue, headers[at].RawValueLength)),
        ]
        for at in range(count)
    ]


def response_of(response: CData) -> dict[str, object]:
    """HTTP_RESPONSE."""
    headers = response.Headers
    known = [
        [at, plain(_memory(value.pRawValue, value.RawValueLength))]
        for at, value in enumerate(headers.KnownHeaders)
        if value.pRawValue != ffi.NULL
    ]
    several = [
        _several(ffi.cast("HTTP_MULTIPLE_KNOWN_HEADERS *", info.pInfo))
        for info in response.pResponseInfo[0 : response.ResponseInfoCount]
        if info.Type == 0
    ]
    return {
        "flags": response.Flags,
        "status": response.StatusCode,
        "reason": plain(_memory(response.pReason, response.ReasonLength)),
        "known": known,
        "several": several,
        "unknown": _pairs(headers.UnknownHeaderCount, headers.pUnknownHeaders),
        "chunks": chunks_of(response.EntityChunkCount, response.pEntityChunks),
    }


def _several(info: CData) -> list[object]:
    values = [info.KnownHeaders[at] for at in range(info.KnownHeaderCount)]
    return [info.HeaderId, [plain(_memory(value.pRawValue, value.RawValueLength)) for value in values]]


def chunks_of(count: int, chunks: CData) -> list[object]:
    """HTTP_DATA_CHUNKs: pieces of memory, parts of files by their length, trailers as pairs."""
    return [_chunk(chunks[at]) for at in range(count)]


def _chunk(chunk: CData) -> object:
    kind = chunk.DataChunkType
    if kind == DataChunkType.FROM_MEMORY:
        return plain(_memory(chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength))
    if kind == DataChunkType.TRAILERS:
        return {"trailers": _pairs(chunk.Trailers.TrailerCount, chunk.Trailers.pTrailers)}
    return {"kind": kind}


def property_of(number: int, value: CData, size: int) -> dict[str, object]:
    """Write a property's value down: a queue's handle, or bytes where nothing in them is a pointer."""
    if number in {ServerProperty.BINDING, ServerProperty.DELEGATION}:
        binding = ffi.cast("HTTP_BINDING_INFO *", value)
        return {
            "present": binding.Flags & 1,
            "queue": hex(int(ffi.cast("uintptr_t", binding.RequestQueueHandle))),
        }
    if number in _FLAT:
        return {"hex": _memory(value, size).hex()}
    return {}


def delegation_of(count: int, infos: CData) -> list[object]:
    """HTTP_DELEGATE_REQUEST_PROPERTY_INFOs; the URL, which is UTF-16, as text."""
    return [
        [
            infos[at].PropertyId,
            _memory(infos[at].PropertyInfo, infos[at].PropertyInfoLength).decode("utf-16-le"),
        ]
        for at in range(count)
    ]


def cache_of(policy: CData) -> object:
    """HTTP_CACHE_POLICY, or None."""
    return None if policy == ffi.NULL else [policy.Policy, policy.SecondsToLive]


def request_of(request: CData) -> dict[str, object]:
    """Write down what a request says of itself, raw (HTTP_REQUEST)."""
    headers = request.Headers
    known = [
        [REQUEST_HEADERS[at].decode("ascii"), plain(_memory(value.pRawValue, value.RawValueLength))]
        for at, value in enumerate(headers.KnownHeaders)
        if value.RawValueLength
    ]
    return {
        "request": hex(request.RequestId),
        "connection": hex(request.ConnectionId),
        "raw_connection": hex(request.RawConnectionId),
        "context": hex(request.UrlContext),
        "flags": request.Flags,
        "version": [request.Version.MajorVersion, request.Version.MinorVersion],
        "verb": request.Verb,
        "target": plain(_memory(request.pRawUrl, request.RawUrlLength)),
        "headers": known + _pairs(headers.UnknownHeaderCount, headers.pUnknownHeaders),
        "client_port": read_address(request.Address.pRemoteAddress)[1],
    }
