"""The HTTP Server API as a typed protocol, one method for each function that is bound; `load` opens the DLLs.

Everything above calls Windows through a `Windows` object that it was given. Names are Microsoft's; numbers are plain
ints, and everything else is cffi data (`hostler.server.httpsys._bindings`): structures by value where C takes them so,
a `str` or NULL where it takes UTF-16 text. What is said to be a code is a Win32 code, 0 for success.

"Overlapped" means that the function may return ERROR_IO_PENDING and complete later, through the completion port that
the queue is associated with; the OVERLAPPED and all buffers must live until then. Never pass NULL for it on such a
queue: the packet that comes then has the address of a dead stack frame.
"""
# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

from typing import Protocol, cast

from attrs import frozen

from hostler.errors import UnsupportedError
from hostler.server.httpsys._bindings import ffi
from hostler.windows import libraries
from hostler.windows.libraries import CData, Handle, Win32

__all__ = ["HttpApi", "Windows", "load"]


class HttpApi(Protocol):
    """httpapi.dll: the HTTP Server API 2.0."""

    # -- the library

    def HttpInitialize(self, version: CData, flags: int, reserved: CData, /) -> int:
        """Start using the API (`constants.Initialize`); returns a code."""
        ...

    def HttpTerminate(self, flags: int, reserved: CData, /) -> int:
        """Stop using the API, once for each HttpInitialize; returns a code."""
        ...

    def HttpIsFeatureSupported(self, feature: int, /) -> int:
        """Return whether Windows has a feature (`constants.FeatureId`), as a BOOL; build 20348 and later."""
        ...

    # -- server sessions

    def HttpCreateServerSession(self, version: CData, session_out: CData, reserved: int, /) -> int:
        """Open a server session; returns a code."""
        ...

    def HttpCloseServerSession(self, session: int, /) -> int:
        """Close a session and its URL groups; returns a code."""
        ...

    def HttpSetServerSessionProperty(self, session: int, id_: int, value: CData, size: int, /) -> int:
        """Set a property for the session's URL groups (`constants.ServerProperty`); returns a code."""
        ...

    def HttpQueryServerSessionProperty(
        self, session: int, id_: int, value_out: CData, size: int, size_out: CData, /
    ) -> int:
        """Read a property of a session; returns a code."""
        ...

    # -- URL groups

    def HttpCreateUrlGroup(self, session: int, group_out: CData, reserved: int, /) -> int:
        """Make a URL group in a session; returns a code."""
        ...

    def HttpCloseUrlGroup(self, group: int, /) -> int:
        """Close a URL group and forget its URLs; returns a code."""
        ...

    def HttpAddUrlToUrlGroup(self, group: int, url: CData, context: int, reserved: int, /) -> int:
        """Register a URL prefix; requests carry the context. Returns a code."""
        ...

    def HttpRemoveUrlFromUrlGroup(self, group: int, url: CData, flags: int, /) -> int:
        """Forget a URL prefix, or all (`constants.UrlFlag`); returns a code."""
        ...

    def HttpSetUrlGroupProperty(self, group: int, id_: int, value: CData, size: int, /) -> int:
        """Set a property of a URL group (`constants.ServerProperty`); returns a code."""
        ...

    def HttpQueryUrlGroupProperty(
        self, group: int, id_: int, value_out: CData, size: int, size_out: CData, /
    ) -> int:
        """Read a property of a URL group; returns a code."""
        ...

    def HttpFindUrlGroupId(self, url: CData, queue: Handle, group_out: CData, /) -> int:
        """Find the URL group that has a prefix registered for a queue; returns a code."""
        ...

    def HttpPrepareUrl(self, reserved: CData, flags: int, url: CData, prepared_out: CData, /) -> int:
        """Normalise a URL, its host to punycode; the result is freed with HeapFree. Returns a code."""
        ...

    # -- request queues

    def HttpCreateRequestQueue(
        self, version: CData, name: CData, security: CData, flags: int, queue_out: CData, /
    ) -> int:
        """Make or open a request queue (`constants.CreateRequestQueueFlag`); returns a code."""
        ...

    def HttpCloseRequestQueue(self, queue: Handle, /) -> int:
        """Close a handle on a queue; what is pending on it is cancelled. Returns a code."""
        ...

    def HttpShutdownRequestQueue(self, queue: Handle, /) -> int:
        """Have this process get no more requests; its receives are cancelled. Returns a code."""
        ...

    def HttpSetRequestQueueProperty(
        self, queue: Handle, id_: int, value: CData, size: int, reserved1: int, reserved2: CData, /
    ) -> int:
        """Set a property of a queue (`constants.ServerProperty`); returns a code."""
        ...

    def HttpQueryRequestQueueProperty(
        self, queue: Handle, id_: int, value_out: CData, size: int, reserved1: int, size_out: CData, reserved2: CData, /
    ) -> int:  # fmt: skip
        """Read a property of a queue; returns a code."""
        ...

    def HttpWaitForDemandStart(self, queue: Handle, overlapped: CData, /) -> int:
        """Wait, as the queue's controller, until a request needs a worker. Overlapped; returns a code."""
        ...

    # -- requests

    def HttpReceiveHttpRequest(
        self, queue: Handle, request: int, flags: int, buffer: CData, size: int, size_out: CData, overlapped: CData, /
    ) -> int:  # fmt: skip
        """Receive the next request (0), or the one of that id. Overlapped; returns a code."""
        ...

    def HttpReceiveRequestEntityBody(
        self, queue: Handle, request: int, flags: int, buffer: CData, size: int, size_out: CData, overlapped: CData, /
    ) -> int:  # fmt: skip
        """Read more of a request's body; ERROR_HANDLE_EOF at its end. Overlapped; returns a code."""
        ...

    def HttpReceiveClientCertificate(
        self, queue: Handle, connection: int, flags: int, info_out: CData, size: int, size_out: CData, overlapped: CData, /
    ) -> int:  # fmt: skip
        """Ask a client for its certificate (`constants.ReceiveCertificateFlag`). Overlapped; returns a code."""
        ...

    def HttpSetRequestProperty(
        self, queue: Handle, id_: int, property_id: int, value: CData, size: int, overlapped: CData, /
    ) -> int:
        """Set a property of a request (`constants.RequestProperty`). Overlapped; returns a code."""
        ...

    def HttpQueryRequestProperty(
        self, queue: Handle, id_: int, property_id: int, qualifier: CData, qualifier_size: int,
        value_out: CData, size: int, size_out: CData, overlapped: CData, /,
    ) -> int:  # fmt: skip
        """Read a property of a request, or of its connection. Overlapped; returns a code."""
        ...

    def HttpCancelHttpRequest(self, queue: Handle, request: int, overlapped: CData, /) -> int:
        """Abort a request, its connection or stream with it. Overlapped; returns a code."""
        ...

    def HttpWaitForDisconnect(self, queue: Handle, connection: int, overlapped: CData, /) -> int:
        """Wait until a connection is gone. Overlapped; returns a code."""
        ...

    def HttpWaitForDisconnectEx(
        self, queue: Handle, connection: int, reserved: int, overlapped: CData, /
    ) -> int:
        """Wait until a connection is gone, several waits at a time. Overlapped; returns a code."""
        ...

    # -- responses

    def HttpSendHttpResponse(
        self, queue: Handle, request: int, flags: int, response: CData, cache: CData, size_out: CData,
        reserved1: CData, reserved2: int, overlapped: CData, log: CData, /,
    ) -> int:  # fmt: skip
        """Send the head of a response, or all of it (`constants.SendFlag`). Overlapped; returns a code."""
        ...

    def HttpSendResponseEntityBody(
        self, queue: Handle, request: int, flags: int, count: int, chunks: CData, size_out: CData,
        reserved1: CData, reserved2: int, overlapped: CData, log: CData, /,
    ) -> int:  # fmt: skip
        """Send more of a response's body, one call at a time. Overlapped; returns a code."""
        ...

    def HttpDeclarePush(
        self, queue: Handle, request: int, verb: int, path: CData, query: CData, headers: CData, /
    ) -> int:
        """Promise an HTTP/2 client a response that it has not asked for; returns a code."""
        ...

    # -- delegation

    def HttpDelegateRequestEx(
        self, queue: Handle, target: Handle, request: int, group: int, count: int, properties: CData, /
    ) -> int:
        """Hand a request to another queue; `count` is how many properties there are. Returns a code."""
        ...

    # -- the response cache

    def HttpAddFragmentToCache(
        self, queue: Handle, url: CData, chunk: CData, policy: CData, overlapped: CData, /
    ) -> int:
        """Keep a piece of a body in the kernel's cache, under a name. Overlapped; returns a code."""
        ...

    def HttpReadFragmentFromCache(
        self, queue: Handle, url: CData, byte_range: CData, buffer: CData, size: int, size_out: CData, overlapped: CData, /
    ) -> int:  # fmt: skip
        """Read a piece back from the cache. Overlapped; returns a code."""
        ...

    def HttpFlushResponseCache(self, queue: Handle, url: CData, flags: int, overlapped: CData, /) -> int:
        """Drop what the cache holds under a URL (`constants.FlushFlag`). Overlapped; returns a code."""
        ...

    # -- the machine's configuration; service and overlapped are NULL

    def HttpSetServiceConfiguration(
        self, service: Handle, id_: int, value: CData, size: int, overlapped: CData, /
    ) -> int:
        """Add a record to the machine's configuration (`constants.ServiceConfigId`); returns a code."""
        ...

    def HttpUpdateServiceConfiguration(
        self, service: Handle, id_: int, value: CData, size: int, overlapped: CData, /
    ) -> int:
        """Change a record, those of certificates only; returns a code."""
        ...

    def HttpDeleteServiceConfiguration(
        self, service: Handle, id_: int, value: CData, size: int, overlapped: CData, /
    ) -> int:
        """Remove a record; returns a code."""
        ...

    def HttpQueryServiceConfiguration(
        self, service: Handle, id_: int, query: CData, query_size: int,
        value_out: CData, size: int, size_out: CData, overlapped: CData, /,
    ) -> int:  # fmt: skip
        """Read a record, by its key or the next one; returns a code."""
        ...


@frozen
class Windows(Win32):
    """What is called in a Windows that has HTTP.sys; tests have one of their own."""

    http: HttpApi


def load() -> Windows:
    """Open the DLLs, and call nothing; raises UnsupportedError where there is no HTTP.sys."""
    try:
        win32 = libraries.load()
        http = cast("HttpApi", libraries.open_dll(ffi, "httpapi.dll"))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"HTTP.sys is part of Windows, and {error}; use the user-mode server (--server usermode)"
        ) from error
    return Windows(
        kernel=win32.kernel, nt=win32.nt, security=win32.security, network=win32.network, http=http
    )
