"""URLs of HTTP servers on Unix sockets: `http+unix://%2Frun%2Fapp.sock/base`, the socket's path as one escaped host."""

from __future__ import annotations

import sys
from typing import Final
from urllib.parse import quote, unquote_to_bytes

__all__ = ["UNIX_SCHEME", "split_unix_url", "unix_url"]

UNIX_SCHEME: Final = "http+unix://"
"""How the URL of a destination on a Unix socket begins; a URL prefix may begin with https+unix:// too."""

_MAX_PATH: Final = {"linux": 107, "win32": 0}.get(sys.platform, 103)
"""Bytes of a path that `sockaddr_un` has room for, beside the NUL at its end (unix(7)); 0 where asyncio has none."""


def split_unix_url(url: str) -> tuple[str, str]:
    """Return the socket's path and the URL's own, which is empty or begins with a slash; raises ValueError."""
    host, slash, rest = url.partition("://")[2].partition("/")
    path = unquote_to_bytes(host)
    if not _MAX_PATH:
        raise ValueError(
            f"{url} is on a Unix socket, which Windows has no support for here; write http://host:port"
        )
    if not path.startswith(b"/"):
        raise ValueError(
            f"{url} does not name a socket by its absolute path; write {UNIX_SCHEME}%2Frun%2Fapp.sock"
        )
    if b"\0" in path or len(path) > _MAX_PATH:
        why = (
            "contains NUL" if b"\0" in path else f"has {len(path)} bytes, and a socket's at most {_MAX_PATH}"
        )
        raise ValueError(f"{url}: the path of the socket {why}; choose another")
    return path.decode("utf-8", "surrogateescape"), slash + rest


def unix_url(socket_path: str, path: str, scheme: str = "http") -> str:
    """Return the URL of a path on a socket."""
    return f"{scheme}+unix://{quote(socket_path.encode('utf-8', 'surrogateescape'), safe='')}{path}"
