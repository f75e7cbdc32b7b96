"""What the numbers of Windows mean, each with the name it has in Microsoft's headers.

A member is spelled as there, without what all members of its kind begin and end with, in capitals; error codes are
spelled out.
"""

from __future__ import annotations

import enum

__all__ = [
    "CompletionMode",
    "ConsoleEvent",
    "ErrorCode",
    "LoadLibraryFlag",
    "ProcessAccess",
    "TcpTableClass",
]


class ErrorCode(enum.IntEnum):
    """A Win32 error code that a function called here is seen to return (winerror.h, "System Error Codes")."""

    NO_ERROR = 0
    ERROR_INVALID_FUNCTION = 1
    ERROR_FILE_NOT_FOUND = 2
    ERROR_PATH_NOT_FOUND = 3
    ERROR_ACCESS_DENIED = 5
    ERROR_INVALID_HANDLE = 6
    ERROR_NOT_ENOUGH_MEMORY = 8
    ERROR_OUTOFMEMORY = 14
    ERROR_BAD_COMMAND = 22
    ERROR_SHARING_VIOLATION = 32
    ERROR_HANDLE_EOF = 38
    ERROR_NOT_SUPPORTED = 50
    ERROR_NETNAME_DELETED = 64
    ERROR_INVALID_PARAMETER = 87
    ERROR_CALL_NOT_IMPLEMENTED = 120
    ERROR_INSUFFICIENT_BUFFER = 122
    ERROR_INVALID_NAME = 123
    ERROR_PROC_NOT_FOUND = 127
    ERROR_ALREADY_EXISTS = 183
    ERROR_FILENAME_EXCED_RANGE = 206
    ERROR_MORE_DATA = 234
    WAIT_TIMEOUT = 258
    ERROR_NO_MORE_ITEMS = 259
    ERROR_ABANDONED_WAIT_0 = 735
    ERROR_OPERATION_ABORTED = 995
    ERROR_IO_PENDING = 997
    ERROR_NOACCESS = 998
    ERROR_DLL_INIT_FAILED = 1114
    ERROR_NOT_FOUND = 1168
    ERROR_INVALID_NETNAME = 1214
    ERROR_CONNECTION_INVALID = 1229
    ERROR_CONNECTION_ABORTED = 1236
    ERROR_REVISION_MISMATCH = 1306
    ERROR_NO_SUCH_LOGON_SESSION = 1312
    ERROR_NONE_MAPPED = 1332
    ERROR_INVALID_ID_AUTHORITY = 1343
    ERROR_NO_SYSTEM_RESOURCES = 1450
    ERROR_OBJECT_NO_LONGER_EXISTS = 6807


class LoadLibraryFlag(enum.IntFlag):
    """LOAD_LIBRARY_... of LoadLibraryEx (libloaderapi.h)."""

    SEARCH_SYSTEM32 = 0x800


class CompletionMode(enum.IntFlag):
    """FILE_SKIP_... of SetFileCompletionNotificationModes (winbase.h)."""

    COMPLETION_PORT_ON_SUCCESS = 1
    SET_EVENT_ON_HANDLE = 2


class ConsoleEvent(enum.IntEnum):
    """CTRL_..._EVENT of SetConsoleCtrlHandler and GenerateConsoleCtrlEvent (wincon.h)."""

    C = 0
    BREAK = 1
    CLOSE = 2
    LOGOFF = 5
    SHUTDOWN = 6


class ProcessAccess(enum.IntFlag):
    """PROCESS_... of OpenProcess (winnt.h)."""

    QUERY_LIMITED_INFORMATION = 0x1000


class TcpTableClass(enum.IntEnum):
    """TCP_TABLE_... of GetExtendedTcpTable (iprtrmib.h)."""

    OWNER_PID_LISTENER = 3
