"""`hostler serve`: an ASGI application."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Final

from hostler.commands.options import add_app_dir, add_running, add_urls, look_in, seconds, service_of
from hostler.errors import HostlerError, WorkerError
from hostler.explaining import explain
from hostler.loaders import ApplicationLoader
from hostler.processes.foreground import run_service
from hostler.server.base import QueueMode

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hostler.processes.policy import WorkerPolicy

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
    _add_policy(parser)
    add_app_dir(parser, "MODULE")
    add_urls(parser, "listen here too; neither this nor --queue: http://localhost:5000/")
    add_running(parser)


def _add_policy(parser: ArgumentParser) -> None:
    """Add when workers come and go."""
    group = parser.add_argument_group(
        "workers that come and go (HTTP.sys)",
        "Any of these makes --workers the most there may be; they are started when a request waits.",
    )
    group.add_argument(
        "--min-workers", metavar="N", type=_number_of_workers,
        help="workers that are always there (default 0)",
    )  # fmt: skip
    group.add_argument(
        "--idle-timeout", metavar="SECONDS", type=seconds,
        help="how long a worker has no request until it stops (default 1200; 0: it never does)",
    )  # fmt: skip
    group.add_argument(
        "--max-crashes", metavar="N", type=_number_of_failures,
        help="how many failures of workers take the queue out of service (default 5; 0: none do)",
    )  # fmt: skip
    group.add_argument(
        "--crash-interval", metavar="SECONDS", type=seconds,
        help="within which time they are counted (default 300)",
    )  # fmt: skip


def execute(args: Namespace) -> int:
    """Serve an application until a signal."""
    look_in(args.app_dir)
    loader = ApplicationLoader(args.app)
    policy = _policy(args)
    if policy is not None:
        return run_service(service_of(args, loader), policy)
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


def _policy(args: Namespace) -> WorkerPolicy | None:
    """Return how many workers there are; None for none. Raises HostlerError for what does not go together."""
    given = {
        "minimum": args.min_workers,
        "idle_timeout": args.idle_timeout,
        "max_crashes": args.max_crashes,
        "crash_interval": args.crash_interval,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if not args.workers:
        if given:
            raise HostlerError(f"--{_OPTIONS[next(iter(given))]} is for worker processes; add --workers N")
        return None
    from hostler.processes.policy import WorkerPolicy  # noqa: PLC0415 - for workers only

    if not given:
        return WorkerPolicy.fixed(args.workers)
    for name in ("idle_timeout", "max_crashes"):
        if given.get(name) == 0:
            given[name] = None
    try:
        return WorkerPolicy(args.workers, **given)
    except ValueError as error:
        name, _, why = str(error).partition(": ")
        raise HostlerError(f"--{_OPTIONS[name]}: {why.replace('the maximum', '--workers')}") from None


_OPTIONS: Final = {
    "minimum": "min-workers",
    "idle_timeout": "idle-timeout",
    "max_crashes": "max-crashes",
    "crash_interval": "crash-interval",
}
"""What the attributes of a policy are on the command line."""


def _number_of_workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a number of processes; use 1 or more, or 0 for none")
    return int(text)


def _number_of_failures(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a number of failures; use 1 or more, or 0 for no limit")
    return int(text)
