"""`hostler config`: what documents and the layers over them come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.checking import has_errors
from hostler.commands.execution import refuse, refuse_unreadable
from hostler.commands.options import add_app_dir, add_documents, look_in, sources_of
from hostler.config.effective import write_effective
from hostler.config.union import unite
from hostler.documents import inspect
from hostler.errors import ConfigError
from hostler.output import write_out
from hostler.steps import finish

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
        parsed = [source.parse() for source in sources]
        said = [finish(source.build(*one)) for source, one in zip(sources, parsed, strict=True)]
    except OSError as error:
        return refuse_unreadable(error)
    except ConfigError as error:
        return refuse(error.problems)
    write_out(write_effective([document for document, _ in parsed], with_origins=args.origins))
    problems = finish(
        inspect(finish(unite([(source.name, one) for source, one in zip(sources, said, strict=True)])))
    )
    refuse(problems)
    return int(has_errors(problems))
