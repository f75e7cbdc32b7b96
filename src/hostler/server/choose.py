"""Which server it is: the one place that knows the implementations."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from hostler.config.model import check_queue_name
from hostler.errors import UnsupportedError
from hostler.server.base import QueueMode, ServerKind
from hostler.server.options import ServerOptions

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hostler.contract import Rejection
    from hostler.pipeline import Handler
    from hostler.server.base import Server
    from hostler.server.httpsys.api import Windows
    from hostler.server.prefix import UrlPrefix

__all__ = ["Controlled", "QueueController", "choose", "controlling", "make_server", "open_windows"]


def choose(kind: ServerKind | str | None = None) -> ServerKind:
    """Return the server that is meant; None means HTTP.sys on Windows, and the user-mode server elsewhere.

    Raises ValueError for a name that is none.
    """
    if kind is None:
        return ServerKind.HTTPSYS if sys.platform == "win32" else ServerKind.USERMODE
    return ServerKind(kind)


def make_server(
    handler: Handler,
    options: ServerOptions | None = None,
    kind: ServerKind | str | None = None,
    *,
    on_reject: Callable[[Rejection], object] | None = None,
) -> Server:
    """Make a server for a handler; it belongs to the running event loop.

    `on_reject` is called with what the server answers itself, and the handler never sees.

    Raises UnsupportedError when it cannot be had here, or has not what the options ask for.
    """
    if choose(kind) is ServerKind.HTTPSYS:
        with _needs_cffi():
            from hostler.server.httpsys.server import HttpSysServer  # noqa: PLC0415 - one of several, by platform
        return HttpSysServer(handler, options, on_reject=on_reject)
    from hostler.server.usermode.server import UserModeServer  # noqa: PLC0415 - as above

    return UserModeServer(handler, options, on_reject=on_reject)


def open_windows() -> Windows:
    """Open HTTP.sys, for those who ask or configure it without a server; raises UnsupportedError where there is none."""
    with _needs_cffi():
        from hostler.server.httpsys import api  # noqa: PLC0415 - as above
    return api.load()


@contextmanager
def _needs_cffi() -> Iterator[None]:
    """Import what calls Windows' DLLs; cffi is a dependency on Windows only."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "_cffi_backend":
            raise
        if sys.platform != "win32":
            raise UnsupportedError(
                f"HTTP.sys is part of Windows, and this is {sys.platform}; use the user-mode server (--server usermode)"
            ) from error
        raise UnsupportedError(
            "HTTP.sys is part of Windows, and called through cffi, which is not installed; "
            "the user-mode server needs neither (--server usermode)"
        ) from error


# -- for worker processes ---------------------------------------------------------------------------------------------


class QueueController(Protocol):
    """Who made a queue that others serve; `hostler.server.httpsys.controller.Controller`."""

    async def demanded(self) -> None:
        """Wait until a request waits that no worker is there for; raises OSError when nobody will say so.

        It has been asked for after its first step. One caller at a time.
        """

    def set_enabled(self, enabled: bool) -> None:
        """Have the queue take requests, or answer them with 503; raises OSError."""


@frozen(eq=False)
class Controlled:
    """A queue and addresses that this process owns, without serving them, for worker processes that do."""

    queue: str | None
    """What workers attach to."""

    prefixes: tuple[UrlPrefix, ...]
    """What workers listen on, with the ports that were picked for port 0."""

    sockets: list[socket.socket]
    """Bound for the prefixes, where workers need them: HTTP.sys has its own."""

    withdraw: Callable[[], None]
    """Has nothing new arrive at the prefixes, as far as that is this process' to say."""

    controller: QueueController | None = None
    """What the maker of a queue on HTTP.sys can do besides."""


@contextmanager
def controlling(
    queue: str | None,
    mode: QueueMode,
    prefixes: Iterable[UrlPrefix],
    options: ServerOptions | None = None,
    kind: ServerKind | str | None = None,
    inherited: Sequence[socket.socket] = (),
) -> Iterator[Controlled]:
    """Own a queue, opened as `mode` says, and addresses, for as long as the context lasts (HTTP.sys: the controller).

    `inherited` are sockets that are bound already, for some of the prefixes; HTTP.sys listens by itself. A queue that is
    attached to is left to whoever created it. Raises ListenError, PrefixError, QueueExistsError, NoSuchQueueError,
    QueueAccessError, QueueNameError; CertificateError; UnsupportedError when the server cannot be had here.
    """
    if queue is not None:
        check_queue_name(queue)
    options = options or ServerOptions()
    if choose(kind) is ServerKind.HTTPSYS:
        control = _control_in_kernel(queue, mode, tuple(prefixes), options)
    else:
        control = _control_in_user_mode(queue, mode, tuple(prefixes), options, inherited)
    with control as controlled:
        yield controlled


@contextmanager
def _control_in_user_mode(
    queue: str | None,
    mode: QueueMode,
    prefixes: tuple[UrlPrefix, ...],
    options: ServerOptions,
    inherited: Sequence[socket.socket],
) -> Iterator[Controlled]:
    from hostler.server.usermode.listening import bind, socket_modes  # noqa: PLC0415 - as above
    from hostler.server.usermode.queues.directory import QueueDirectory  # noqa: PLC0415 - as above
    from hostler.server.usermode.unix_listening import SocketFiles  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        if queue is not None and mode is not QueueMode.ATTACH:
            stack.callback(QueueDirectory(queue).open(mode).release)
        settled, sockets = bind(prefixes, options.backlog, modes=socket_modes(options), inherited=inherited)
        files = SocketFiles.of(sock for sock in sockets if sock not in inherited)

        def close() -> None:
            files.remove()
            for sock in sockets:
                sock.close()

        stack.callback(close)
        if settled:
            _examine_endpoints(options, settled, sockets)
        yield Controlled(queue, settled, sockets, close)


def _examine_endpoints(
    options: ServerOptions, prefixes: tuple[UrlPrefix, ...], sockets: Iterable[socket.socket]
) -> None:
    """Read every certificate, so that what is wrong with one is said before any worker is started."""
    from hostler.server.usermode.endpoint import Endpoints  # noqa: PLC0415 - as above

    endpoints = Endpoints(options)
    for sock in sockets:
        endpoints.of(sock, prefixes)


@contextmanager
def _control_in_kernel(
    queue: str | None, mode: QueueMode, prefixes: tuple[UrlPrefix, ...], options: ServerOptions
) -> Iterator[Controlled]:
    with _needs_cffi():
        from hostler.server.httpsys.controller import Controller  # noqa: PLC0415 - as above
    if not prefixes and (queue is None or mode is QueueMode.ATTACH):
        yield Controlled(queue, (), [], lambda: None)
        return
    controller = Controller.open(queue, mode, prefixes, options=options)
    try:
        made = controller if controller.created else None
        yield Controlled(controller.queue, controller.prefixes, [], controller.withdraw, made)
    finally:
        controller.release()
