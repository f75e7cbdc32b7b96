"""HTTP.sys's log: where and how it is kept (HTTP_LOGGING_INFO), and what a line says (HTTP_LOG_FIELDS_DATA)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    LIMIT_INFINITE,
    VERBS,
    LogField,
    LoggingFlag,
    LoggingRolloverType,
    LoggingType,
    Verb,
)
from hostler.server.httpsys.marshal.memory import location, wide
from hostler.server.options.log import LogFormat, LogOnly

if TYPE_CHECKING:
    from hostler.http.message import Request
    from hostler.server.httpsys.marshal.request import Arrival
    from hostler.server.options.log import Logging
    from hostler.windows.libraries import CData

__all__ = ["log_fields", "logging_info"]

_PRESENT: Final = 1
_MAX_TEXT_SIZE: Final = 65534
"""Bytes of a text in a log, in UTF-16 an even number of them."""

_ONLY: Final = {
    None: LoggingFlag(0),
    LogOnly.ERRORS: LoggingFlag.LOG_ERRORS_ONLY,
    LogOnly.SUCCESSES: LoggingFlag.LOG_SUCCESS_ONLY,
}


def logging_info(log: Logging) -> tuple[CData, tuple[Any, ...]]:
    """Build the HTTP_LOGGING_INFO; returns what it points to with it, which must live as long."""
    flags = _ONLY[log.only]
    if log.local_time:
        flags |= LoggingFlag.LOCAL_TIME_ROLLOVER
    if log.utf8:
        flags |= LoggingFlag.USE_UTF8_CONVERSION
    info = ffi.new("HTTP_LOGGING_INFO *")
    info.Flags = _PRESENT
    info.LoggingFlags = flags
    software, info.SoftwareNameLength = wide(log.software)
    directory, info.DirectoryNameLength = wide(log.directory)
    info.SoftwareName, info.DirectoryName = software, directory
    info.Format = LoggingType[log.format.name]
    if log.format is LogFormat.W3C:
        info.Fields = sum(LogField[str(column.name)] for column in log.fields)
    info.RolloverType = LoggingRolloverType[log.rollover.name]
    if log.rollover_size is not None:
        info.RolloverSize = LIMIT_INFINITE if log.rollover_size == math.inf else int(log.rollover_size)
    return info, (software, directory)


_FIELDS: Final = struct.Struct("<i 12H 4x 12Q HHIiH6x")
"""HTTP_LOG_FIELDS_DATA: Base; lengths; texts; ServerPort, ProtocolStatus, Win32Status, MethodNum, SubStatus."""

_VERBS: Final = {verb.decode("ascii"): number for number, verb in enumerate(VERBS) if verb}


def log_fields(arrival: Arrival, status: int) -> CData:
    """Build what HTTP.sys logs of a response: an HTTP_LOG_DATA pointer that owns all that it points to.

    HTTP.sys itself adds the time, the version, the bytes and how long it took. Texts are cut at 65534 bytes. Nobody
    knows the user's name, which HTTP.sys does not tell, the site's and the computer's.
    """
    request = arrival.request
    path, _, query = request.target.partition(b"?")
    texts = (
        b"",
        _stem(path).decode("latin-1").encode("utf-16-le"),
        arrival.client[0].encode("ascii"),
        b"",
        b"",
        arrival.server[0].encode("ascii"),
        request.method.encode("ascii"),
        query,
        request.host or b"",
        *(request.headers.get_raw(name) or b"" for name in (b"user-agent", b"cookie", b"referer")),
    )
    lengths = [min(len(text), _MAX_TEXT_SIZE) for text in texts]
    memory = bytearray(_FIELDS.size + sum(lengths))
    data = ffi.from_buffer("HTTP_LOG_DATA *", memory)
    base, at, places = location(data), _FIELDS.size, []
    for text, size in zip(texts, lengths, strict=True):
        memory[at : at + size] = text[:size]
        places.append(base + at if size else 0)
        at += size
    _FIELDS.pack_into(memory, 0, 0, *lengths, *places, arrival.server[1], status, 0, _verb(request), 0)
    return data


def _stem(path: bytes) -> bytes:
    """Return the path of a target, which may be a whole URL (RFC 9112 3.2.2)."""
    if path.startswith(b"/") or b"://" not in path:
        return path
    return b"/" + path.partition(b"://")[2].partition(b"/")[2]


def _verb(request: Request) -> int:
    return _VERBS.get(request.method, Verb.UNKNOWN)
