"""Properties of sessions, URL groups and queues: which of them each has, their sizes and their ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.process import Process
    from tests.server.httpsys.model.queue import Queue, QueueHandle
    from tests.server.httpsys.model.routing import Session, UrlGroup

# HTTP_SERVER_PROPERTY
(AUTHENTICATION, LOGGING, QOS, TIMEOUTS, QUEUE_LENGTH, STATE, VERBOSITY, BINDING, EXTENDED_AUTHENTICATION,
 LISTEN_ENDPOINT, CHANNEL_BIND, PROTECTION_LEVEL) = range(12)  # fmt: skip
DELEGATION, FAST_FORWARDING, REQUEST_INFO = 16, 18, 19

_SIZES = {
    AUTHENTICATION: "HTTP_SERVER_AUTHENTICATION_INFO",
    EXTENDED_AUTHENTICATION: "HTTP_SERVER_AUTHENTICATION_INFO",
    LOGGING: "HTTP_LOGGING_INFO",
    QOS: "HTTP_QOS_SETTING_INFO",
    TIMEOUTS: "HTTP_TIMEOUT_LIMIT_INFO",
    QUEUE_LENGTH: "uint32_t",
    STATE: "HTTP_STATE_INFO",
    VERBOSITY: "HTTP_503_RESPONSE_VERBOSITY",
    BINDING: "HTTP_BINDING_INFO",
    LISTEN_ENDPOINT: "HTTP_LISTEN_ENDPOINT_INFO",
    CHANNEL_BIND: "HTTP_CHANNEL_BIND_INFO",
    PROTECTION_LEVEL: "HTTP_PROTECTION_LEVEL_INFO",
    DELEGATION: "HTTP_BINDING_INFO",
    FAST_FORWARDING: "HTTP_FAST_FORWARD_INFO",
    REQUEST_INFO: "HTTP_REQUEST_INFO_PROPERTY_INFO",
}
# source: HttpSetServerSessionProperty, HttpSetUrlGroupProperty, HttpSetRequestQueueProperty: which have which
# guess: groups have ListenEndpoint, ProtectionLevel and those of newer headers too, which no page names
_SESSION = {AUTHENTICATION, EXTENDED_AUTHENTICATION, LOGGING, QOS, TIMEOUTS, STATE, CHANNEL_BIND}
_GROUP = {*_SESSION, BINDING, LISTEN_ENDPOINT, PROTECTION_LEVEL, DELEGATION, FAST_FORWARDING, REQUEST_INFO}
_QUEUE = {STATE, QUEUE_LENGTH, VERBOSITY}
_QUERIED = {AUTHENTICATION, TIMEOUTS, STATE, QOS, CHANNEL_BIND}

_INFINITE = 0xFFFFFFFF
_LEAST_BANDWIDTH = 1024
_LEAST_ROLLOVER = 1 << 20
_LONGEST_NAME, _LONGEST_DIRECTORY = 260 * 2, 424
_BANDWIDTH, _CONNECTION_LIMIT = 0, 1
_W3C, _RAW = 0, 3


def _read(allowed: set[int], number: int, value: Any, size: int, kind: str | None = None) -> Any:
    """Read a property's structure; raises Win32."""
    # source: HttpSetUrlGroupProperty: ERROR_INVALID_PARAMETER for another property, for NULL, for no length
    if number not in allowed or value == ffi.NULL:
        raise Win32(c.INVALID_PARAMETER)
    kind = kind or _SIZES[number]
    # source: HttpSetServerSessionProperty: the buffer is at least as large as the structure
    if size < ffi.sizeof(kind):
        raise Win32(c.INVALID_PARAMETER)
    return ffi.cast(f"{kind} *", value)


def _demand(condition: object) -> None:
    if not condition:
        raise Win32(c.INVALID_PARAMETER)


def set_session(session: Session, number: int, value: Any, size: int) -> None:
    """Set a property of a server session; raises Win32."""
    info = _read(_SESSION, number, value, size)
    if number == STATE:
        session.enabled = _state(info)
    elif number == QOS:
        # source: HttpSetServerSessionProperty: a session has bandwidth only
        _demand(info.QosType == _BANDWIDTH)
        _qos(info)
    else:
        _check(number, info, session=True)
    session.properties[number] = bytes(ffi.buffer(info))


