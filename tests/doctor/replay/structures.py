"""Makes structures of HTTP.sys of what `hostler.doctor.proof.structures` wrote down."""

from hostler.doctor.proof.structures import bytes_of
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import DataChunkType


class Structures:
    """Makes structures, and keeps the memory that they point to."""

    def __init__(self):
        self.kept = []

    def _memory(self, written):
        data = bytes_of(written)
        memory = ffi.new("char[]", data)
        self.kept.append(memory)
        return memory, len(data)

    def _array(self, kind, items):
        if not items:
            return ffi.NULL
        array = ffi.new(f"{kind}[]", len(items))
        self.kept.append(array)
        for at, item in enumerate(items):
            self._fill(array[at], item)
        return array

    def _fill(self, target, members):
        for name, value in members.items():
            setattr(target, name, value)

    def new(self, kind, **members):
        """Make a structure."""
        made = ffi.new(f"{kind} *", members)
        self.kept.append(made)
        return made

    # -- what is sent

    def response(self, written):
        """HTTP_RESPONSE."""
        made = self.new("HTTP_RESPONSE", Flags=written["flags"], StatusCode=written["status"])
        made.pReason, made.ReasonLength = self._memory(written["reason"])
        for at, value in written["known"]:
            header = made.Headers.KnownHeaders[at]
            header.pRawValue, header.RawValueLength = self._memory(value)
        made.Headers.pUnknownHeaders = self._unknown(written["unknown"])
        made.Headers.UnknownHeaderCount = len(written["unknown"])
        made.pEntityChunks = self.chunks(written["chunks"])
        made.EntityChunkCount = len(written["chunks"])
        infos = [self._several(number, values) for number, values in written["several"]]
        made.pResponseInfo, made.ResponseInfoCount = self._array("HTTP_RESPONSE_INFO", infos), len(infos)
        return made

    def _several(self, number, values):
        known = self._array("HTTP_KNOWN_HEADER", [self._value(value) for value in values])
        info = self.new(
            "HTTP_MULTIPLE_KNOWN_HEADERS", HeaderId=number, KnownHeaderCount=len(values), KnownHeaders=known
        )
        return {"Type": 0, "Length": ffi.sizeof("HTTP_MULTIPLE_KNOWN_HEADERS"), "pInfo": info}

    def _value(self, value):
        memory, size = self._memory(value)
        return {"pRawValue": memory, "RawValueLength": size}

    def _unknown(self, pairs):
        return self._array("HTTP_UNKNOWN_HEADER", [self._pair(*pair) for pair in pairs])

    def _pair(self, name, value):
        memory, size = self._memory(name)
        return {"pName": memory, "NameLength": size, **self._value(value)}

    def chunks(self, written):
        """HTTP_DATA_CHUNKs."""
        if not written:
            return ffi.NULL
        array = ffi.new("HTTP_DATA_CHUNK[]", len(written))
        self.kept.append(array)
        for chunk, piece in zip(array, written, strict=True):
            if isinstance(piece, dict) and "trailers" in piece:
                chunk.DataChunkType = DataChunkType.TRAILERS
                chunk.Trailers.pTrailers = self._unknown(piece["trailers"])
                chunk.Trailers.TrailerCount = len(piece["trailers"])
            else:
                chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength = self._memory(piece)
        return array

    def cache(self, written):
        """HTTP_CACHE_POLICY."""
        if written is None:
            return ffi.NULL
        return self.new("HTTP_CACHE_POLICY", Policy=written[0], SecondsToLive=written[1])

    # -- what is set

    def value(self, written, handle):
        """Make the value of a property; `handle` finds the queue of a binding."""
        if "queue" in written:
            queue = handle(written["queue"])
            return self.new("HTTP_BINDING_INFO", Flags=written["present"], RequestQueueHandle=queue)
        memory, _ = self._memory(bytes.fromhex(written["hex"]).decode("latin-1"))
        return ffi.cast("void *", memory)

    def delegation(self, written):
        """HTTP_DELEGATE_REQUEST_PROPERTY_INFOs."""
        infos = []
        for number, url in written:
            memory, size = self._memory(url.encode("utf-16-le").decode("latin-1"))
            infos.append({"PropertyId": number, "PropertyInfoLength": size, "PropertyInfo": memory})
        return self._array("HTTP_DELEGATE_REQUEST_PROPERTY_INFO", infos)
