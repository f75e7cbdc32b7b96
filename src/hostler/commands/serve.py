"""`hostler serve`: an ASGI application."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Final

from hostler.commands.options import add_app_dir, add_running, add_urls, look_in, service_of
from hostler.errors import HostlerError, WorkerError
from hostler.explaining import explain
from hostler.loaders import ApplicationLoader
from hostler.processes.foreground import run_service
from hostler.server.base import QueueMode

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_options", "execute"]

_WORKERS: Final = 0 if sys.platform == "win32" else 1


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `serve`."""
    parser.add_argument("app", metavar="MODULE:APP", help="the application, such as shop.main:app")
    parser.add_argument("--queue", metavar="NAME", help="the request queue that proxies delegate to")
    parser.add_argument(
        "--mode", default=QueueMode.CREATE_OR_ATTACH.value, choices=[mode.value for mode in QueueMode],
        help="whether the queue must be new, must be there, or either (the default)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=_number_of_workers, default=_WORKERS,
        help="worker processes, restarted when they die (default %(default)s); 0 serves in this process",
    )  # fmt: skip
    add_app_dir(parser, "MODULE")
    add_urls(parser, "listen here too; neither this nor --queue: http://localhost:5000/")
    add_running(parser)


def execute(args: Namespace) -> int:
    """Serve an application until a signal."""
    look_in(args.app_dir)
    loader = ApplicationLoader(args.app)
    if args.workers:
        return run_service(service_of(args, loader), args.workers)
    _load(loader)
    return run_service(service_of(args, loader))


def _load(loader: ApplicationLoader) -> None:
    """Import the application here; whatever its module raises is an error with its place, as it is from a worker."""
    try:
        loader.load()
    except HostlerError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkerError(explain(error)) from error


def _number_of_workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a number of processes; use 1 or more, or 0 for none")
    return int(text)
