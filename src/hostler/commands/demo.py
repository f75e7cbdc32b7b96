"""`hostler demo`: a proxy, destinations and workers, to see what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler import demo
from hostler.commands.options import add_server, url_prefix
from hostler.errors import ListenError
from hostler.explaining import explain

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `demo`."""
    parser.add_argument("--once", action="store_true", help="send some requests, check the answers, and stop")
    parser.add_argument(
        "--url",
        metavar="PREFIX",
        type=url_prefix,
        help="listen here (default http://localhost:5000/; --once: a free port)",
    )
    add_server(parser)


def execute(args: Namespace) -> int:
    """Run the demo until a signal, or once."""
    try:
        return demo.run(args.url, once=args.once, server=args.server)
    except ListenError as error:
        raise ListenError(f"{explain(error)}, as in --url http://localhost:8080/") from error
