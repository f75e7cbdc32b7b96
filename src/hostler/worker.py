"""A worker: a process that serves an application from a queue, on sockets that its supervisor bound, or both.

`Work` says what, and travels to the new process; `main` runs there. A worker reports once to its supervisor: that it is
ready, or why it cannot start. It stops gracefully when the supervisor wants it to, when the supervisor is gone, and on
SIGTERM. What a terminal sends to every process in it is the supervisor's.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from hostler.asgi import Application, LifespanError, load
from hostler.errors import HostlerError
from hostler.link import Link, Wish
from hostler.server.base import QueueMode
from hostler.serving import GRACE, run_loop, serving, write_out
from hostler.signals import leave_to_supervisor, stop_signals

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection

    from hostler.server.base import ServerKind
    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix

__all__ = ["Work", "log_to_stderr", "main", "why"]

_log = logging.getLogger("hostler.worker")

_LONGEST: Final = 4000
"""Characters of a report; more might have to wait in the pipe."""


@frozen(kw_only=True, eq=False)
class Work:
    """What a worker serves."""

    app: str
    """The ASGI application, as "module:attribute"."""

    queue: str | None = None
    """The queue to attach to."""

    prefixes: tuple[UrlPrefix, ...] = ()
    sockets: list[socket.socket] = field(factory=list)
    """Bound for `prefixes`; every worker listens on them. HTTP.sys needs none."""

    server: ServerKind | None = None
    """None is the platform's own."""

    options: ServerOptions | None = None
    grace: float = GRACE
    quiet: bool = False
    log_level: int | None = None
    """For `log_to_stderr`; None leaves logging to the application."""


def main(work: Work, pipe: Connection) -> None:
    """Do the work in this process, and exit; `pipe` leads to the supervisor (`hostler.link`)."""
    leave_to_supervisor()
    if work.log_level is not None:
        log_to_stderr(work.log_level)
    link = Link(pipe)
    try:
        app = Application(load(work.app))
        status = run_loop(lambda: _serve(app, work, link), shared_sockets=bool(work.sockets))
    except (Exception, SystemExit) as error:
        if link.reported:
            raise
        _log.info("%s cannot be served", work.app, exc_info=error)
        link.report(why(error)[-_LONGEST:])
        status = 1
    sys.exit(status)


async def _serve(app: Application, work: Work, link: Link) -> int:
    write = None if work.quiet else write_out
    attach, sockets = QueueMode.ATTACH, (work.prefixes, work.sockets)

    # a signal to the whole process group comes once from there and once from the supervisor: that is one wish to stop
    with stop_signals(signal.SIGTERM, once=True) as stop:

        def on_wish(wish: Wish | None) -> None:
            if wish is Wish.STOP_AT_ONCE:
                stop.request()
                return
            if wish is None:
                _log.warning("the supervisor is gone: this worker finishes what it has, and ends")
            stop.request_once()

        with link.wishes(on_wish):
            async with serving(
                app, (), queue=work.queue, mode=attach, options=work.options, grace=work.grace, write_line=write,
                server=work.server, sockets=sockets,
            ):  # fmt: skip
                link.report(None)
                await stop.wait()
    return stop.status


def why(error: BaseException) -> str:
    """Say in one line (a configuration's problems: one each) why something could not be done."""
    if isinstance(error, LifespanError):
        return f"the application did not start: {_last_line(str(error))}"
    if isinstance(error, HostlerError):
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, SystemExit):
        return f"{_place(error)}the module ended the process (exit status {error.code})"
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {name}: {error.msg}"
    return f"{_place(error)}{name}: {said}" if said else f"{_place(error)}{name}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _place(error: BaseException) -> str:
    """Return where in the user's code an error was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename not in {__file__, load.__code__.co_filename}
        and "importlib" not in frame.filename
    ]  # fmt: skip
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""


def log_to_stderr(level: int) -> logging.Handler:
    """Write what hostler logs from `level` on to standard error; returns the handler that does."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("hostler")
    logger.setLevel(level)
    logger.addHandler(handler)
    return handler
