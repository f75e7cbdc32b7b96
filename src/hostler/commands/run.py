"""`hostler run`: a proxy of YARP documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.commands.execution import refuse, refuse_unreadable
from hostler.commands.options import add_app_dir, add_documents, add_running, add_urls, look_in, service_of
from hostler.errors import ConfigError
from hostler.loaders import DocumentLoader
from hostler.processes.foreground import run_service
from hostler.server.base import QueueMode

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `run`."""
    add_documents(parser)
    parser.set_defaults(queue=None, mode=QueueMode.CREATE_OR_ATTACH)
    add_app_dir(parser, "the module of a policy")
    add_urls(parser, "listen here instead of where the documents say")
    parser.add_argument(
        "--dangerous-allow-ambiguous-paths",
        action="store_true",
        help="let through paths that lead to different routes, depending on how a destination reads them",
    )
    add_running(parser)


def execute(args: Namespace) -> int:
    """Run a proxy until a signal."""
    look_in(args.app_dir)
    loader = DocumentLoader(
        *args.config,
        environment=args.environment,
        layers=args.layers,
        dangerous_allow_ambiguous_paths=args.dangerous_allow_ambiguous_paths,
    )
    try:
        loader.load()
    except OSError as error:
        return refuse_unreadable(error)
    except ConfigError as error:
        return refuse(error.problems)
    return run_service(service_of(args, loader))
