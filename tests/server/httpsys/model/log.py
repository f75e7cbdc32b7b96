"""The log that HTTP.sys keeps of a URL group: a line for an answer whose application says what it is to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import memory

if TYPE_CHECKING:
    from tests.server.httpsys.model.exchange import Request

_WIDE = ("UserName", "UriStem")
_NARROW = (
    "ClientIp", "ServerName", "ServiceName", "ServerIp", "Method", "UriQuery", "Host", "UserAgent", "Cookie", "Referrer",
)  # fmt: skip
_ERRORS_ONLY, _SUCCESS_ONLY = 4, 8
LOGGING = 1


def read_log_data(data: Any) -> dict[str, Any] | None:
    """Read HTTP_LOG_FIELDS_DATA, empty texts left out; None for NULL."""
    if not data:
        return None
    fields = ffi.cast("HTTP_LOG_FIELDS_DATA *", data)
    if fields.Base.Type != 0:
        return {}
    texts = {name: _text(fields, name) for name in (*_WIDE, *_NARROW)}
    line: dict[str, Any] = {name: text for name, text in texts.items() if text}
    numbers = ("ServerPort", "ProtocolStatus", "Win32Status", "MethodNum", "SubStatus")
    return line | {name: getattr(fields, name) for name in numbers}


def _text(fields: Any, name: str) -> str:
    size = getattr(fields, f"{name}Length")
    data = memory.read(memory.number(getattr(fields, name)), size) if size else b""
    assert data is not None, name
    return data.decode("utf-16-le" if name in _WIDE else "latin-1")


def write_line(request: Request, line: dict[str, Any] | None) -> None:
    """Log an answer, where that was asked for: by the group's or session's property, and by the last send."""
    # source: HttpSendHttpResponse: nothing is logged unless the last send has HTTP_LOG_FIELDS_DATA
    if line is None or request.group is None:
        return
    group = request.group
    data = group.properties.get(LOGGING) or group.session.properties.get(LOGGING)
    if data is None:
        return
    info = ffi.from_buffer("HTTP_LOGGING_INFO *", data)
    # source: HTTP_LOGGING_INFO: HTTP_LOGGING_FLAG_LOG_ERRORS_ONLY, HTTP_LOGGING_FLAG_LOG_SUCCESS_ONLY
    # guess: an error is a status of 400 and more
    error = line.get("ProtocolStatus", 0) >= 400
    if info.Flags & 1 and not info.LoggingFlags & (_SUCCESS_ONLY if error else _ERRORS_ONLY):
        request.machine.log.append(line)
