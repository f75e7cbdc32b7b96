"""The numbers and names of the HTTP Server API, written down a second time, so that the product's own are checked.

Sources: http.h (HTTP_VERB, HTTP_HEADER_ID, flags), winerror.h, ntstatus.h.
"""

from __future__ import annotations

# winerror.h
OK = 0
FILE_NOT_FOUND = 2
PATH_NOT_FOUND = 3
ACCESS_DENIED = 5
INVALID_HANDLE = 6
BAD_COMMAND = 22
SHARING_VIOLATION = 32
HANDLE_EOF = 38
NOT_SUPPORTED = 50
INVALID_PARAMETER = 87
INSUFFICIENT_BUFFER = 122
INVALID_NAME = 123
ALREADY_EXISTS = 183
MORE_DATA = 234
WAIT_TIMEOUT = 258
NO_MORE_ITEMS = 259
ABANDONED_WAIT = 735
OPERATION_ABORTED = 995
IO_PENDING = 997
NOACCESS = 998
DLL_INIT_FAILED = 1114
NOT_FOUND = 1168
CONNECTION_INVALID = 1229
REVISION_MISMATCH = 1306
NO_SUCH_LOGON_SESSION = 1312
NONE_MAPPED = 1332
INVALID_SID = 1337
INVALID_ID_AUTHORITY = 1343
INVALID_SECURITY_DESCR = 1338
OBJECT_NO_LONGER_EXISTS = 6807

STATUS_PENDING = 0x103

STATUS = {
    OK: 0x00000000,
    MORE_DATA: 0x80000005,  # STATUS_BUFFER_OVERFLOW
    INVALID_HANDLE: 0xC0000008,
    INVALID_PARAMETER: 0xC000000D,
    HANDLE_EOF: 0xC0000011,  # STATUS_END_OF_FILE
    ACCESS_DENIED: 0xC0000022,
    INSUFFICIENT_BUFFER: 0xC0000023,  # STATUS_BUFFER_TOO_SMALL
    64: 0xC00000C9,  # STATUS_NETWORK_NAME_DELETED
    OPERATION_ABORTED: 0xC0000120,  # STATUS_CANCELLED
    BAD_COMMAND: 0xC0000184,  # STATUS_INVALID_DEVICE_STATE
    CONNECTION_INVALID: 0xC000023A,
}
"""What OVERLAPPED.Internal says of an operation that ended with a Win32 code."""

_WRAPPED = 0xC0070000
"""NTSTATUS of facility NTWIN32: the low word is a Win32 code."""

MR_MID_NOT_FOUND = 317
"""What RtlNtStatusToDosError makes of a status that it does not know."""


def status_of(code: int) -> int:
    """Give the NTSTATUS that stands for a Win32 code."""
    return STATUS.get(code, _WRAPPED | code)


def code_of(status: int) -> int:
    """Give the Win32 code of an NTSTATUS (RtlNtStatusToDosError)."""
    status &= 0xFFFFFFFF
    if status == STATUS_PENDING:
        return IO_PENDING
    for code, known in STATUS.items():
        if known == status:
            return code
    if status & 0xFFFF0000 == _WRAPPED:
        return status & 0xFFFF
    return MR_MID_NOT_FOUND


# HTTP_CREATE_REQUEST_QUEUE_FLAG
OPEN_EXISTING, CONTROLLER, DELEGATION = 1, 2, 8

# HTTP_SEND_RESPONSE_FLAG
DISCONNECT, MORE, BUFFER_DATA, NAGLING, PROCESS_RANGES, OPAQUE = 1, 2, 4, 8, 0x20, 0x40
GOAWAY, AUTOMATIC_CHUNKING = 0x100, 0x200

# HTTP_RECEIVE_REQUEST_FLAG, HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG, HTTP_REQUEST_FLAG
COPY_BODY, FLUSH_BODY, FILL_BUFFER = 1, 2, 1
MORE_ENTITY_BODY_EXISTS, HTTP2_REQUEST, HTTP3_REQUEST = 1, 4, 8

# HTTP_DATA_CHUNK_TYPE
FROM_MEMORY, FROM_FILE, FROM_CACHE, FROM_CACHE_EX, TRAILERS = range(5)

# HTTP_FEATURE_ID
RESPONSE_TRAILERS, API_TIMINGS, DELEGATE_EX, HTTP3 = 1, 2, 3, 4

VERBS = (
    "", "", "", "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "TRACK", "MOVE", "COPY",
    "PROPFIND", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK", "SEARCH",
)  # fmt: skip
"""HTTP_VERB: HttpVerbUnparsed, HttpVerbUnknown, HttpVerbInvalid, HttpVerbOPTIONS ..."""

UNKNOWN_VERB = 1

_GENERAL = (
    "Cache-Control", "Connection", "Date", "Keep-Alive", "Pragma", "Trailer", "Transfer-Encoding", "Upgrade", "Via",
    "Warning", "Allow", "Content-Length", "Content-Type", "Content-Encoding", "Content-Language", "Content-Location",
    "Content-Md5", "Content-Range", "Expires", "Last-Modified",
)  # fmt: skip
REQUEST_HEADERS = (
    *_GENERAL, "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Expect",
    "From", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards",
    "Proxy-Authorization", "Referer", "Range", "Te", "Translate", "User-Agent",
)  # fmt: skip
"""HTTP_HEADER_ID of a request: 41 of them."""

RESPONSE_HEADERS = (
    *_GENERAL, "Accept-Ranges", "Age", "Etag", "Location", "Proxy-Authenticate", "Retry-After", "Server", "Set-Cookie",
    "Vary", "Www-Authenticate",
)  # fmt: skip
"""HTTP_HEADER_ID of a response: 30 of them."""

REASONS = {
    400: b"Bad Request",
    404: b"Not Found",
    411: b"Length Required",
    413: b"Request Entity Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"HTTP Version Not Supported",
}


class Win32(Exception):  # noqa: N818 - a code is not always an error
    """What a function of the fake returns instead of going on."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
