"""The demo's parts, started together and stopped together."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from hostler.asgi import Application
from hostler.config.model import Cluster, Config, Route, queue
from hostler.demo import apps
from hostler.demo.visits import Expected, visit
from hostler.loaders import ApplicationLoader
from hostler.output import write_out
from hostler.processes.foreground import announce, reload_on_hangup
from hostler.processes.loop import run_loop
from hostler.processes.policy import WorkerPolicy
from hostler.processes.serving import serving
from hostler.processes.signals import stop_signals
from hostler.processes.supervising import supervising
from hostler.proxy import Proxy
from hostler.server.base import ServerKind
from hostler.server.choose import choose
from hostler.service import Service, parse_prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Destination
    from hostler.processes.serving import Serving
    from hostler.processes.supervisor import Supervisor

__all__ = ["run"]

_URL: Final = "http://localhost:5000/"
_FREE: Final = "http://localhost:0/"
_EVERYTHING: Final = "http://*:80/"
"""A URL prefix to delegate under that nobody needs to listen on."""
_WORKERS: Final = WorkerPolicy.fixed(2)
_PLAIN: Final = ServerKind.USERMODE
"""What the destinations run on: any server does, and this one needs no permission."""

_GRACE: Final = 5.0


def run(url: str | None = None, *, once: bool = False, server: ServerKind | str | None = None) -> int:
    """Run the demo until SIGINT or SIGTERM; returns the exit status.

    With `once` it sends the requests itself: 0 when every answer was right, else 1. Raises ListenError; UnsupportedError
    where the server cannot be had, or cannot delegate.
    """
    kind = choose(server)
    with _private_runtime_directory():
        return run_loop(lambda: _main(url or (_FREE if once else _URL), kind, once=once))


@contextmanager
def _private_runtime_directory() -> Iterator[None]:
    """Have the queue in a directory of its own, so that nothing is left behind."""
    variable = "HOSTLER_RUNTIME_DIR"
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory(prefix="hostler-demo-") as directory:
        os.environ[variable] = directory
        try:
            yield
        finally:
            os.environ.pop(variable)
            if before is not None:
                os.environ[variable] = before


async def _main(url: str, kind: ServerKind, *, once: bool) -> int:
    name = f"hostler-demo-{os.getpid()}"
    interrupted = 1 if once else 0
    with stop_signals() as stop, reload_on_hangup(stop, lambda: False):
        async with AsyncExitStack() as stack:
            destinations = [
                (await stack.enter_async_context(serving(Application(app), grace=_GRACE, server=_PLAIN))).url
                for app in (apps.Answering("destination one"), apps.Answering("destination two"))
            ]
            proxy = Proxy.from_config(_config(destinations, queue(name, _EVERYTHING)))
            served = await stack.enter_async_context(
                serving(proxy, [url], grace=_GRACE, write_line=write_out, server=kind)
            )
            work = Service(
                loader=ApplicationLoader("hostler.demo.apps:worker"),
                prefixes=parse_prefixes([_FREE] if kind is ServerKind.HTTPSYS else []),
                queue=name,
                grace=_GRACE,
                server=kind,
            )
            supervisor = await stack.enter_async_context(supervising(work, _WORKERS))
            for prefix in supervisor.prefixes:
                # HTTP.sys delegates under a prefix only that is registered for the queue
                proxy.update(_config(destinations, queue(name, str(prefix))))
            _introduce(served, supervisor, destinations, name)
            if once:
                expected = Expected({os.getpid()}, supervisor.pids)
                right = await asyncio.to_thread(visit, served.url, expected, write_out)
                return 0 if right else 1
            _suggest(served.url, supervisor.pids[0])
            await stop.wait()
    return stop.status or interrupted


def _config(destinations: list[str], workers: Destination) -> Config:
    return Config(
        routes=(Route("/forwarded/{**rest}", "destinations"), Route("/delegated/{**rest}", "workers")),
        clusters=(
            Cluster("destinations", destinations, balance="RoundRobin"),
            Cluster("workers", [workers]),
        ),
    )


def _introduce(served: Serving, supervisor: Supervisor, destinations: list[str], name: str) -> None:
    write_out(
        f"proxy and destinations: process {os.getpid()}; "
        f"workers on queue {name}: processes {' and '.join(map(str, supervisor.pids))}\n"
        f"/forwarded/... goes to {' or '.join(destinations)}, /delegated/... to the queue\n"
    )
    announce(served.prefixes)


def _suggest(url: str, worker: int) -> None:
    if sys.platform == "win32":
        curl, file, kill = "curl.exe", sys.executable, f"taskkill /F /PID {worker}"
    else:
        curl, file, kill = "curl", "/bin/sh", f"kill -9 {worker}"
    write_out(
        f"""try:
  {curl} {url}/forwarded/hello
  {curl} {url}/delegated/hello
  {curl} --data-binary "@{file}" {url}/delegated/upload
  {curl} {url}/forwarded/1 {url}/delegated/2     # one connection
  {kill}     # another worker takes its place
Ctrl-C stops all of it.
"""
    )
