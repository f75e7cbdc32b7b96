"""What a program calls to run: `run` for handlers, `serve` for ASGI applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.errors import WorkerError
from hostler.loaders import ApplicationLoader, HandlerLoader
from hostler.output import write_out
from hostler.processes.foreground import run_service
from hostler.server.base import QueueMode
from hostler.service import GRACE, Service, options_for, prefixes_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.pipeline import Handler
    from hostler.processes.policy import WorkerPolicy
    from hostler.server.base import ServerKind
    from hostler.server.options import ServerOptions

__all__ = ["run", "serve"]


def run(
    handler: Handler | str,
    urls: Iterable[str] = (),
    *,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
    log_format: str = "text",
    server: ServerKind | str | None = None,
) -> None:
    """Serve a handler (a `Proxy`, or any `async def handler(exchange)`) until SIGINT or SIGTERM.

    `handler` is the handler or its name, "module:attribute". `urls` are URL prefixes; none means those of the proxy's
    configuration, else http://localhost:5000/. `options` take the place of the configuration's `HttpSys` section.
    `quiet` switches off the line per exchange on standard output, `log_format` is what it looks like, "text" or "json".
    `server` is "httpsys" on Windows and "usermode" elsewhere, unless it says which. On the signal (on Windows Ctrl-C,
    Ctrl-Break, the end of the console) no new connections are taken, and exchanges in progress have `grace` seconds; a
    second signal ends them at once. Raises ListenError, PrefixError, UnsupportedError; ConfigError for a name of none.
    """
    loader = HandlerLoader(handler)
    service = Service(
        loader=loader,
        server=server,
        prefixes=prefixes_for(loader, urls, server=server),
        options=options_for(loader, options, server),
        grace=grace,
        write_line=None if quiet else write_out,
        log_format=log_format,
    )
    run_service(service)


def serve(
    app: Any,
    queue: str | None = None,
    urls: Iterable[str] = (),
    workers: WorkerPolicy | int | None = None,
    mode: QueueMode | str = QueueMode.CREATE_OR_ATTACH,
    options: ServerOptions | None = None,
    grace: float = GRACE,
    quiet: bool = False,
    log_format: str = "text",
    *,
    server: ServerKind | str | None = None,
) -> None:
    """Serve an ASGI 3 application until SIGINT or SIGTERM: from a queue, on URL prefixes, or both.

    `app` is the application or its name, "module:attribute". Neither a queue nor urls means http://localhost:5000/.
    `mode` says how the queue is opened. `workers` is how many processes serve, kept alive by this one, or on HTTP.sys a
    `WorkerPolicy`, by which they come and go with requests; None means that this process serves. Workers import the
    program anew, so that it must call this under `if __name__ == "__main__":`. `quiet` and `log_format` are as in
    `run`. `server` is "httpsys" on Windows and "usermode" elsewhere, unless it says which. On the signal (on Windows
    Ctrl-C, Ctrl-Break, the end of the console) nothing new is taken, and exchanges in progress have `grace` seconds; a
    second signal ends them at once. SIGHUP replaces the workers one by one.

    Raises ListenError, PrefixError, QueueError, UnsupportedError; ConfigError for what is no application, or one that
    workers cannot import; WorkerError when a worker cannot start; LifespanError when the application refuses to.
    """
    from multiprocessing import current_process  # noqa: PLC0415 - `run` has no workers

    if getattr(current_process(), "_inheriting", False):
        raise WorkerError(
            "a worker process imports the program, and the program calls hostler.serve again: "
            'put the call under `if __name__ == "__main__":`'
        )
    loader = ApplicationLoader(app)
    service = Service(
        loader=loader,
        server=server,
        prefixes=prefixes_for(loader, urls, queue, server),
        queue=queue,
        mode=mode,
        options=options_for(loader, options, server),
        grace=grace,
        write_line=None if quiet else write_out,
        log_format=log_format,
    )
    run_service(service, workers)
