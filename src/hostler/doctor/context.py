"""What an examination is about: this machine, and what a document asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from hostler.errors import UnsupportedError

if TYPE_CHECKING:
    from hostler.server.httpsys.api import Windows
    from hostler.server.prefix import UrlPrefix

__all__ = ["Context", "open_windows"]


@frozen
class Context:
    """What the concerns are asked about."""

    prefixes: tuple[UrlPrefix, ...] = ()
    """What is to be listened on."""

    queues: tuple[str, ...] = ()
    """The queues that requests are to be delegated to."""

    windows: Windows | None = None
    """What HTTP.sys is called with, where there is HTTP.sys."""

    no_windows: str = ""
    """Why there is none."""


def open_windows() -> tuple[Windows | None, str]:
    """Open HTTP.sys; returns what it is called with, or None and why there is none."""
    try:
        from hostler.server.httpsys import api  # noqa: PLC0415 - cffi is there on Windows only
    except ModuleNotFoundError as error:
        if error.name != "_cffi_backend":
            raise
        return None, "cffi is not installed"
    try:
        return api.load(), ""
    except UnsupportedError as error:
        return None, str(error.__cause__ or error)
