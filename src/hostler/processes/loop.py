"""The event loop that a program runs on: the fastest there is here, with the limits of a server."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["MAX_DESCRIPTORS", "run_loop"]

MAX_DESCRIPTORS: Final = 1 << 16
"""Descriptors that a program takes, where the system lets it have so many."""


def run_loop(main: Callable[[], Coroutine[Any, Any, int]], *, shared_sockets: bool = False) -> int:
    """Run a program on the fastest event loop that this platform has, for `shared_sockets` if need be.

    Those are sockets that other processes listen on too.
    """
    _raise_descriptor_limit()
    with asyncio.Runner(loop_factory=_loop_factory(shared_sockets=shared_sockets)) as runner:
        return runner.run(main())


def _raise_descriptor_limit() -> None:
    """Have as many descriptors as the system lets us: every client's connection is one, in each process that has it."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or (hard != resource.RLIM_INFINITY and soft >= hard):
            return
        wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _loop_factory(*, shared_sockets: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        # a socket belongs to one completion port for good, the one of whichever process came first
        return asyncio.SelectorEventLoop if shared_sockets else None
    else:  # noqa: RET505 - for mypy, which checks each platform's own branch
        try:
            import uvloop  # noqa: PLC0415 - not everywhere
        except ImportError:
            return None
        return uvloop.new_event_loop
