"""`hostler doctor`: what is there for hostler to run with, and what is not."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hostler.doctor.context import Context
from hostler.doctor.examination import examine
from hostler.doctor.finding import Verdict
from hostler.doctor.report import to_json, write_report
from hostler.errors import UnsupportedError
from hostler.output import write_out
from hostler.server.choose import open_windows

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")
    parser.add_argument(
        "--prove", metavar="FILE", nargs="?", type=Path, const=Path("hostler-proof.json"),
        help="on Windows: try what hostler expects of HTTP.sys, and write every call down (to %(const)s)",
    )  # fmt: skip


def execute(args: Namespace) -> int:
    """Examine this machine, or prove it; the status is 1 when something is broken."""
    if args.prove is not None:
        from hostler.doctor.proof.command import run  # noqa: PLC0415 - HTTP.sys, for this alone

        return run(args.prove)
    examined = list(examine(_context()))
    about = _about()
    if args.json:
        write_out(to_json(about, examined))
    else:
        write_out(f"hostler {about['hostler']} with {about['python']} on {about['platform']}\n\n")
        write_out("".join(write_report(examined)))
    return int(any(finding.verdict is Verdict.BROKEN for _, found in examined for finding in found))


def _context() -> Context:
    try:
        return Context(windows=open_windows())
    except UnsupportedError as error:
        return Context(no_windows=str(error))


def _about() -> dict[str, str]:
    """Say what is examined: of which hostler, on which Python and which system."""
    try:
        installed = version("hostler")
    except PackageNotFoundError:
        installed = "(not installed)"
    return {
        "hostler": installed,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
    }
