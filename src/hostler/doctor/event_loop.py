"""Which event loop a program runs on, and who waits for HTTP.sys there."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from hostler.doctor.finding import Finding, Verdict
from hostler.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context
    from hostler.server.httpsys.api import Windows

__all__ = ["examine_event_loop"]


def examine_event_loop(context: Context) -> Iterator[Finding]:
    """Find which event loop `run` and `serve` take, and whether HTTP.sys' completions come by its own port."""
    yield _event_loop()
    if context.windows is not None:
        yield _completions(context.windows)


def _completions(windows: Windows) -> Finding:
    from hostler.windows.proactor import probe  # noqa: PLC0415 - cffi is there on Windows only

    what = "completions of HTTP.sys"

    async def ask() -> None:
        await probe(windows, asyncio.get_running_loop())

    try:
        asyncio.run(ask())
    except UnsupportedError as error:
        return Finding(
            what, Verdict.WARNING, f"by a thread, because {error}",
            "nothing breaks: a thread costs a little more; tell us which Python this is",
        )  # fmt: skip
    return Finding(what, Verdict.OK, "by the event loop's own port")


if sys.platform == "win32":

    def _event_loop() -> Finding:
        return Finding("event loop", Verdict.OK, "asyncio's ProactorEventLoop")

else:

    def _event_loop() -> Finding:
        try:
            import uvloop  # noqa: F401, PLC0415 - not everywhere; it may be installed and not load
        except ImportError as error:
            return Finding(
                "event loop", Verdict.WARNING, f"asyncio's own: uvloop cannot be imported ({error})",
                "pip install uvloop: a request takes less processor time on it",
            )  # fmt: skip
        return Finding("event loop", Verdict.OK, f"uvloop {version('uvloop')}")
