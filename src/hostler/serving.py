"""Running a handler: a server, its prefixes and queues, the handler's lifespan, and a graceful end."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import define

from hostler.pipeline import compose
from hostler.server.base import QueueMode
from hostler.server.choose import make_server
from hostler.server.prefix import UrlPrefix
from hostler.stages.access import AccessLog

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from hostler.exchange import Handler
    from hostler.server.base import Server
    from hostler.server.options import ServerOptions

__all__ = ["DEFAULT_URL", "GRACE", "Serving", "run", "run_loop", "serving", "stop_signal"]

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
    sockets: tuple[tuple[UrlPrefix, ...], list[socket.socket]] | None = None,
) -> AsyncIterator[Serving]:
    """Serve a handler on URL prefixes, and from a queue, for as long as the context lasts.

    Port 0 picks a free port. A handler may have `lifespan(server)`, an async context manager. `write_line` gets the
    access lines. `sockets` are prefixes with sockets that are bound already. Raises ListenError, PrefixError,
    QueueError, and what the lifespan raises.
    """
    prefixes = tuple(UrlPrefix.parse(url) for url in urls)
    log = None if write_line is None else AccessLog(write_line)
    server = make_server(handler if log is None else compose([log], handler), options)
    async with AsyncExitStack() as stack:
        lifespan = getattr(handler, "lifespan", None)
        if lifespan is not None:
            await stack.enter_async_context(lifespan(server))
        try:
            settled = await server.listen(prefixes)
            if sockets is not None:
                await server.listen_on(*sockets)
            if queue is not None:
                await server.join(queue, mode)
            yield Serving(server, settled)
        finally:
            await server.stop(grace)
            if log is not None:
                log.flush()


async def stop_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    signals = [signal.SIGINT, signal.SIGTERM]
    with anyio.open_signal_receiver(*signals) as received:
        async for _ in received:
            return


def run_loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a program on the fastest event loop that this platform has."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform != "win32":
        try:
            import uvloop  # noqa: PLC0415 - not on every platform
        except ImportError:
            return None
        return uvloop.new_event_loop
    return None


def run(
    handler: Handler,
    urls: Iterable[str] = (),
    *,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
) -> None:
    """Serve a handler (a `Proxy`, or any `async def handler(exchange)`) until SIGINT or SIGTERM.

    `urls` are URL prefixes; none means those of the proxy's configuration, else http://localhost:5000/. `quiet`
    switches off the line per exchange on standard output. On the signal no new connections are taken, and exchanges
    in progress have `grace` seconds. Raises ListenError, PrefixError.
    """
    configured = getattr(getattr(handler, "config", None), "urls", ())
    wanted = tuple(urls) or configured or (DEFAULT_URL,)
    write = None if quiet else write_out

    async def main() -> int:
        async with serving(handler, wanted, options=options, grace=grace, write_line=write) as served:
            announce(served)
            await stop_signal()
        return 0

    run_loop(main)


def announce(served: Serving) -> None:
    """Print where a server listens."""
    for prefix in served.prefixes:
        write_out(f"listening on {prefix}\n")


def write_out(text: str) -> None:
    """Write to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
