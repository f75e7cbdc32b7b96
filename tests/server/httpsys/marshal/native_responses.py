"""Reading HTTP_RESPONSE and HTTP_DATA_CHUNK structures with cffi, member by member, as HTTP.sys would."""

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import RESPONSE_HEADERS, DataChunkType, ResponseInfoType


def text(pointer, length):
    """Return the bytes at a pointer."""
    return ffi.buffer(pointer, length)[:] if length else b""


def reason(response):
    """Return a response's reason phrase."""
    return text(response.pReason, response.ReasonLength)


def headers(response):
    """Return the (name, value) pairs that HTTP.sys would send: known ones by id, then unknown ones."""
    several = {number: values for number, _, values in multiple(response)}
    found = []
    for number, name in enumerate(RESPONSE_HEADERS):
        known = response.Headers.KnownHeaders[number]
        if number in several:
            assert not known.pRawValue, "it would be sent once more"
            found += [(name, value) for value in several[number]]
        elif known.pRawValue:
            found.append((name, text(known.pRawValue, known.RawValueLength)))
    return found + unknown(response.Headers.pUnknownHeaders, response.Headers.UnknownHeaderCount)


def unknown(table, count):
    """Return the pairs of an array of HTTP_UNKNOWN_HEADER."""
    entries = [table[at] for at in range(count)]
    return [(text(one.pName, one.NameLength), text(one.pRawValue, one.RawValueLength)) for one in entries]


def multiple(response):
    """Return (id, flags, values) of known headers that there are several of."""
    found = []
    for at in range(response.ResponseInfoCount):
        info = response.pResponseInfo[at]
        assert info.Type == ResponseInfoType.MULTIPLE_KNOWN_HEADERS
        assert info.Length == ffi.sizeof("HTTP_MULTIPLE_KNOWN_HEADERS")
        several = ffi.cast("HTTP_MULTIPLE_KNOWN_HEADERS *", info.pInfo)
        values = [several.KnownHeaders[at] for at in range(several.KnownHeaderCount)]
        found.append(
            (several.HeaderId, several.Flags, [text(one.pRawValue, one.RawValueLength) for one in values])
        )
    return found


def chunks(pointer, count):
    """Return what an array of HTTP_DATA_CHUNK says: bytes, (handle, offset, length), or a list of trailers."""
    return [_chunk(pointer[at]) for at in range(count)]


def _chunk(chunk):
    if chunk.DataChunkType == DataChunkType.FROM_MEMORY:
        return text(chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength)
    if chunk.DataChunkType == DataChunkType.FROM_FILE_HANDLE:
        part = chunk.FromFileHandle
        handle = int(ffi.cast("uintptr_t", part.FileHandle))
        return handle, part.ByteRange.StartingOffset, part.ByteRange.Length
    assert chunk.DataChunkType == DataChunkType.TRAILERS
    return unknown(chunk.Trailers.pTrailers, chunk.Trailers.TrailerCount)
