"""What the streams of one server share: its queue, what this Windows can, and who waits for which client to go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import RequestProperty
from hostler.server.httpsys.marshal.log import log_fields
from hostler.server.pending import Pending
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from hostler.server.httpsys.api import HttpApi, Windows
    from hostler.server.httpsys.features import Features
    from hostler.server.httpsys.marshal.request import Arrival
    from hostler.server.options.httpsys import HttpSysOptions
    from hostler.windows.libraries import CData
    from hostler.windows.port import IoHandle, Operation

__all__ = ["Connections", "ServerContext", "Stream", "cancel_request", "set_stream_error"]

_log: Final = logging.getLogger("hostler.server.httpsys")
_CANCELLED: Final = frozenset({
    0, ErrorCode.ERROR_IO_PENDING, ErrorCode.ERROR_CONNECTION_INVALID, ErrorCode.ERROR_INVALID_HANDLE,
})  # fmt: skip
"""It is, will be or was over: closing the queue ends everything."""

_NOT_THERE: Final = frozenset({ErrorCode.ERROR_CALL_NOT_IMPLEMENTED, ErrorCode.ERROR_PROC_NOT_FOUND})
"""This Windows, or what stands in for it, has the function's name and no more."""


class Stream(Protocol):
    """A stream as those know it who tell it about its connection and its server."""

    def client_gone(self, code: int) -> None:
        """Called when the client has disconnected; `code` is how a call said so."""

    def going_away(self) -> None:
        """Called when the server begins to stop."""

    def abort(self) -> None:
        """Reset the client."""


class _WatchedConnection:
    """A client's connection, and the streams that want to know when it is gone (HttpWaitForDisconnectEx)."""

    __slots__ = ("_connections", "_operation", "number", "streams")

    def __init__(self, connections: Connections, number: int) -> None:
        self._connections = connections
        self.number = number
        self.streams: set[Stream] = set()
        self._operation: Operation = connections.io.operation(self._gone)

    def watch(self) -> int:
        """Begin to wait; returns ERROR_IO_PENDING, or why there is nothing to wait for."""
        connections = self._connections
        http, handle = connections.http, connections.io.handle
        return self._operation.start(
            lambda overlapped: http.HttpWaitForDisconnectEx(handle, self.number, 0, overlapped)
        )

    def cancel(self) -> None:
        """Wait no more."""
        self._operation.cancel()

    def _gone(self, code: int, size: int) -> None:
        self._connections.forget(self.number)
        if code != ErrorCode.ERROR_OPERATION_ABORTED:
            for stream in list(self.streams):
                stream.client_gone(ErrorCode.ERROR_CONNECTION_INVALID)


@define(eq=False)
class Connections:
    """The connections whose end somebody waits for: one call each, for all of its requests."""

    http: HttpApi
    io: IoHandle
    _known: dict[int, _WatchedConnection] = field(factory=dict, init=False)
    _can_wait: bool = field(init=False)

    @_can_wait.default
    def _exported(self) -> bool:
        return exports(self.http, "HttpWaitForDisconnectEx")

    def watch(self, number: int, stream: Stream) -> None:
        """Call `stream.client_gone` when the connection is gone, or Windows says whatever else of it."""
        connection = self._known.get(number)
        if connection is None:
            if not self._can_wait:
                return
            connection = _WatchedConnection(self, number)
            code = connection.watch()
            if code in _NOT_THERE:
                self._can_wait = False
                why = Win32Error.text(code)
                _log.info("HttpWaitForDisconnectEx: %s; clients that go away are noticed when sending", why)
                return
            if code != ErrorCode.ERROR_IO_PENDING:
                self.io.port.loop.call_soon(stream.client_gone, code or ErrorCode.ERROR_CONNECTION_INVALID)
                return
            self._known[number] = connection
        connection.streams.add(stream)

    def unwatch(self, number: int, stream: Stream, *, alone: bool) -> None:
        """Forget a stream that is over; its connection may bring others, unless it was `alone` on it."""
        connection = self._known.get(number)
        if connection is not None:
            connection.streams.discard(stream)
            if alone:
                connection.cancel()

    def forget(self, number: int) -> None:
        """Forget a connection that is gone."""
        self._known.pop(number, None)


@define(eq=False)
class ServerContext:
    """What the streams of one server work with."""

    windows: Windows
    io: IoHandle
    features: Features
    options: HttpSysOptions
    withdrawn: bool = field(default=False, init=False)
    """HTTP.sys answers new requests with 503: clients are to open other connections."""

    goaway: bool = field(default=True, init=False)
    """Whether this Windows has not refused HTTP_SEND_RESPONSE_FLAG_GOAWAY yet."""

    connections: Connections = field(init=False)
    streams: Pending[Stream] = field(factory=Pending, init=False)
    """The requests that are not over, the sending of the answer included."""

    @connections.default
    def _connections(self) -> Connections:
        return Connections(self.windows.http, self.io)

    def log_fields(self, arrival: Arrival, status: int) -> CData:
        """Return what HTTP.sys' log says of an answer (HTTP_LOG_FIELDS_DATA); NULL when none is kept."""
        return ffi.NULL if self.options.logging is None else log_fields(arrival, status)

    def no_goaway(self) -> None:
        """Note that this Windows does not know the flag: HTTP.sys takes it from Windows Server 2022 on."""
        self.goaway = False

    def close_token(self, token: int) -> None:
        """Close a client's access token: HTTP.sys made its handle for us (HTTP_REQUEST_AUTH_INFO)."""
        self.windows.kernel.CloseHandle(ffi.cast("HANDLE", token))

    def cancel_request(self, request: int, reset_code: int | None = None) -> None:
        """Reset the client's connection; in HTTP/2 and 3, its stream, with an error code where one is given."""
        if reset_code is not None and exports(self.windows.http, "HttpSetRequestProperty"):
            set_stream_error(self.windows.http, self.io, request, reset_code)
        cancel_request(self.windows.http, self.io, request)


def cancel_request(http: HttpApi, io: IoHandle, request: int) -> None:
    """Abort a request, its connection or stream with it (HttpCancelHttpRequest); one that is over is no matter."""
    handle = io.handle
    operation = io.operation(lambda code, size: None)
    code = operation.start(lambda overlapped: http.HttpCancelHttpRequest(handle, request, overlapped))
    if code not in _CANCELLED:
        _log.info("HttpCancelHttpRequest: error %d", code)


def set_stream_error(http: HttpApi, io: IoHandle, request: int, code: int) -> None:
    """Say which error code a stream is reset with (HttpRequestPropertyStreamError), before it is cancelled."""
    error = ffi.new("HTTP_REQUEST_PROPERTY_STREAM_ERROR *", (code & 0xFFFF_FFFF,))
    handle, size = io.handle, ffi.sizeof(error[0])
    failed = io.operation(lambda code, size: None).start(
        lambda overlapped: http.HttpSetRequestProperty(
            handle, request, RequestProperty.STREAM_ERROR, error, size, overlapped
        ),
        error,
    )
    if failed not in _CANCELLED:
        _log.info("HttpSetRequestProperty: error %d; a stream is reset with HTTP.sys' own code", failed)
