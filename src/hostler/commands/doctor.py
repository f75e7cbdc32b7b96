"""`hostler doctor`: what is there for hostler to run with, and what is not."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from hostler.commands.execution import refuse, refuse_unreadable
from hostler.commands.options import add_app_dir, add_documents, add_server, look_in, sources_of
from hostler.commands.refused import find_refused
from hostler.doctor.context import Context
from hostler.doctor.examination import examine
from hostler.doctor.finding import Verdict
from hostler.doctor.installation import hostler_version
from hostler.doctor.report import to_json, write_report
from hostler.errors import ConfigError, HostlerError, PrefixError, UnsupportedError
from hostler.output import write_out
from hostler.server.check import urls_of
from hostler.server.choose import choose, open_windows
from hostler.server.prefix import UrlPrefix
from hostler.service import DEFAULT_URL, parse_prefixes

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator

    from hostler.config.model import Config
    from hostler.server.base import ServerKind
    from hostler.server.options import TlsOptions

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_documents(parser, needed=False)
    add_app_dir(parser, "the module of a policy")
    add_server(parser)
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")
    parser.add_argument(
        "--prove", metavar="FILE", nargs="?", type=Path, const=Path("hostler-proof.json"),
        help="on Windows: try what hostler expects of HTTP.sys, and write every call down (to %(const)s)",
    )  # fmt: skip


def execute(args: Namespace) -> int:
    """Examine this machine, or prove it; the status is 1 when something is broken."""
    if args.prove is not None:
        if args.config:
            raise HostlerError(f"--prove looks at no document; leave out {' '.join(args.config)}")
        from hostler.doctor.proof.command import run  # noqa: PLC0415 - HTTP.sys, for this alone

        return run(args.prove)
    try:
        context = _context(args)
    except OSError as error:
        return refuse_unreadable(error)
    except ConfigError as error:
        return refuse(error.problems)
    examined = list(examine(context))
    about = _about()
    if args.json:
        write_out(to_json(about, examined))
    else:
        write_out(f"hostler {about['hostler']} with {about['python']} on {about['platform']}\n\n")
        write_out("".join(write_report(examined)))
    return int(any(finding.verdict is Verdict.BROKEN for _, found in examined for finding in found))


def _context(args: Namespace) -> Context:
    """Say what is examined: what the documents need, else what the default does; raises OSError, ConfigError."""
    server = choose(args.server)
    try:
        windows, reason = open_windows(), ""
    except UnsupportedError as error:
        windows, reason = None, str(error)
    context = Context(
        prefixes=parse_prefixes([DEFAULT_URL]), server=server, windows=windows, no_windows=reason
    )
    return _with_documents(context, args) if args.config else context


def _with_documents(context: Context, args: Namespace) -> Context:
    from hostler.documents import examine as examine_documents  # noqa: PLC0415 - for documents alone

    look_in(args.app_dir)
    checks = [partial(find_refused, server=context.server)]
    draft, problems = examine_documents(sources_of(args), checks=checks)
    return evolve(
        context,
        document=draft.names,
        problems=tuple(problems),
        prefixes=tuple(_prefixes(_urls(draft.config, context.server))) or context.prefixes,
        queues=tuple(_queues(draft.config)),
        tls=tuple(_tls(draft.config)),
    )


def _urls(config: Config, server: ServerKind) -> tuple[str, ...]:
    """Return where to listen, as far as that can be read."""
    try:
        return urls_of(config, server)
    except ConfigError:
        return ()


def _prefixes(urls: Iterable[str]) -> Iterator[UrlPrefix]:
    """Yield the URL prefixes among the URLs of documents; what is none is among their problems."""
    for url in urls:
        with suppress(PrefixError):
            yield UrlPrefix.parse(url)


def _tls(config: Config) -> Iterator[TlsOptions]:
    """Yield how the endpoints of documents are encrypted; what cannot be read is among their problems."""
    if config.kestrel is None:
        return
    from hostler.server.kestrel import configured_endpoints  # noqa: PLC0415 - for who has the section

    with suppress(ConfigError):
        found = configured_endpoints(config.kestrel)
        for options in (found.tls, *(endpoint.tls for endpoint in found.endpoints.values())):
            if options is not None:
                yield options


def _queues(config: Config) -> dict[str, None]:
    """Return the queues that a configuration delegates to, each once."""
    names = (destination.queue for cluster in config.clusters for destination in cluster.destinations)
    return dict.fromkeys(name for name in names if name)


def _about() -> dict[str, str]:
    """Say what is examined: of which hostler, on which Python and which system."""
    return {
        "hostler": hostler_version(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
    }
