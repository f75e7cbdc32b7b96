"""What is served, and how: one value, from the edge where a program or the command line makes it to every worker process.

What it serves is a `Loader`, since a handler itself cannot cross to another process; the kinds there are stand in
`hostler.loaders`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from attrs import evolve, field, frozen, validators

from hostler.errors import ConfigError, Problem, UnsupportedError
from hostler.server.base import QueueMode, ServerKind
from hostler.server.check import urls_of
from hostler.server.choose import choose
from hostler.server.options import ServerOptions
from hostler.server.prefix import UrlPrefix
from hostler.stages.access import LOG_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.config.https import HttpsRedirection
    from hostler.config.httpsys import HttpSys
    from hostler.config.kestrel import Kestrel
    from hostler.config.model import Config
    from hostler.config.trusted import TrustedSection
    from hostler.pipeline import Handler

__all__ = ["DEFAULT_URL", "GRACE", "Loader", "Service", "options_for", "parse_prefixes", "prefixes_for"]

_log: Final = logging.getLogger("hostler.proxy")
DEFAULT_URL: Final = "http://localhost:5000/"
GRACE: Final = 30.0
"""Seconds that exchanges in progress have to finish when a server stops."""


class Loader(Protocol):
    """How a process gets the handler that it serves."""

    @property
    def name(self) -> str:
        """What is served, for messages."""
        ...

    def load(self) -> Handler:
        """Return the handler, the same one each time; raises ConfigError, and what the user's code raises."""
        ...

    def config(self) -> Config | None:
        """Return what the handler is configured with, among it where and how to listen; raises as `load` does.

        None for a handler without a configuration.
        """
        ...

    def reload(self, done: Callable[[], object] = lambda: None) -> bool:
        """Have what was loaded read its configuration again, and call `done` then; returns whether it can, while it runs."""
        ...

    def for_workers(self) -> Loader:
        """Return a loader that can be pickled, and loads the same in a worker process; raises ConfigError."""
        ...


@frozen(kw_only=True, eq=False)
class Service:
    """A handler with all that serving it takes."""

    loader: Loader

    prefixes: tuple[UrlPrefix, ...] = ()
    """What to listen on; port 0 picks a free port."""

    queue: str | None = None
    """The request queue to serve; None is none."""

    mode: QueueMode = field(default=QueueMode.CREATE_OR_ATTACH, converter=QueueMode)
    """How the queue is opened."""

    server: ServerKind = field(default=None, converter=choose)
    """None is the platform's own."""

    options: ServerOptions = field(factory=ServerOptions)

    grace: float = GRACE
    """Seconds that exchanges in progress have to finish when the server stops."""

    idle_timeout: float | None = None
    """Seconds without a request after which a worker tells its supervisor that it is idle; None for never."""

    write_line: Callable[[str], object] | None = None
    """Gets the access lines; None leaves them out. Worker processes import it by its name."""

    log_format: str = field(default="text", validator=validators.in_(LOG_FORMATS))
    """How access lines look, a name in `hostler.stages.access.LOG_FORMATS`."""

    log_level: int | None = None
    """From which level on worker processes log to standard error; None leaves logging to the application."""

    def __attrs_post_init__(self) -> None:
        """Raise ConfigError for a redirection to nowhere."""
        if self.options.https_redirection is not None:
            https_port(self.options.https_redirection, self.prefixes)

    def for_workers(self) -> Service:
        """Return the same service, in a form that can be pickled; raises ConfigError for a handler without a name."""
        return evolve(self, loader=self.loader.for_workers())


def parse_prefixes(urls: Iterable[str]) -> tuple[UrlPrefix, ...]:
    """Return the URL prefixes that `urls` are; raises PrefixError, TypeError for one str in place of a list."""
    if isinstance(urls, str):
        raise TypeError(f"urls={urls!r} is one URL prefix where a list is expected: write [{urls!r}]")
    return tuple(UrlPrefix.parse(url) for url in urls)


def https_port(redirection: HttpsRedirection, prefixes: Iterable[UrlPrefix]) -> int:
    """Return the port that clients of http are sent to; raises ConfigError where that is not to be known."""
    ports = sorted(
        {prefix.port for prefix in prefixes if prefix.scheme == "https" and prefix.socket_path is None}
    )
    if not redirection.active or redirection.https_port is not None:
        return redirection.https_port or 0
    if len(ports) == 1:
        return ports[0]
    why = f"there are several: {', '.join(map(str, ports))}" if ports else "there is no https prefix"
    message = f"says no port to send clients to, and {why}; say which with HttpsPort, or --https-port"
    raise ConfigError([Problem("HttpsRedirection", message)])


