"""The command `hostler`: run, check, serve, demo.

Exit status: 0 when all went well, 1 for what the message on standard error says, 2 for a file that cannot be read or
a command line that is wrong, 128 and a signal's number when it took a second signal to stop.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from hostler import demo
from hostler.config.source import FileSource
from hostler.documents import describe, examine, has_errors
from hostler.errors import ConfigError, HostlerError, ListenError, Problem, WorkerError
from hostler.explaining import explain
from hostler.loaders import ApplicationLoader, DocumentLoader
from hostler.output import log_to_stderr, write_error, write_out
from hostler.processes.foreground import run_service
from hostler.server.base import QueueMode, ServerKind
from hostler.server.choose import choose
from hostler.server.prefix import UrlPrefix
from hostler.service import GRACE, Service, prefixes_for
from hostler.stages.access import LOG_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hostler.config.model import Config
    from hostler.service import Loader

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["main"]

_UNREADABLE: Final = 2
_INTERRUPTED: Final = 130
_WORKERS: Final = 0 if sys.platform == "win32" else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = args.command
    with _logging(_log_level(args)):
        try:
            return command(args)
        except HostlerError as error:
            _complain(explain(error))
            return 1
        except KeyboardInterrupt:
            return _INTERRUPTED


def _complain(text: str) -> None:
    for line in text.splitlines():
        write_error(f"hostler: {line}\n", wait=True)


@contextmanager
def _logging(level: int) -> Iterator[None]:
    logger = logging.getLogger("hostler")
    before = logger.level
    handler = log_to_stderr(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


# -- run and check ----------------------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    _look_in(args.app_dir)
    loader = DocumentLoader(args.config, dangerous_allow_ambiguous_paths=args.dangerous_allow_ambiguous_paths)
    try:
        loader.load()
    except OSError as error:
        return _unreadable(args.config, error)
    except ConfigError as error:
        return _wrong(args.config, error.problems)
    return run_service(_service(args, loader))


def _service(args: argparse.Namespace, loader: Loader) -> Service:
    """Make the service that the options of `run` and `serve` describe."""
    return Service(
        loader=loader,
        prefixes=prefixes_for(loader, args.url, args.queue),
        queue=args.queue,
        mode=args.mode,
        server=args.server,
        grace=args.grace,
        write_line=None if args.quiet else write_out,
        log_format=args.log_format,
        log_level=_log_level(args),
    )


def _log_level(args: argparse.Namespace) -> int:
    return logging.INFO if getattr(args, "verbose", False) else logging.WARNING


def _look_in(directory: str) -> None:
    """Look for modules there first."""
    sys.path.insert(0, os.path.abspath(directory))  # noqa: PTH100 - sys.path has strings


def _check(args: argparse.Namespace) -> int:
    _look_in(args.app_dir)
    try:
        config, problems = examine(
            FileSource(args.config), also=partial(_not_yet, server=choose(args.server))
        )
    except OSError as error:
        return _unreadable(args.config, error)
    except ConfigError as error:
        return _wrong(args.config, error.problems)
    status = _wrong(args.config, problems)
    if has_errors(problems):
        return status
    write_out(f"{args.config}: ok, {describe(config)}\n")
    return 0


def _not_yet(config: Config, server: ServerKind) -> Iterator[Problem]:
    """Find what the server refuses once it listens, unless `--url` says otherwise."""
    if server is ServerKind.HTTPSYS:
        return  # it takes https too: `netsh http add sslcert` binds the certificate
    for url in config.urls:
        if url.startswith("https://"):
            yield Problem(
                "Urls",
                f"not supported yet: {url}; put a TLS terminator in front, and write http://, or serve it with HTTP.sys "
                "on Windows (--server httpsys)",
            )


def _unreadable(path: str, error: OSError) -> int:
    _complain(f"{path} cannot be read: {error.strerror or error}")
    return _UNREADABLE


def _wrong(path: str, problems: Sequence[Problem]) -> int:
    for problem in problems:
        _complain(f"{path}: {problem}")
    return 1


# -- serve and demo ---------------------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> int:
    _look_in(args.app_dir)
    loader = ApplicationLoader(args.app)
    if args.workers:
        return run_service(_service(args, loader), args.workers)
    _load(loader)
    return run_service(_service(args, loader))


def _load(loader: ApplicationLoader) -> None:
    """Import the application here; whatever its module raises is an error with its place, as it is from a worker."""
    try:
        loader.load()
    except HostlerError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkerError(explain(error)) from error


def _demo(args: argparse.Namespace) -> int:
    try:
        return demo.run(args.url, once=args.once, server=args.server)
    except ListenError as error:
        raise ListenError(f"{explain(error)}, as in --url http://localhost:8080/") from error


# -- the command line -------------------------------------------------------------------------------------------------


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it."""
        try:
            write_out(f"hostler {version('hostler')}\n")
        except PackageNotFoundError:
            parser.exit(1, "hostler: this copy is not installed, so it has no version; pip install hostler\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hostler",
        description="A reverse proxy that forwards requests to addresses, or delegates them to the queues of other "
        "processes.",
        epilog="hostler COMMAND --help says more. Stop with Ctrl-C or SIGTERM; a second time: at once.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and stop")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    _add_check(commands)
    _add_serve(commands)
    _add_demo(commands)
    return parser


