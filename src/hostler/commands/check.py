"""`hostler check`: what is wrong with YARP documents."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hostler.checking import has_errors
from hostler.commands.execution import refuse, refuse_unreadable
from hostler.commands.options import add_app_dir, add_documents, add_server, look_in, sources_of
from hostler.commands.refused import find_refused
from hostler.documents import describe, examine
from hostler.errors import ConfigError, HostlerError
from hostler.output import write_out
from hostler.server.choose import choose

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hostler.config.model import Config

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `check`."""
    add_documents(parser)
    add_app_dir(parser, "the module of a policy")
    add_server(parser)
    parser.add_argument(
        "--explain", nargs=2, metavar=("METHOD", "URL"),
        help="say what becomes of a request: its route, the stages on its way, what is sent; nothing leaves the machine",
    )  # fmt: skip
    parser.add_argument(
        "-H", "--header", metavar="HEADER", action="append", default=[],
        help="a header of the request to explain, such as 'X-Tenant: red'; may be repeated",
    )  # fmt: skip


def execute(args: Namespace) -> int:
    """Say everything that is wrong with documents."""
    look_in(args.app_dir)
    if args.header and args.explain is None:
        raise HostlerError("--header is for --explain; add --explain METHOD URL")
    sources = sources_of(args)
    try:
        draft, problems = examine(sources, checks=[partial(find_refused, server=choose(args.server))])
    except OSError as error:
        return refuse_unreadable(error)
    except ConfigError as error:
        return refuse(error.problems)
    status = refuse(problems)
    if has_errors(problems):
        return status
    if args.explain is not None:
        return _explain(draft.config, args)
    write_out(f"{draft.names}: ok, {describe(draft.config)}\n")
    return 0


def _explain(config: Config, args: Namespace) -> int:
    """Say what becomes of a request; the status is 0 when a route takes it."""
    from hostler.rehearsal.rehearsing import Asked, rehearse  # noqa: PLC0415 - checking needs no proxy
    from hostler.rehearsal.report import write_report  # noqa: PLC0415

    method, url = args.explain
    try:
        asked = Asked.of(method, url, args.header)
    except ValueError as error:
        raise HostlerError(f"--explain: {error}") from None
    rehearsal = rehearse(config, asked, choose(args.server))
    write_out(write_report(rehearsal))
    return 0 if rehearsal.route is not None else 1
