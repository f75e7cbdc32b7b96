"""What `url` and `cert` have in common: they change how HTTP.sys is configured for the whole machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hostler.errors import UnsupportedError
from hostler.output import write_out
from hostler.server.base import ServerKind
from hostler.server.choose import choose, open_windows

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from hostler.server.httpsys.api import Windows

__all__ = ["add_dry_run", "say_done", "windows_for"]


def add_dry_run(parser: ArgumentParser) -> None:
    """Add that nothing is to be changed."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="change nothing, and print the line for netsh that does the same; on any platform",
    )


def windows_for(what: str) -> Windows:
    """Open HTTP.sys, whose `what` are; raises UnsupportedError where there is none."""
    if choose() is not ServerKind.HTTPSYS:
        raise UnsupportedError(
            f"{what} are HTTP.sys', which is part of Windows, and this is {sys.platform}; run it on Windows "
            "(with --dry-run, a change prints its line for netsh anywhere)"
        )
    return open_windows()


def say_done(sentence: str, line: str) -> int:
    """Say what was done, and the line for netsh that does the same; returns the exit status."""
    write_out(f"{sentence}\nwith netsh: {line}\n")
    return 0
