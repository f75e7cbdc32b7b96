"""What is written down of each function of HTTP.sys and of the completion ports: its arguments, by name.

A word stands for an argument, in the order of the C declaration. What a word means is in `ids`, `HANDLES` and so on:
the recording reads the argument, and who replays a recording makes it again. The words of constants are left out.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CALLS", "CONSTANTS", "HANDLES", "IDS", "NUMBERS", "OUT", "TEXTS"]

CALLS: Final = {
    name: tuple(words.split())
    for name, words in {
        "HttpInitialize": "version flags null",
        "HttpTerminate": "flags null",
        "HttpIsFeatureSupported": "feature",
        "HttpCreateServerSession": "version session_out zero",
        "HttpCloseServerSession": "session",
        "HttpSetServerSessionProperty": "session property value size",
        "HttpCreateUrlGroup": "session group_out zero",
        "HttpCloseUrlGroup": "group",
        "HttpAddUrlToUrlGroup": "group url context zero",
        "HttpRemoveUrlFromUrlGroup": "group url flags",
        "HttpSetUrlGroupProperty": "group property value size",
        "HttpFindUrlGroupId": "url queue group_out",
        "HttpCreateRequestQueue": "version name security flags queue_out",
        "HttpCloseRequestQueue": "queue",
        "HttpShutdownRequestQueue": "queue",
        "HttpSetRequestQueueProperty": "queue property value size zero null",
        "HttpWaitForDemandStart": "queue overlapped",
        "HttpReceiveHttpRequest": "queue request flags head_buffer size length overlapped",
        "HttpReceiveRequestEntityBody": "queue request flags buffer size length overlapped",
        "HttpCancelHttpRequest": "queue request overlapped",
        "HttpWaitForDisconnect": "queue connection overlapped",
        "HttpWaitForDisconnectEx": "queue connection zero overlapped",
        "HttpSendHttpResponse": "queue request flags response cache length null zero overlapped log",
        "HttpSendResponseEntityBody": "queue request flags count chunks length null zero overlapped log",
        "HttpDelegateRequestEx": "queue target request group count delegation",
        "HttpFlushResponseCache": "queue url flags overlapped",
        "CreateIoCompletionPort": "file port key threads",
        "SetFileCompletionNotificationModes": "file modes",
        "CancelIoEx": "file overlapped",
    }.items()
}
"""The words of each function. Of functions that are not here, what they return is written down and no more."""

IDS: Final = frozenset({"session", "group", "request", "connection", "context"})
"""Opaque numbers of 64 bits."""

HANDLES: Final = frozenset({"queue", "target", "file", "port"})
NUMBERS: Final = frozenset({"flags", "feature", "property", "size", "count", "key", "threads", "modes"})
TEXTS: Final = frozenset({"url", "name"})
OUT: Final = frozenset({"session_out", "group_out", "queue_out"})
"""Pointers to what a call gives: an id or a handle."""

CONSTANTS: Final = frozenset({"version", "null", "zero", "length", "log", "head_buffer", "buffer"})
"""What has no value that matters: reserved arguments, and memory that is written to."""