def prefixes_for(
    loader: Loader,
    urls: Iterable[str] = (),
    queue: str | None = None,
    server: ServerKind | str | None = None,
) -> tuple[UrlPrefix, ...]:
    """Return what to listen on: `urls`, else what the handler is configured with.

    Without these either, and without a queue, it is `DEFAULT_URL`. Raises PrefixError, UnsupportedError where HTTP.sys
    would have to read `Kestrel.Endpoints`, and what loading the handler raises.
    """
    given = urls if isinstance(urls, str) else tuple(urls)
    config = loader.config()
    kind = choose(server)
    configured = () if config is None else urls_of(config, kind)
    if kind is ServerKind.HTTPSYS and not given and not configured and config is not None and config.kestrel:
        _refuse_endpoints(config.kestrel)
    return parse_prefixes(given or configured or (() if queue is not None else (DEFAULT_URL,)))


def _refuse_endpoints(section: Kestrel) -> None:
    if section.endpoints:
        raise UnsupportedError(
            "Kestrel.Endpoints are for the user-mode server, and this is HTTP.sys; write in Urls where it is to listen, or "
            "give --url"
        )


def options_for(
    loader: Loader,
    options: ServerOptions | None,
    server: ServerKind | str | None = None,
    httpsys: HttpSys | None = None,
    kestrel: Kestrel | None = None,
    trusted: TrustedSection | None = None,
) -> ServerOptions:
    """Return how to serve: `options`, else what the handler is configured with, and the sections here over it.

    What `options` do not say of endpoints and certificates, the section `Kestrel` does, and `TrustedProxies` of those.
    Raises ConfigError for what are no such options, UnsupportedError for those of the server that it is not, and what
    loading the handler raises.
    """
    config = loader.config()
    made = _server_options(config, options, server, httpsys, kestrel)
    section = None if config is None else config.trusted_proxies
    if made.trusted_proxies is not None or (section is None and trusted is None):
        return made
    from hostler.config.trusted import TrustedSection, lay_over  # noqa: PLC0415 - for who is behind a proxy, as below
    from hostler.server.trusted import configured_proxies  # noqa: PLC0415

    return evolve(made, trusted_proxies=configured_proxies(lay_over(section, trusted) or TrustedSection()))


def _server_options(
    config: Config | None,
    options: ServerOptions | None,
    server: ServerKind | str | None,
    httpsys: HttpSys | None,
    kestrel: Kestrel | None,
) -> ServerOptions:
    """Return what each server has of its own."""
    if choose(server) is ServerKind.USERMODE:
        section = None if config is None else config.kestrel
        made = options or _usermode_options(config, httpsys)
        if section is not None or kestrel is not None:
            made = _with_endpoints(made, section, kestrel)
    else:
        _refuse_certificates(config, kestrel)
        made = options or _httpsys_options(config, httpsys)
    if config is None:
        return made
    return evolve(
        made,
        https_redirection=made.https_redirection or config.https_redirection,
        hsts=made.hsts or config.hsts,
    )


def _refuse_certificates(config: Config | None, kestrel: Kestrel | None) -> None:
    """Refuse what HTTP.sys does not have, or warn of it where it may be for another server."""
    if kestrel is not None:
        raise UnsupportedError(
            "--cert and what belongs to it are for the user-mode server, and this is HTTP.sys, whose certificates are "
            "bound to addresses and ports of the whole machine: hostler cert"
        )
    if config is not None and config.kestrel is not None:
        _log.warning(
            "the section Kestrel is not read by HTTP.sys: it listens where Urls say, with the certificates that hostler "
            "cert binds"
        )


def _usermode_options(config: Config | None, httpsys: HttpSys | None) -> ServerOptions:
    """Return the options of the user-mode server, which has no section HttpSys."""
    if httpsys is not None or (config is not None and config.httpsys is not None):
        where = "the section HttpSys" if httpsys is None else "--httpsys"
        raise UnsupportedError(
            f"{where} is for HTTP.sys, and this is the user-mode server; leave it out, or have HTTP.sys serve "
            "(--server httpsys, on Windows)"
        )
    return ServerOptions()


def _with_endpoints(
    options: ServerOptions, section: Kestrel | None, kestrel: Kestrel | None
) -> ServerOptions:
    from hostler.config.kestrel import lay_over  # noqa: PLC0415 - for who has the section, as below
    from hostler.server.kestrel import configured_endpoints  # noqa: PLC0415

    found = configured_endpoints(lay_over(section, kestrel))
    return evolve(options, tls=options.tls or found.tls, endpoints={**found.endpoints, **options.endpoints})


def _httpsys_options(config: Config | None, said: HttpSys | None) -> ServerOptions:
    section = None if config is None else config.httpsys
    if section is None and said is None:
        return ServerOptions()
    from hostler.config.httpsys import HttpSys, lay_over  # noqa: PLC0415 - for HTTP.sys alone, as below
    from hostler.server.configured import configured_options  # noqa: PLC0415

    return configured_options(lay_over(section, said) or HttpSys())
