"""The demo's parts, started together and stopped together."""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from hostler.asgi import Application
from hostler.config.model import Cluster, Route, queue
from hostler.demo import apps
from hostler.demo.visits import Expected, visit
from hostler.proxy import Proxy
from hostler.serving import announce, run_loop, serving, stop_signals, write_out
from hostler.supervisor import supervising
from hostler.worker import Work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.serving import Serving
    from hostler.supervisor import Supervisor

__all__ = ["run"]

_URL: Final = "http://localhost:5000/"
_FREE: Final = "http://localhost:0/"
_WORKERS: Final = 2
_GRACE: Final = 5.0


def run(url: str | None = None, *, once: bool = False) -> int:
    """Run the demo until SIGINT or SIGTERM; returns the exit status.

    With `once` it sends the requests itself: 0 when every answer was right, else 1. Raises ListenError.
    """
    with _private_runtime_directory():
        return run_loop(lambda: _main(url or (_FREE if once else _URL), once=once))


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


async def _main(url: str, *, once: bool) -> int:
    name = f"hostler-demo-{os.getpid()}"
    interrupted = 1 if once else 0
    with stop_signals() as stop:
        async with AsyncExitStack() as stack:
            destinations = [
                (await stack.enter_async_context(serving(Application(app), grace=_GRACE))).url
                for app in (apps.Answering("destination one"), apps.Answering("destination two"))
            ]
            proxy = Proxy(
                routes=[
                    Route("/forwarded/{**rest}", "destinations"),
                    Route("/delegated/{**rest}", "workers"),
                ],
                clusters=[
                    Cluster("destinations", destinations, balance="RoundRobin"),
                    Cluster("workers", [queue(name, "http://*:80/")]),
                ],
            )
            served = await stack.enter_async_context(
                serving(proxy, [url], grace=_GRACE, write_line=write_out)
            )
            work = Work(app="hostler.demo.apps:worker", queue=name, grace=_GRACE, quiet=True)
            supervisor = await stack.enter_async_context(supervising(work, _WORKERS))
            _introduce(served, supervisor, destinations, name)
            if once:
                expected = Expected({os.getpid()}, supervisor.pids)
                right = await to_thread.run_sync(
                    visit, served.url, expected, write_out, abandon_on_cancel=True
                )
                return 0 if right else 1
            _suggest(served.url, supervisor.pids[0])
            await stop.wait()
    return stop.status or interrupted


def _introduce(served: Serving, supervisor: Supervisor, destinations: list[str], name: str) -> None:
    write_out(
        f"proxy and destinations: process {os.getpid()}; "
        f"workers on queue {name}: processes {' and '.join(map(str, supervisor.pids))}\n"
        f"/forwarded/... goes to {' or '.join(destinations)}, /delegated/... to the queue\n"
    )
    announce(served.prefixes)


def _suggest(url: str, worker: int) -> None:
    write_out(
        f"""try:
  curl {url}/forwarded/hello
  curl {url}/delegated/hello
  curl --data-binary @/bin/sh {url}/delegated/upload
  curl {url}/forwarded/1 {url}/delegated/2     # one connection
  kill -9 {worker}     # another worker takes its place
Ctrl-C stops all of it.
"""
    )
