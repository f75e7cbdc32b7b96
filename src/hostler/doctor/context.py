"""What an examination is about: this machine, and what a document asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from hostler.server.httpsys.api import Windows
    from hostler.server.prefix import UrlPrefix

__all__ = ["Context"]


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
