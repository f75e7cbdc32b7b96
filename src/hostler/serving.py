"""Running a handler: a server, its prefixes and queues, the handler's lifespan, and a graceful end."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import define

from hostler.output import write_out
from hostler.pipeline import fold, lifespan_of
from hostler.processes.signals import stop_signals
from hostler.server.base import QueueMode
from hostler.server.choose import choose, make_server
from hostler.server.prefix import UrlPrefix
from hostler.stages.access import AccessLog

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from hostler.pipeline import Handler
    from hostler.server.base import Server, ServerKind
    from hostler.server.options import ServerOptions

__all__ = [
    "DEFAULT_URL",
    "GRACE",
    "Serving",
    "announce",
    "run",
    "run_loop",
    "run_until_stopped",
    "serving",
]

_MAX_DESCRIPTORS: Final = 1 << 16
DEFAULT_URL: Final = "http://localhost:5000/"
GRACE: Final = 30.0
"""Seconds that exchanges in progress have to finish when a server stops."""


@define(eq=False)
class Serving:
    """A handler that is being served."""

    server: Server
    prefixes: tuple[UrlPrefix, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        """The prefixes as URLs to open, with wildcards shown as localhost, without the last slash."""
        return tuple(
            f"{item.scheme}://{'localhost' if item.host in '+*' else item.host}:{item.port}{item.path}"[:-1]
            for item in self.prefixes
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
    mode: QueueMode = QueueMode.CREATE_OR_ATTACH,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    write_line: Callable[[str], object] | None = None,
    server: ServerKind | str | None = None,
    sockets: tuple[tuple[UrlPrefix, ...], list[socket.socket]] | None = None,
) -> AsyncIterator[Serving]:
    """Serve a handler on URL prefixes, and from a queue, for as long as the context lasts.

    Port 0 picks a free port. A handler may have `lifespan(server)`, an async context manager. `write_line` gets the
    access lines. `server` is HTTP.sys on Windows, else the user-mode server, unless it says which. `sockets` are
    prefixes with sockets that are bound already. Raises ListenError, PrefixError, QueueError, UnsupportedError, and
    what the lifespan raises.
    """
    prefixes = tuple(UrlPrefix.parse(url) for url in urls)
    log = None if write_line is None else AccessLog(write_line)
    made = make_server(handler if log is None else fold([log], handler), options, server)
    async with AsyncExitStack() as stack:
        if log is not None:
            stack.callback(log.flush)
        await stack.enter_async_context(lifespan_of(handler, made))
        stack.push_async_callback(made.stop, grace)
        if queue is not None:
            await made.join(queue, mode)  # first: HTTP.sys registers prefixes for a queue
        settled = await made.listen(prefixes)
        if sockets is not None:
            await made.listen_on(*sockets)
            settled += sockets[0]
        yield Serving(made, settled)


# -- until a signal ---------------------------------------------------------------------------------------------------


def run_loop(main: Callable[[], Coroutine[Any, Any, int]], *, shared_sockets: bool = False) -> int:
    """Run a program on the fastest event loop that this platform has, for `shared_sockets` if need be.

    Those are sockets that other processes listen on too. The collector of cycles is told to leave alone what exists by
    now, and to look seldom: an exchange leaves none.
    """
    _raise_descriptor_limit()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with asyncio.Runner(loop_factory=_loop_factory(shared_sockets=shared_sockets)) as runner:
        return runner.run(main())


def _raise_descriptor_limit() -> None:
    """Have as many descriptors as the system lets us: every client's connection is one, in each process that has it."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or (hard != resource.RLIM_INFINITY and soft >= hard):
            return
        wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _loop_factory(*, shared_sockets: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        # a socket belongs to one completion port for good, the one of whichever process came first
        return asyncio.SelectorEventLoop if shared_sockets else None
    else:  # noqa: RET505 - for mypy, which checks each platform's own branch
        try:
            import uvloop  # noqa: PLC0415 - not everywhere
        except ImportError:
            return None
        return uvloop.new_event_loop


async def run_until_stopped(
    handler: Handler,
    urls: Iterable[str] = (),
    *,
    queue: str | None = None,
    mode: QueueMode = QueueMode.CREATE_OR_ATTACH,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
    server: ServerKind | str | None = None,
) -> int:
    """Serve a handler until SIGINT or SIGTERM; returns the exit status.

    Without `urls` those of the handler's configuration are listened on, and without those either, and without a
    queue, http://localhost:5000/.
    """
    configured = getattr(getattr(handler, "config", None), "urls", ())
    wanted = tuple(urls) or configured or (() if queue is not None else (DEFAULT_URL,))
    write = None if quiet else write_out
    with stop_signals() as stop:
        async with serving(
            handler,
            wanted,
            queue=queue,
            mode=mode,
            options=options,
            grace=grace,
            write_line=write,
            server=server,
        ) as served:
            announce(served.prefixes)
            if queue is not None:
                write_out(f"serving queue {queue} in this process\n")
            await stop.wait()
    return stop.status


def run(
    handler: Handler,
    urls: Iterable[str] = (),
    *,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
    server: ServerKind | str | None = None,
) -> None:
    """Serve a handler (a `Proxy`, or any `async def handler(exchange)`) until SIGINT or SIGTERM.

    `urls` are URL prefixes; none means those of the proxy's configuration, else http://localhost:5000/. `quiet`
    switches off the line per exchange on standard output. `server` is "httpsys" on Windows and "usermode" elsewhere,
    unless it says which. On the signal (on Windows Ctrl-C, Ctrl-Break, the end of the console) no new connections are
    taken, and exchanges in progress have `grace` seconds; a second signal ends them at once. Raises ListenError,
    PrefixError, UnsupportedError.
    """
    kind = choose(server)
    run_loop(lambda: run_until_stopped(handler, urls, options=options, grace=grace, quiet=quiet, server=kind))


def announce(prefixes: Iterable[UrlPrefix]) -> None:
    """Print where a server listens."""
    for prefix in prefixes:
        write_out(f"listening on {prefix}\n")
