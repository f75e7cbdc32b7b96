"""Request queues: create one, or open one that exists, to serve it, to control it, or to delegate to it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from hostler.config.model import check_queue_name
from hostler.errors import NoSuchQueueError, QueueAccessError, QueueExistsError, UnsupportedError
from hostler.server.base import QueueMode
from hostler.server.httpsys import library
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    CreateRequestQueueFlag,
    EnabledState,
    ServerProperty,
    Verbosity503,
)
from hostler.server.httpsys.errors import queue_error
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error, check
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.marshal.properties import Property
    from hostler.windows.libraries import CData, Handle

__all__ = [
    "QueueHandle",
    "QueueState",
    "create_queue",
    "open_queue",
    "open_queue_as",
    "open_target",
    "query_queue",
]

_SDDL_REVISION_1: Final = 1
_TRIES: Final = 3
"""How often a queue is made or opened that comes and goes meanwhile."""


@frozen
class QueueState:
    """What is set for a request queue; how many requests wait in it is told by performance counters alone."""

    limit: int
    """How many requests may wait (HttpServerQueueLengthProperty)."""

    active: bool
    """It takes requests; one that does not answers 503 (HttpServerStateProperty)."""

    verbosity: Verbosity503
    """How HTTP.sys answers 503 for it (HttpServer503VerbosityProperty)."""


@define(eq=False)
class QueueHandle:
    """An open handle on a request queue."""

    windows: Windows
    handle: Handle
    name: str
    """"" for a queue that no other process can open."""

    created: bool
    """This handle made the queue, and configures it."""

    closed: bool = False

    def set(self, item: Property) -> None:
        """Set a property (HttpSetRequestQueueProperty); raises Win32Error."""
        http = self.windows.http
        code = http.HttpSetRequestQueueProperty(self.handle, item.id, item.value, item.size, 0, ffi.NULL)
        check(code, "HttpSetRequestQueueProperty", item.name)

    def state(self) -> QueueState:
        """Ask what is set for the queue (HttpQueryRequestQueueProperty); raises Win32Error."""
        return QueueState(
            limit=self._query(ServerProperty.QUEUE_LENGTH),
            active=self._query(ServerProperty.STATE) == EnabledState.ACTIVE,
            verbosity=Verbosity503(self._query(ServerProperty.VERBOSITY_503)),
        )

    def _query(self, number: ServerProperty) -> int:
        value = ffi.new("uint32_t *")
        query = self.windows.http.HttpQueryRequestQueueProperty
        code = query(self.handle, number, value, ffi.sizeof("uint32_t"), 0, ffi.NULL, ffi.NULL)
        check(code, "HttpQueryRequestQueueProperty", number.name)
        return int(value[0])

    def shut_down(self) -> bool:
        """Have this process get no more requests (HttpShutdownRequestQueue); returns whether it worked.

        What it has received and not answered is cancelled; what waits stays for the queue's other processes.
        """
        return self.windows.http.HttpShutdownRequestQueue(self.handle) == 0

    def close(self) -> None:
        """Close the handle; what is pending on it is cancelled (HttpCloseRequestQueue)."""
        if not self.closed:
            self.closed = True
            self.windows.http.HttpCloseRequestQueue(self.handle)
            library.end(self.windows)


def create_queue(
    windows: Windows, name: str = "", *, security: str | None = None, controller: bool = False
) -> QueueHandle:
    """Make a queue (HttpCreateRequestQueue); without a name it is this process' own.

    `security` is who may open it, a security descriptor in SDDL; None means this user. `controller` makes a handle that
    owns the queue and does no I/O. Raises QueueExistsError, QueueNameError, QueueAccessError, QueueError.
    """
    if name:
        check_queue_name(name)
    flags = CreateRequestQueueFlag.CONTROLLER if controller else 0
    with _security_attributes(windows, security) as attributes:
        return _open(windows, name, attributes, flags)


def open_queue(windows: Windows, name: str) -> QueueHandle:
    """Open a queue that another handle made, to serve it; raises NoSuchQueueError, QueueAccessError, QueueError."""
    check_queue_name(name)
    return _open(windows, name, ffi.NULL, CreateRequestQueueFlag.OPEN_EXISTING)


def open_queue_as(
    windows: Windows, name: str, mode: QueueMode, *, security: str | None = None, controller: bool = False
) -> QueueHandle:
    """Create or open a queue as `mode` says (RequestQueueMode); raises as the two do."""
    check_queue_name(name)
    if mode is QueueMode.ATTACH:
        return open_queue(windows, name)
    for _ in range(_TRIES if mode is QueueMode.CREATE_OR_ATTACH else 0):
        try:
            return create_queue(windows, name, security=security, controller=controller)
        except QueueExistsError:
            with suppress(NoSuchQueueError):  # its last handle was closed meanwhile
                return open_queue(windows, name)
    return create_queue(windows, name, security=security, controller=controller)


def open_target(windows: Windows, name: str) -> QueueHandle:
    """Open a queue to delegate to it; raises Win32Error."""
    exists = CreateRequestQueueFlag.OPEN_EXISTING
    code, handle = _call(windows, name, ffi.NULL, exists | CreateRequestQueueFlag.DELEGATION)
    if code == ErrorCode.ERROR_INVALID_PARAMETER:
        # Windows before 11 and Server 2022 delegates, and has no flag for it
        code, handle = _call(windows, name, ffi.NULL, exists)
    check(code, "HttpCreateRequestQueue", name)
    return QueueHandle(windows, handle, name, created=False)


def _open(windows: Windows, name: str, attributes: CData, flags: int) -> QueueHandle:
    try:
        code, handle = _call(windows, name, attributes, flags)
    except Win32Error as error:
        raise queue_error(name, error.code, error.function) from error
    if code:
        raise queue_error(name, code, "HttpCreateRequestQueue")
    return QueueHandle(windows, handle, name, created=not flags & CreateRequestQueueFlag.OPEN_EXISTING)


def query_queue(windows: Windows, name: str) -> QueueState:
    """Ask what is set for a queue that somebody has; raises NoSuchQueueError, QueueAccessError, UnsupportedError.

    For a moment this process has the queue open as those have it that serve it.
    """
    if not exports(windows.http, "HttpQueryRequestQueueProperty"):
        raise UnsupportedError("this httpapi.dll has no HttpQueryRequestQueueProperty")
    queue = open_queue(windows, name)
    try:
        return queue.state()
    finally:
        queue.close()


def _call(windows: Windows, name: str, attributes: CData, flags: int) -> tuple[int, Handle]:
    handle = ffi.new("HANDLE *")
    library.begin(windows)
    code = windows.http.HttpCreateRequestQueue(
        library.VERSION[0], name or ffi.NULL, attributes, flags, handle
    )
    if code:
        library.end(windows)
    return code, handle[0]


@contextmanager
def _security_attributes(windows: Windows, sddl: str | None) -> Iterator[CData]:
    """Give SECURITY_ATTRIBUTES with the descriptor that `sddl` spells, or NULL; raises QueueAccessError."""
    if sddl is None:
        yield ffi.NULL
        return
    descriptor = ffi.new("void **")
    convert = windows.security.ConvertStringSecurityDescriptorToSecurityDescriptorW
    if not convert(sddl, _SDDL_REVISION_1, descriptor, ffi.NULL):
        error = Win32Error(
            windows.kernel.GetLastError(), "ConvertStringSecurityDescriptorToSecurityDescriptorW", sddl
        )
        raise QueueAccessError(
            f"{sddl!r} is no security descriptor; write SDDL, as in D:(A;;GA;;;BA)(A;;GA;;;IU)"
        ) from error
    try:
        yield ffi.new("SECURITY_ATTRIBUTES *", (ffi.sizeof("SECURITY_ATTRIBUTES"), descriptor[0], 0))
    finally:
        windows.kernel.LocalFree(descriptor[0])
