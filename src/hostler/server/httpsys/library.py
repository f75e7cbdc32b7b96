"""Beginning and ending to use the HTTP Server API: once for each server, queue and session; Windows counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import Initialize
from hostler.windows.errors import check

if TYPE_CHECKING:
    from hostler.server.httpsys.api import Windows

__all__ = ["VERSION", "begin", "end"]

VERSION: Final = ffi.new("HTTPAPI_VERSION *", (2, 0))
"""HTTPAPI_VERSION_2, the only one with sessions and URL groups."""

_FLAGS: Final = Initialize.SERVER | Initialize.CONFIG
"""CONFIG is for HttpIsFeatureSupported too: without it Windows 11 and Server 2022 say that they have no feature."""


def begin(windows: Windows) -> None:
    """Begin (HttpInitialize); raises Win32Error."""
    check(windows.http.HttpInitialize(VERSION[0], _FLAGS, ffi.NULL), "HttpInitialize")


def end(windows: Windows) -> None:
    """End what one `begin` began (HttpTerminate, which takes the same flags)."""
    windows.http.HttpTerminate(_FLAGS, ffi.NULL)
