"""What an examination is about: this machine, and what a document asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from hostler.server.choose import choose

if TYPE_CHECKING:
    from hostler.errors import Problem
    from hostler.server.base import ServerKind
    from hostler.server.httpsys.api import Windows
    from hostler.server.options import TlsOptions
    from hostler.server.prefix import UrlPrefix

__all__ = ["Context"]


@frozen(kw_only=True)
class Context:
    """What the concerns are asked about."""

    document: str = ""
    """The names of the documents; empty when there is none, and `prefixes` are the default."""

    problems: tuple[Problem, ...] = ()
    """What is wrong with the documents."""

    prefixes: tuple[UrlPrefix, ...] = ()
    """What is to be listened on."""

    queues: tuple[str, ...] = ()
    """The queues that requests are to be delegated to."""

    tls: tuple[TlsOptions, ...] = ()
    """How the endpoints are to be encrypted."""

    server: ServerKind = field(default=None, converter=choose)

    windows: Windows | None = None
    """What HTTP.sys is called with, where there is HTTP.sys."""

    no_windows: str = ""
    """Why there is none."""
