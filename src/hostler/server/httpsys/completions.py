"""Who waits for HTTP.sys to be done with a call: the event loop itself, or a thread."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.errors import UnsupportedError
from hostler.server.options.httpsys import Completion
from hostler.windows.proactor import probe

if TYPE_CHECKING:
    import asyncio

    from hostler.server.httpsys.api import Windows

__all__ = ["may_use_proactor"]

_log: Final = logging.getLogger("hostler.server.httpsys")


async def may_use_proactor(windows: Windows, loop: asyncio.AbstractEventLoop, wanted: Completion) -> bool:
    """Return whether the completion port is to be that of the loop's Proactor, as the option says; logs which.

    Raises UnsupportedError where it must be, and cannot.
    """
    if wanted is Completion.THREAD:
        _log.info("completions of HTTP.sys: by a thread, as the option completion says")
        return False
    try:
        await probe(windows, loop)
    except UnsupportedError as error:
        if wanted is Completion.PROACTOR:
            raise UnsupportedError(
                f"completion is 'proactor', and {error}; use asyncio.ProactorEventLoop, or completion 'auto' or 'thread'"
            ) from error
        _log.info("completions of HTTP.sys: by a thread, because %s", error)
        return False
    _log.info("completions of HTTP.sys: by the event loop's own port")
    return True
