"""hostler's binding on Wine: the functions that Wine only names fail instead of ending the process.

A stub of Wine resolves like any function, and ends the process when it is called. Here it returns
ERROR_CALL_NOT_IMPLEMENTED, as a Windows without it would; all else is the real DLL.
"""

from __future__ import annotations

import ctypes

import attrs

from hostler.server.httpsys import api
from hostler.server.httpsys._bindings import ffi

NOT_IMPLEMENTED = 120
"""ERROR_CALL_NOT_IMPLEMENTED."""

STUBS = frozenset(
    {
        "HttpAddFragmentToCache",
        "HttpCancelHttpRequest",
        "HttpControlService",
        "HttpFlushResponseCache",
        "HttpGetCounters",
        "HttpQueryRequestQueueProperty",
        "HttpQueryServerSessionProperty",
        "HttpQueryUrlGroupProperty",
        "HttpReadFragmentFromCache",
        "HttpReceiveClientCertificate",
        "HttpShutdownRequestQueue",
        "HttpWaitForDemandStart",
        "HttpWaitForDisconnect",
        "HttpWaitForDisconnectEx",
    }
)
MISSING = frozenset(
    {
        "HttpDeclarePush",
        "HttpDelegateRequestEx",
        "HttpFindUrlGroupId",
        "HttpIsFeatureSupported",
        "HttpPrepareUrl",
        "HttpQueryRequestProperty",
        "HttpSetRequestProperty",
    }
)


_SERVER = 1
"""HTTP_INITIALIZE_SERVER, the one flag with which Wine starts its driver ("configuration" in limits.py)."""


_BUFFER_DATA = 4
"""HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA ("buffered sends" in limits.py)."""


_BINDING = 7
"""HttpServerBindingProperty; without its Present flag it unbinds ("unbinding" in limits.py)."""


class WithoutStubs:
    """Wine's httpapi.dll with its stubs failing, initialised as a server, and without what it trips over."""

    def __init__(self, dll):
        self._dll = dll
        self._urls = {}
        """The URLs of each group."""

    def HttpAddUrlToUrlGroup(self, group, url, *rest):  # noqa: N802
        code = self._dll.HttpAddUrlToUrlGroup(group, url, *rest)
        if not code:
            self._urls.setdefault(int(group), []).append(url)
        return code

    def HttpInitialize(self, version, flags, reserved):  # noqa: N802 - as Microsoft spells it
        return self._dll.HttpInitialize(version, flags & _SERVER, reserved)

    def HttpSendHttpResponse(self, queue, request, flags, *rest):  # noqa: N802
        return self._dll.HttpSendHttpResponse(queue, request, flags & ~_BUFFER_DATA, *rest)

    def HttpSendResponseEntityBody(self, queue, request, flags, *rest):  # noqa: N802
        return self._dll.HttpSendResponseEntityBody(queue, request, flags & ~_BUFFER_DATA, *rest)

    def HttpSetUrlGroupProperty(self, group, id_, value, size):  # noqa: N802
        if id_ == _BINDING and not bytes(ffi.buffer(value, 4))[0]:
            for url in self._urls.pop(int(group), ()):
                self._dll.HttpRemoveUrlFromUrlGroup(group, url, 0)
            return 0
        return self._dll.HttpSetUrlGroupProperty(group, id_, value, size)

    def __getattr__(self, name):
        found = _fail if name in STUBS else getattr(self._dll, name)
        setattr(self, name, found)
        return found


def _fail(*_):
    return NOT_IMPLEMENTED


def is_wine():
    """Whether this Windows is Wine."""
    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


_load = api.load


def load():
    """Load the DLLs as hostler does; on Wine without its stubs."""
    windows = _load()
    return attrs.evolve(windows, http=WithoutStubs(windows.http)) if is_wine() else windows
