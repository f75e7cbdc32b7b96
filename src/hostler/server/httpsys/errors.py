"""Win32 codes as exceptions: what failed, on what, why, and what to do about it.

`Win32Error` is the one door: whatever a function of Windows returns comes out of it or goes with it. Callers of hostler
get the exceptions of `hostler.errors`, each with its Win32Error as the cause.
"""

from __future__ import annotations

import errno
import getpass
import os
from typing import Final

from hostler.errors import (
    HostlerError,
    ListenError,
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    UnsupportedError,
)
from hostler.server.httpsys.constants import ErrorCode
from hostler.server.prefix import UrlPrefix

__all__ = [
    "Win32Error",
    "check",
    "listen_error",
    "queue_error",
    "unsupported_delegation",
]

_MAX_PATH: Final = 260
_MEANINGS: Final = {
    ErrorCode.ERROR_INVALID_FUNCTION: "this Windows cannot do that to such an object",
    ErrorCode.ERROR_FILE_NOT_FOUND: "there is none of that name",
    ErrorCode.ERROR_PATH_NOT_FOUND: "the cache does not hold it",
    ErrorCode.ERROR_ACCESS_DENIED: "this user may not do that",
    ErrorCode.ERROR_INVALID_HANDLE: "the handle is closed, or was shut down",
    ErrorCode.ERROR_NOT_ENOUGH_MEMORY: "Windows is out of memory; end something, or restart the machine",
    ErrorCode.ERROR_OUTOFMEMORY: "Windows is out of memory; end something, or restart the machine",
    ErrorCode.ERROR_BAD_COMMAND: "the request has another send under way",
    ErrorCode.ERROR_SHARING_VIOLATION: "another process uses it",
    ErrorCode.ERROR_HANDLE_EOF: "there is no more of it",
    ErrorCode.ERROR_NOT_SUPPORTED: "this Windows does not support that",
    ErrorCode.ERROR_NETNAME_DELETED: "the connection is gone",
    ErrorCode.ERROR_INVALID_PARAMETER: "one of the values is not one that this Windows takes",
    ErrorCode.ERROR_CALL_NOT_IMPLEMENTED: "this Windows does not have that function",
    ErrorCode.ERROR_INSUFFICIENT_BUFFER: "the buffer is too small",
    ErrorCode.ERROR_INVALID_NAME: "that is not a name",
    ErrorCode.ERROR_PROC_NOT_FOUND: "this Windows does not have that function",
    ErrorCode.ERROR_ALREADY_EXISTS: "there is one already",
    ErrorCode.ERROR_FILENAME_EXCED_RANGE: "that name is too long",
    ErrorCode.ERROR_MORE_DATA: "there is more than the buffer holds",
    ErrorCode.WAIT_TIMEOUT: "the time is up",
    ErrorCode.ERROR_NO_MORE_ITEMS: "there are no more of them",
    ErrorCode.ERROR_ABANDONED_WAIT_0: "the completion port was closed",
    ErrorCode.ERROR_OPERATION_ABORTED: "it was cancelled",
    ErrorCode.ERROR_IO_PENDING: "it is under way",
    ErrorCode.ERROR_NOACCESS: "the buffer is not accessible or not aligned",
    ErrorCode.ERROR_DLL_INIT_FAILED: "HttpInitialize was not called",
    ErrorCode.ERROR_NOT_FOUND: "there is no such thing",
    ErrorCode.ERROR_INVALID_NETNAME: "the host is no address of this machine that HTTP.sys listens on",
    ErrorCode.ERROR_CONNECTION_INVALID: "the connection or the request is gone",
    ErrorCode.ERROR_CONNECTION_ABORTED: "the connection was aborted",
    ErrorCode.ERROR_REVISION_MISMATCH: (
        "this Windows does not have version 2.0 of the HTTP Server API; it takes Windows 7, Windows Server 2008 R2 "
        "or later"
    ),
    ErrorCode.ERROR_NO_SUCH_LOGON_SESSION: (
        "the certificate cannot be used; it must stand, with its private key, in a store of the local machine"
    ),
    ErrorCode.ERROR_INVALID_ID_AUTHORITY: "only the queue's controller, the process that made it so, can do that",
    ErrorCode.ERROR_NO_SYSTEM_RESOURCES: "Windows is out of resources; end something, or restart the machine",
    ErrorCode.ERROR_OBJECT_NO_LONGER_EXISTS: (
        "its owner has closed it; the next request looks for a new one of that name"
    ),
}  # fmt: skip


class Win32Error(HostlerError, OSError):
    """A function of Windows failed.

    Its `errno` and `winerror` say nothing: most of the codes have no errno, and `code` is there on every platform.
    """

    def __init__(self, code: int, function: str, subject: str = "") -> None:
        """Say that `function` returned `code` for `subject`: the URL, the queue, the property."""
        self.code = code
        self.function = function
        self.subject = subject
        super().__init__(f"{function}{f' {subject}' if subject else ''}: {self.text(code)}")

    def __reduce__(self) -> tuple[type[Win32Error], tuple[int, str, str]]:
        return type(self), (self.code, self.function, self.subject)

    @property
    def code_name(self) -> str:
        """The code's name in winerror.h, or "error" when hostler does not know it."""
        return _name(self.code)

    @staticmethod
    def text(code: int) -> str:
        """Say what a code is called, and what it means."""
        try:
            meaning = _MEANINGS[ErrorCode(code)]
        except (KeyError, ValueError):
            meaning = f"see what Windows says of it with: net helpmsg {code}"
        return f"{_name(code)} ({code}), {meaning}"


