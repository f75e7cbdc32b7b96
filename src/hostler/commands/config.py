"""`hostler config`: what documents and the layers over them come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.commands.execution import refuse, refuse_unreadable
from hostler.commands.options import add_app_dir, add_documents, look_in, sources_of
from hostler.config.effective import write_effective
from hostler.documents import examine, has_errors
from hostler.errors import ConfigError
from hostler.output import write_out

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `config`."""
    add_documents(parser)
    parser.add_argument(
        "--origins",
        action="store_true",
        help="say behind each value which file and line, or variable, it is from",
    )
    add_app_dir(parser, "the module of a policy")


def execute(args: Namespace) -> int:
    """Print the configuration, and say everything that is wrong with it."""
    look_in(args.app_dir)
    sources = sources_of(args)
    try:
        documents = [source.parse()[0] for source in sources]
        _, problems = examine(sources)
    except OSError as error:
        return refuse_unreadable(error)
    except ConfigError as error:
        return refuse(error.problems)
    write_out(write_effective(documents, with_origins=args.origins))
    refuse(problems)
    return int(has_errors(problems))
