"""The command `hostler`: run, check, config, serve, demo, doctor, dev-cert, url, cert.

Which command it is, is read first, and only then its options and what it does are imported (`hostler.commands`).
Exit status: 2 for a command line that is wrong, else as `hostler.commands.execution` has it.
"""

from __future__ import annotations

import argparse
import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMANDS: Final = {
    "run": "run a proxy from YARP documents, and follow the files when they change",
    "check": "say everything that is wrong with YARP documents",
    "config": "print what YARP documents and the layers over them come to",
    "serve": "serve an ASGI application from a queue, on URL prefixes, or both",
    "demo": "start a proxy, destinations and workers, to see forwarding and delegation",
    "doctor": "say what is there for hostler to run with, what is not, and what to do about it",
    "dev-cert": "make a certificate for development, of an authority of your own",
    "url": "reserve URL prefixes of HTTP.sys for users, list and remove what is reserved (Windows)",
    "cert": "bind certificates to addresses and names of HTTP.sys, list and remove what is bound (Windows)",
}


class Command(Protocol):
    """A module of `hostler.commands`."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""

    def execute(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit status."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    from hostler.commands.execution import execute  # noqa: PLC0415 - there is a command: not for --version, --help

    return execute(args.command.execute, args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hostler",
        description="A reverse proxy that forwards requests to addresses, or delegates them to the queues of other "
        "processes.",
        epilog="hostler COMMAND --help says more. Stop with Ctrl-C or SIGTERM; a second time: at once.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and stop")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_CommandParser)
    for name, text in _COMMANDS.items():
        commands.add_parser(name, command=name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    return parser


class _CommandParser(argparse.ArgumentParser):
    """Parses the options of a command, which is imported as soon as there is something to parse."""

    def __init__(self, *, command: str, **options: Any) -> None:
        super().__init__(**options)
        self._command = command

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Add the command's options, and parse."""
        self.add_options()
        return super().parse_known_args(args, namespace)

    def add_options(self) -> None:
        """Import the command, and add its options."""
        gc.disable()  # what is imported stays, and is gone through time and again meanwhile
        try:
            command = cast("Command", import_module(f"hostler.commands.{self._command.replace('-', '_')}"))
        finally:
            gc.enable()
        command.add_options(self)
        self.set_defaults(command=command)


class _Version(argparse.Action):
    """Looks up only when it is asked for what this hostler is, and what it runs on."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it."""
        import platform  # noqa: PLC0415 - for this alone, as the others
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        from hostler.http.heads import COMPILED  # noqa: PLC0415

        build = "compiled" if COMPILED else "pure"
        python = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
        try:
            sys.stdout.write(f"hostler {version('hostler')} ({build}) with {python}\n")
        except PackageNotFoundError:
            parser.exit(1, "hostler: this copy is not installed, so it has no version; pip install hostler\n")
        parser.exit()
