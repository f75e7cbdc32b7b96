"""Win32 codes as exceptions: what failed, on what, and what the code means.

`Win32Error` is the one door: whatever a function of Windows returns comes out of it or goes with it.
"""

from __future__ import annotations

from typing import Final

from hostler.errors import HostlerError
from hostler.windows.constants import ErrorCode

__all__ = ["Win32Error", "check"]

_MEANINGS: Final = {
    ErrorCode.ERROR_INVALID_FUNCTION: "this Windows cannot do that to such an object",
    ErrorCode.ERROR_FILE_NOT_FOUND: "there is none of that name",
    ErrorCode.ERROR_PATH_NOT_FOUND: "there is nothing of that name; the response cache does not hold it, or a driver does not run",
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
    ErrorCode.ERROR_NONE_MAPPED: "there is no user and no group of that name",
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
