"""What HTTP.sys refuses, as the exceptions of `hostler.errors`: on what, why, and what to do about it.

Each has its Win32Error as the cause.
"""

from __future__ import annotations

import errno
import getpass
import os
from typing import TYPE_CHECKING, Final

from hostler.errors import (
    DelegationError,
    ListenError,
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    UnsupportedError,
)
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "listen_error",
    "queue_error",
    "undelegable",
    "unsupported_delegation",
    "unusable",
    "user_name",
]

_MAX_PATH: Final = 260
"""Bytes of UTF-16 that a queue's name may have (HttpCreateRequestQueue)."""

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
        user = user_name()
        return (
            f"{user} may not register it with HTTP.sys; run this once as an administrator: "
            f'hostler url reserve {prefix} --user "{user}", which is: netsh http add urlacl url={prefix} user="{user}"'
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


def user_name() -> str:
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
            f"is not open to {user_name()}: run this process as the user who created it, or have its creator name this "
            "user in the queue's security descriptor"
        )
    too_long = (
        code == ErrorCode.ERROR_INVALID_PARAMETER
        and len(name.encode("utf-16-le", "surrogatepass")) > _MAX_PATH
    )
    if too_long or code in {ErrorCode.ERROR_INVALID_NAME, ErrorCode.ERROR_FILENAME_EXCED_RANGE}:
        return (
            QueueNameError,
            f"has no name that Windows takes: use a legal file name of 1 to {_MAX_PATH // 2} characters",
        )
    return QueueError, ""


def unusable(error: Win32Error) -> UnsupportedError:
    """Make the error for a Windows whose HTTP.sys cannot be used at all."""
    return UnsupportedError(
        f"HTTP.sys cannot be used: {error}; see whether its service runs (sc query http), start it as an administrator "
        "(net start http), or use the user-mode server (--server usermode)"
    )


def undelegable(request: str, queue: str, changed: Iterable[str]) -> DelegationError:
    """Make the error for a request that is not what came any more; `changed` are the parts that differ."""
    return DelegationError(
        f"{request} cannot be delegated to queue {queue}: a stage changed its {' and '.join(changed)}, and HTTP.sys hands "
        "over the request as it came; have the stage pass over what goes to a queue, or forward it, to a destination with "
        "an address"
    )


def unsupported_delegation(queue: str) -> UnsupportedError:
    """Make the error for a Windows that cannot delegate."""
    return UnsupportedError(
        f"requests cannot be delegated to queue {queue!r}: this Windows says that it cannot (HttpIsFeatureSupported); "
        "Windows 11, Windows Server 2022 and later can. Update Windows, or forward to the destination instead "
        "(take HttpSysDelegationQueue out of its Metadata)"
    )
