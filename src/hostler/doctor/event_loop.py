"""Which event loop a program runs on."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from hostler.doctor.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context

__all__ = ["examine_event_loop"]


def examine_event_loop(context: Context) -> Iterator[Finding]:
    """Find which event loop `run` and `serve` take."""
    yield _event_loop()


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
