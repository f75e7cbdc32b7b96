"""Serving in this process: a server, its prefixes and queues, the handler's lifespan, and a graceful end."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from attrs import define, evolve

from hostler.loaders import HandlerLoader
from hostler.pipeline import fold, lifespan_of
from hostler.server.base import QueueMode
from hostler.server.choose import make_server
from hostler.server.options import ServerOptions
from hostler.service import GRACE, Service, https_port, parse_prefixes
from hostler.stages.access import LOG_FORMATS, AccessLog

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable

    from hostler.pipeline import Handler, Stage
    from hostler.server.base import Server, ServerKind
    from hostler.server.prefix import UrlPrefix
    from hostler.stages.https import RedirectToHttps

__all__ = ["Serving", "serving", "serving_here"]


@define(eq=False)
class Serving:
    """A handler that is being served."""

    server: Server
    prefixes: tuple[UrlPrefix, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        """The prefixes as URLs to open, with wildcards shown as localhost, without the last slash."""
        return tuple(
            str(evolve(item, host="localhost") if item.host in "+*" else item)[:-1] for item in self.prefixes
        )

    @property
    def url(self) -> str:
        """The first of `urls`."""
        return self.urls[0]


@asynccontextmanager
async def serving(
    handler: Handler,
    urls: Iterable[str] = ("http://127.0.0.1:0/",),
    *,
    queue: str | None = None,
    mode: QueueMode | str = QueueMode.CREATE_OR_ATTACH,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    write_line: Callable[[str], object] | None = None,
    log_format: str = "text",
    server: ServerKind | str | None = None,
) -> AsyncIterator[Serving]:
    """Serve a handler on URL prefixes, and from a queue, for as long as the context lasts.

    Port 0 picks a free port. A handler may have `lifespan(server)`, an async context manager. `write_line` gets the
    access lines, in `log_format`, "text" or "json". `server` is HTTP.sys on Windows, else the user-mode server, unless
    it says which. Raises ListenError, PrefixError, QueueError, UnsupportedError, and what the lifespan raises.
    """
    service = Service(
        loader=HandlerLoader(handler),
        prefixes=parse_prefixes(urls),
        queue=queue,
        mode=mode,
        server=server,
        options=options or ServerOptions(),
        grace=grace,
        write_line=write_line,
        log_format=log_format,
    )
    async with serving_here(service) as served:
        yield served


@asynccontextmanager
async def serving_here(
    service: Service, sockets: Iterable[socket.socket] | None = None, *, first: Stage | None = None
) -> AsyncIterator[Serving]:
    """Serve in this process, for as long as the context lasts.

    `sockets` are bound for the service's prefixes already, by another process; None is none. `first` is a stage in
    front of all others. Raises as `serving` does.
    """
    handler = service.loader.load()
    log = (
        None if service.write_line is None else AccessLog(service.write_line, LOG_FORMATS[service.log_format])
    )
    redirecting = _redirecting(service.options, service.prefixes)
    stages = [
        stage
        for stage in (first, log, _trusting(service.options), redirecting, _telling(service.options))
        if stage is not None
    ]
    server = make_server(
        fold(stages, handler) if stages else handler,
        service.options,
        service.server,
        on_reject=None if log is None else log.rejected,
    )
    async with AsyncExitStack() as stack:
        if log is not None:
            stack.callback(log.flush)
        stack.push_async_callback(server.stop, 0)  # of one whose lifespan does not begin
        await stack.enter_async_context(lifespan_of(handler, server))
        stack.push_async_callback(server.stop, service.grace)
        if service.queue is not None:
            await server.join(service.queue, service.mode)  # first: HTTP.sys registers prefixes for a queue
        prefixes = await _listen(server, service.prefixes, sockets)
        if redirecting is not None and service.options.https_redirection is not None:
            redirecting.port = https_port(service.options.https_redirection, prefixes)
        yield Serving(server, prefixes)


def _trusting(options: ServerOptions) -> Stage | None:
    """Return the stage that believes proxies in front, where there are to be some."""
    if options.trusted_proxies is None:
        return None
    from hostler.server.placing import place_anew  # noqa: PLC0415 - for who is behind a proxy
    from hostler.stages.trusted import TrustProxies  # noqa: PLC0415

    return TrustProxies(options.trusted_proxies, place_anew)


def _redirecting(options: ServerOptions, prefixes: Iterable[UrlPrefix]) -> RedirectToHttps | None:
    """Return the stage that sends clients of http to https, where there is to be one."""
    settings = options.https_redirection
    if settings is None or not settings.active:
        return None
    from hostler.stages.https import RedirectToHttps  # noqa: PLC0415 - for who is to be redirected, as below

    return RedirectToHttps(settings, https_port(settings, prefixes))


def _telling(options: ServerOptions) -> Stage | None:
    """Return the stage that tells browsers of https, where there is to be one."""
    if options.hsts is None or not options.hsts.active:
        return None
    from hostler.stages.https import SendHsts  # noqa: PLC0415

    return SendHsts(options.hsts)


async def _listen(
    server: Server, prefixes: tuple[UrlPrefix, ...], sockets: Iterable[socket.socket] | None
) -> tuple[UrlPrefix, ...]:
    """Listen; returns the prefixes with the ports that were picked for port 0."""
    if sockets is None:
        return await server.listen(prefixes)
    await server.listen_on(prefixes, sockets)
    return prefixes
