"""What the server that is to run refuses of a document: a check for `hostler.documents.examine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import Problem
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Config

__all__ = ["find_refused"]


def find_refused(config: Config, server: ServerKind) -> Iterator[Problem]:
    """Find what the server refuses once it listens, unless `--url` says otherwise."""
    if server is ServerKind.HTTPSYS:
        return  # it takes https too: `hostler cert` binds the certificate
    if config.httpsys is not None:
        yield Problem(
            "HttpSys",
            "is for HTTP.sys, and this is the user-mode server; leave it out, or check it with --server httpsys",
        )
    for url in config.urls:
        if url.startswith("https://"):
            yield Problem(
                "Urls",
                f"not supported yet: {url}; put a TLS terminator in front, and write http://, or serve it with HTTP.sys "
                "on Windows (--server httpsys)",
            )