def set_group(group: UrlGroup, number: int, value: Any, size: int, process: Process) -> None:
    """Set a property of a URL group; raises Win32."""
    info = _read(_GROUP, number, value, size)
    if number == STATE:
        group.enabled = _state(info)
    elif number == QOS:
        limit = _qos(info)
        if info.QosType == _CONNECTION_LIMIT:
            group.most_connections = limit
    elif number == BINDING:
        group.queue = _bound_to(info, process)
    elif number == DELEGATION:
        _delegation(group, info, process)
    else:
        _check(number, info, session=False)
    group.properties[number] = bytes(ffi.buffer(info))


def _bound_to(info: Any, process: Process) -> Queue | None:
    """Give the queue that a HTTP_BINDING_INFO binds to; without Present, or with a NULL handle, it unbinds."""
    # source: HTTP_BINDING_INFO: not present, or NULL, unbinds
    # source: ASP.NET's UrlGroup: the binding may be set again and again
    if not info.Flags & 1 or info.RequestQueueHandle == ffi.NULL:
        return None
    handle: QueueHandle = process.file(info.RequestQueueHandle, "queue handle")
    _demand(not handle.delegation)
    return handle.queue


def set_queue(handle: QueueHandle, number: int, value: Any, size: int) -> None:
    """Set a property of a queue; raises Win32."""
    queue = handle.queue
    info = _read(_QUEUE, number, value, size, "HTTP_ENABLED_STATE" if number == STATE else None)
    # source: HttpSetRequestQueueProperty: by the application that created the queue
    _demand(handle.created)
    if number == STATE:
        # source: HttpSetRequestQueueProperty: HttpServerStateProperty is a HTTP_ENABLED_STATE
        # guess: what waits already goes on waiting, until its timer or somebody who receives it
        _demand(info[0] in {0, 1})
        queue.enabled = info[0] == 0
    elif number == QUEUE_LENGTH:
        # source: HTTP_SERVER_PROPERTY and its header: HTTP_MIN_SERVER_QUEUE_LENGTH, HTTP_MAX_SERVER_QUEUE_LENGTH
        _demand(1 <= info[0] <= 0x7FFFFFFF)
        queue.limit = info[0]
    else:
        _demand(0 <= info[0] <= 2)
        queue.verbosity = info[0]


def _state(info: Any) -> bool:
    _demand(info.Flags & 1 and info.State in {0, 1})
    return bool(info.State == 0)


def _qos(info: Any) -> int | None:
    """Check a limit, and give it, None for none."""
    _demand(info.QosSetting != ffi.NULL)
    if info.QosType == _BANDWIDTH:
        limit = ffi.cast("HTTP_BANDWIDTH_LIMIT_INFO *", info.QosSetting)
        # source: HTTP_BANDWIDTH_LIMIT_INFO: not below HTTP_MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE
        number = limit.MaxBandwidth
        _demand(number >= _LEAST_BANDWIDTH)
    elif info.QosType == _CONNECTION_LIMIT:
        limit = ffi.cast("HTTP_CONNECTION_LIMIT_INFO *", info.QosSetting)
        number = limit.MaxConnections
    else:
        raise Win32(c.INVALID_PARAMETER)
    return None if number == _INFINITE or not limit.Flags & 1 else number


def _check(number: int, info: Any, *, session: bool) -> None:
    # guess: what is set and not present is ERROR_INVALID_PARAMETER, where it may be without effect
    if number == TIMEOUTS:
        _demand(info.Flags & 1)
    elif number in {AUTHENTICATION, EXTENDED_AUTHENTICATION}:
        _demand(info.Flags & 1 and info.AuthSchemes & ~0x1F == 0)
    elif number == LOGGING:
        _logging(info, session=session)
    elif number == CHANNEL_BIND:
        _demand(0 <= info.Hardening <= 2)
    elif number == PROTECTION_LEVEL:
        _demand(info.Flags & 1 and info.Level in {0, 1, 2})


