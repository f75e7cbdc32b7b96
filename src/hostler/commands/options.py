"""Options that several commands have, and what they say."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from typing import TYPE_CHECKING

from attrs import evolve

from hostler.commands.tls import add_https, add_tls, check_https, kestrel_of, with_https
from hostler.commands.trusted import add_trusted, trusted_of
from hostler.config.environment import Environment
from hostler.config.source import file_sources
from hostler.errors import HostlerError
from hostler.output import write_out
from hostler.server.base import ServerKind
from hostler.server.choose import choose
from hostler.server.options import Endpoint
from hostler.server.prefix import UrlPrefix
from hostler.service import GRACE, Service, options_for, prefixes_for
from hostler.stages.access import LOG_FORMATS

if TYPE_CHECKING:
    from hostler.config.httpsys import HttpSys
    from hostler.config.source import FileSource
    from hostler.server.options import ServerOptions
    from hostler.service import Loader

__all__ = [
    "add_app_dir",
    "add_documents",
    "add_running",
    "add_server",
    "add_urls",
    "log_level",
    "look_in",
    "seconds",
    "service_of",
    "sources_of",
    "url_prefix",
]


def add_urls(parser: argparse.ArgumentParser, text: str) -> None:
    """Add where to listen; `text` says what the option changes."""
    parser.add_argument(
        "--url", metavar="PREFIX", type=url_prefix, action="append", default=[],
        help=f"{text}; a URL prefix such as http://localhost:8080/ or http://+:80/shop/; may be repeated",
    )  # fmt: skip


def add_documents(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """Add the documents, and what is laid over them."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="+" if needed else "*",
        help="a document, such as appsettings.json; several are put together",
    )
    parser.add_argument(
        "--environment", metavar="NAME",
        help="the environment, as in CONFIG.NAME.json, which is laid over CONFIG.json (default: HOSTLER_ENVIRONMENT, "
        "DOTNET_ENVIRONMENT, ASPNETCORE_ENVIRONMENT, else Production)",
    )  # fmt: skip
    parser.add_argument(
        "--no-layers", action="store_false", dest="layers",
        help="read the documents alone, without the environment's files and variables",
    )  # fmt: skip


def add_app_dir(parser: argparse.ArgumentParser, module: str) -> None:
    """Add where `module` is looked for first."""
    parser.add_argument(
        "--app-dir", metavar="DIR", default=".", help=f"where {module} is looked for first (default: here)"
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add which server it is."""
    parser.add_argument(
        "--server", default=choose().value, choices=[kind.value for kind in ServerKind],
        help="the user-mode server, or HTTP.sys of Windows (default here: %(default)s)",
    )  # fmt: skip


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add what holds for every service that runs."""
    add_server(parser)
    parser.add_argument(
        "--grace", metavar="SECONDS", type=seconds, default=GRACE,
        help="how long exchanges in progress may take after the signal to stop (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--httpsys", metavar="KEY=VALUE", type=_setting, action="append", default=[],
        help="an option of HTTP.sys by its key in a document's HttpSys section, such as MaxConnections=1000 or "
        "Timeouts.EntityBody=00:01:00; may be repeated",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print no line per exchange")
    parser.add_argument(
        "--log-format", choices=list(LOG_FORMATS), default="text",
        help="how the line per exchange looks (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="log more than warnings")
    add_tls(parser)
    add_https(parser)
    add_trusted(parser)


def url_prefix(text: str) -> str:
    """Check that an option is one URL prefix."""
    if ";" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is several prefixes; give each its own --url")
    try:
        UrlPrefix.parse(text)
    except HostlerError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds; use 0 or more")
    return number


def _setting(text: str) -> tuple[str, str]:
    """Split an option's key and value."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KEY=VALUE; write it as in MaxConnections=1000 or Timeouts.EntityBody=00:01:00"
        )
    return key.strip().replace(".", ":"), value


# -- what they say ----------------------------------------------------------------------------------------------------


def look_in(directory: str) -> None:
    """Look for modules there first (`add_app_dir`)."""
    sys.path.insert(0, os.path.abspath(directory))  # noqa: PTH100 - sys.path has strings


def sources_of(args: argparse.Namespace) -> tuple[FileSource, ...]:
    """Return the documents that `add_documents` is about; raises ConfigError for what names no environment."""
    return file_sources(args.config, Environment.of(args.environment) if args.layers else None)


def log_level(args: argparse.Namespace) -> int:
    """Return from which level on the log is written."""
    return logging.INFO if getattr(args, "verbose", False) else logging.WARNING


def service_of(args: argparse.Namespace, loader: Loader) -> Service:
    """Make the service that the options of `run` and `serve` describe."""
    kestrel = kestrel_of(args)
    prefixes = prefixes_for(loader, args.url, args.queue, args.server)
    if kestrel is not None:
        check_https(args, prefixes)
    options = options_for(loader, None, args.server, _httpsys(args.httpsys), kestrel, trusted_of(args))
    return Service(
        loader=loader,
        prefixes=prefixes,
        queue=args.queue,
        mode=args.mode,
        server=args.server,
        options=with_https(_demanding_headers(args, options), args),
        grace=args.grace,
        write_line=None if args.quiet else write_out,
        log_format=args.log_format,
        log_level=log_level(args),
    )


def _demanding_headers(args: argparse.Namespace, options: ServerOptions) -> ServerOptions:
    """Have the endpoints of --url demand the PROXY protocol, where --proxy-protocol says so."""
    if not args.proxy_protocol:
        return options
    if not args.url:
        raise HostlerError("--proxy-protocol is for the URL prefixes of the command line; add --url PREFIX")
    endpoints = dict(options.endpoints)
    known = {UrlPrefix.parse(url): url for url in endpoints}
    for url in args.url:
        whole = evolve(UrlPrefix.parse(url), path="/")
        name = known.get(whole, str(whole))
        endpoints[name] = evolve(endpoints.get(name) or Endpoint(), proxy_protocol=True)
    return evolve(options, endpoints=endpoints)


def _httpsys(settings: list[tuple[str, str]]) -> HttpSys | None:
    """Read options of HTTP.sys as a document's section; raises HostlerError for what is none, or given twice."""
    if not settings:
        return None
    from hostler.config.yarp.reading import read_httpsys  # noqa: PLC0415 - for who gives some

    keys = [key.lower() for key, _ in settings]
    for key, _ in settings:
        if keys.count(key.lower()) > 1:
            raise HostlerError(f"--httpsys: {key.replace(':', '.')} is given more than once; keep one")
    section, problems = read_httpsys(dict(settings))
    if problems:
        raise HostlerError(
            "\n".join(f"--httpsys: {one.path.removeprefix('HttpSys.')}: {one.message}" for one in problems)
        )
    return section