def _add_run(commands: Commands) -> None:
    parser = _add(
        commands, "run", _run, "run a proxy from a YARP document, and follow the file when it changes"
    )
    parser.add_argument("config", metavar="CONFIG", help="the document, such as appsettings.json")
    parser.set_defaults(queue=None, mode=QueueMode.CREATE_OR_ATTACH)
    _add_app_dir(parser, "the module of a policy")
    _add_urls(parser, "listen here instead of where the document's Urls say")
    parser.add_argument(
        "--dangerous-allow-ambiguous-paths",
        action="store_true",
        help="let through paths that lead to different routes, depending on how a destination reads them",
    )
    _add_running(parser)


def _add_check(commands: Commands) -> None:
    parser = _add(commands, "check", _check, "say everything that is wrong with a YARP document")
    parser.add_argument("config", metavar="CONFIG", help="the document, such as appsettings.json")
    _add_app_dir(parser, "the module of a policy")
    _add_server(parser)


def _add_serve(commands: Commands) -> None:
    parser = _add(
        commands, "serve", _serve, "serve an ASGI application from a queue, on URL prefixes, or both"
    )
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
    _add_app_dir(parser, "MODULE")
    _add_urls(parser, "listen here too; neither this nor --queue: http://localhost:5000/")
    _add_running(parser)


def _add_demo(commands: Commands) -> None:
    parser = _add(
        commands, "demo", _demo, "start a proxy, destinations and workers, to see forwarding and delegation"
    )
    parser.add_argument("--once", action="store_true", help="send some requests, check the answers, and stop")
    parser.add_argument(
        "--url",
        metavar="PREFIX",
        type=_prefix,
        help="listen here (default http://localhost:5000/; --once: a free port)",
    )
    _add_server(parser)


def _add(
    commands: Commands, name: str, command: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(command=command)
    return parser


def _add_urls(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--url", metavar="PREFIX", type=_prefix, action="append", default=[],
        help=f"{text}; a URL prefix such as http://localhost:8080/ or http://+:80/shop/; may be repeated",
    )  # fmt: skip


def _add_app_dir(parser: argparse.ArgumentParser, module: str) -> None:
    parser.add_argument(
        "--app-dir", metavar="DIR", default=".", help=f"where {module} is looked for first (default: here)"
    )


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", default=choose().value, choices=[kind.value for kind in ServerKind],
        help="the user-mode server, or HTTP.sys of Windows (default here: %(default)s)",
    )  # fmt: skip


def _add_running(parser: argparse.ArgumentParser) -> None:
    _add_server(parser)
    parser.add_argument(
        "--grace", metavar="SECONDS", type=_seconds, default=GRACE,
        help="how long exchanges in progress may take after the signal to stop (default %(default)g)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print no line per exchange")
    parser.add_argument(
        "--log-format", choices=list(LOG_FORMATS), default="text",
        help="how the line per exchange looks (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="log more than warnings")


def _prefix(text: str) -> str:
    if ";" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is several prefixes; give each its own --url")
    try:
        UrlPrefix.parse(text)
    except HostlerError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds; use 0 or more")
    return seconds


def _number_of_workers(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of processes; use 1 or more, or 0 for none"
        )
    return int(text)