def _logging(info: Any, *, session: bool) -> None:
    """A session logs W3C or raw, a group all but raw (HTTP_LOGGING_INFO)."""
    if not info.Flags & 1:
        return
    # source: HTTP_LOGGING_INFO: a session logs W3C or raw, a group W3C, IIS or NCSA
    formats = {_W3C, _RAW} if session else {0, 1, 2}
    _demand(info.Format in formats and 0 <= info.RolloverType <= 4)
    # source: HTTP_LOGGING_INFO: errors only and success only exclude each other
    _demand(info.LoggingFlags & 0xC != 0xC)
    # source: HTTP_LOGGING_INFO: SoftwareName up to MAX_PATH, DirectoryName up to 424 bytes
    # guess: MAX_PATH counts characters there
    _demand(info.SoftwareNameLength <= _LONGEST_NAME)
    _demand(info.DirectoryName != ffi.NULL and 0 < info.DirectoryNameLength <= _LONGEST_DIRECTORY)
    if info.RolloverType == 0:
        # source: HTTP_LOGGING_INFO: at least 1024 * 1024 by size, zero for all others
        _demand(info.RolloverSize >= _LEAST_ROLLOVER)
    else:
        _demand(info.RolloverSize == 0)


def _delegation(group: UrlGroup, info: Any, process: Process) -> None:
    """Make or end the rule that a group's requests may go to a queue (HttpServerDelegationProperty)."""
    machine = process.machine
    _demand(machine.release >= machine.DELEGATION_SINCE)
    # guess: HttpServerDelegationProperty has no page of its own; what it does is read off ASP.NET's UrlGroup
    target = process.file(info.RequestQueueHandle, "queue handle")
    if not info.Flags & 1:
        # source: aspnetcore#27126: a rule is unset by its property without the flag
        # guess: one that is not there is ERROR_FILE_NOT_FOUND
        if group.rules.pop(target.queue, None) is None:
            raise Win32(c.FILE_NOT_FOUND)
        return
    # before Windows 11 a handle for delegating was opened like any other
    _demand(target.delegation or machine.release < machine.DELEGATION_FLAG_SINCE)
    if target.detached:
        raise Win32(c.OBJECT_NO_LONGER_EXISTS if machine.detaches_delegators else c.FILE_NOT_FOUND)
    own = [
        entry
        for session in machine.sessions.values()
        if session.process is process
        for entry in session.groups
    ]
    # source: aspnetcore#25831: ERROR_ALREADY_EXISTS for a second rule of the process to that queue
    if target.queue in group.rules or any(
        entry.rules.get(target.queue, target) is not target for entry in own
    ):
        raise Win32(c.ALREADY_EXISTS)
    target.delegation = True
    group.rules[target.queue] = target


def query(values: dict[int, bytes], number: int, buffer: Any, size: int, length: Any) -> None:
    """Give a property that was set, as it was set; one that was not is all zeros (Flags: not present)."""
    # source: HttpQueryUrlGroupProperty: which can be queried, logging not among them
    # source: HTTP_PROPERTY_FLAGS: of one that was not set the structure says that it is not present
    _demand(number in _QUERIED)
    data = values.get(number, bytes(ffi.sizeof(_SIZES[number])))
    _put(data, buffer, size, length)


def query_queue(handle: QueueHandle, number: int, buffer: Any, size: int, length: Any) -> None:
    """Give a property of a queue; raises Win32."""
    queue = handle.queue
    values: dict[int, Callable[[], int]] = {
        STATE: lambda: int(not queue.enabled),
        QUEUE_LENGTH: lambda: queue.limit,
        VERBOSITY: lambda: queue.verbosity,
    }
    _demand(number in values)
    _put(values[number]().to_bytes(4, "little"), buffer, size, length)


def _put(data: bytes, buffer: Any, size: int, length: Any) -> None:
    # source: HttpQueryUrlGroupProperty, HttpQueryRequestQueueProperty: ERROR_INVALID_PARAMETER for NULL and for no length,
    # ERROR_MORE_DATA with the size for a buffer that is too small
    _demand(buffer != ffi.NULL and size)
    if length != ffi.NULL:
        length[0] = len(data)
    if size < len(data):
        raise Win32(c.MORE_DATA)
    memory.write(memory.number(buffer), data)