def _name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return "error"


def check(code: int, function: str, subject: str = "") -> None:
    """Raise Win32Error unless `code` is 0."""
    if code:
        raise Win32Error(code, function, subject)


_ERRNOS: Final[dict[int, int]] = {
    ErrorCode.ERROR_ACCESS_DENIED: errno.EACCES,
    ErrorCode.ERROR_ALREADY_EXISTS: errno.EADDRINUSE,
    ErrorCode.ERROR_SHARING_VIOLATION: errno.EADDRINUSE,
    ErrorCode.ERROR_INVALID_NETNAME: errno.EADDRNOTAVAIL,
}
"""What a ListenError has for `errno`, as one of the user-mode server's has."""


def listen_error(prefix: UrlPrefix | str, code: int, function: str) -> ListenError:
    """Make the error for a URL prefix that cannot be registered."""
    cause = Win32Error(code, function, str(prefix))
    error = ListenError(f"cannot listen on {prefix}: {_listen_remedy(prefix, code) or Win32Error.text(code)}")
    error.errno = _ERRNOS.get(code)
    error.__cause__ = cause
    return error


def _listen_remedy(prefix: UrlPrefix | str, code: int) -> str | None:
    """Say what a user who may not have a prefix, or not now, can do."""
    if code == ErrorCode.ERROR_ACCESS_DENIED:
        user = _user()
        return (
            f"{user} may not register it with HTTP.sys; run this once as an administrator: "
            f'netsh http add urlacl url={prefix} user="{user}"'
        )
    if code == ErrorCode.ERROR_ALREADY_EXISTS:
        return (
            "it is registered with HTTP.sys already; find by whom with: netsh http show servicestate view=requestq, "
            "then stop that, or choose another port or path"
        )
    if code == ErrorCode.ERROR_SHARING_VIOLATION:
        port = prefix.port if isinstance(prefix, UrlPrefix) else UrlPrefix.parse(prefix).port
        return (
            f"a program that does not use HTTP.sys has port {port}; find its process with: "
            f"netstat -ano | findstr :{port}, then stop that, or choose another port"
        )
    if code == ErrorCode.ERROR_INVALID_PARAMETER:
        return (
            "HTTP.sys does not take it for a URL prefix; expected scheme://host:port/path/ with a host, +, * or an "
            "address, and no port that another prefix has with the other scheme"
        )
    if code == ErrorCode.ERROR_INVALID_NETNAME:
        return (
            "its host is no address that HTTP.sys listens on; compare with ipconfig, and with: netsh http show iplisten "
            "(an empty list means every address)"
        )
    return None


def _user() -> str:
    """Return this user's name as netsh wants it; looked up only when it is needed."""
    try:
        name = os.environ.get("USERNAME") or getpass.getuser()
    except (
        ImportError,
        KeyError,
        OSError,
    ):  # no variable says it, and Windows has no user database for Python
        return "DOMAIN\\user"
    domain = os.environ.get("USERDOMAIN")
    return f"{domain}\\{name}" if domain else name


def queue_error(name: str, code: int, function: str) -> QueueError:
    """Make the error for a request queue that cannot be made or opened; `name` is empty for one without a name."""
    cause = Win32Error(code, function, name)
    kind, remedy = _queue_remedy(name, code)
    if name:
        error = kind(f"queue {name!r} {remedy or f'cannot be had: {Win32Error.text(code)}'}")
    else:
        error = QueueError(f"no request queue can be made: {Win32Error.text(code)}")
    error.__cause__ = cause
    return error


def _queue_remedy(name: str, code: int) -> tuple[type[QueueError], str]:
    if code == ErrorCode.ERROR_FILE_NOT_FOUND:
        return NoSuchQueueError, (
            "does not exist: start the process that creates it first, or use create-or-attach "
            "(netsh http show servicestate view=requestq shows the queues there are)"
        )
    if code == ErrorCode.ERROR_ALREADY_EXISTS:
        return QueueExistsError, "exists: another process holds it; attach to it, or choose another name"
    if code == ErrorCode.ERROR_ACCESS_DENIED:
        return QueueAccessError, (
            f"is not open to {_user()}: run this process as the user who created it, or have its creator name this "
            "user in the queue's security descriptor"
        )
    too_long = code == ErrorCode.ERROR_INVALID_PARAMETER and len(name) > _MAX_PATH
    if too_long or code in {ErrorCode.ERROR_INVALID_NAME, ErrorCode.ERROR_FILENAME_EXCED_RANGE}:
        return (
            QueueNameError,
            f"has no name that Windows takes: use a legal file name of 1 to {_MAX_PATH} characters",
        )
    return QueueError, ""


def unsupported_delegation(queue: str) -> UnsupportedError:
    """Make the error for a Windows that cannot delegate."""
    return UnsupportedError(
        f"requests cannot be delegated to queue {queue!r}: this Windows has no HttpDelegateRequestEx; Windows 10 1809, "
        "Windows Server 2019 and later have it. Update Windows, or forward to the destination instead "
        "(take HttpSysDelegationQueue out of its Metadata)"
    )
