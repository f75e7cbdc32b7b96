"""What every server is to the rest of hostler: the shape of the HTTP Server API 2.0.

A server listens on URL prefixes and delivers exchanges to one handler. It may serve a request queue, which other
processes delegate to, and it opens delegation rules on the queues of others. Which server it is, is decided in one
place (`hostler.server.choose`).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from hostler.server.prefix import UrlPrefix

__all__ = ["DelegationRule", "Delegator", "QueueMode", "RequestQueue", "Server", "ServerKind"]


class ServerKind(enum.Enum):
    """Which server it is."""

    USERMODE = "usermode"
    """Ours, on sockets of its own, everywhere; it delegates where sockets carry descriptors: on Unix."""

    HTTPSYS = "httpsys"
    """HTTP.sys, the one in the kernel of Windows."""


class QueueMode(enum.Enum):
    """How a named queue is opened (RequestQueueMode of ASP.NET Core's HttpSysOptions)."""

    CREATE = "create"
    """Make it; a queue of that name is an error."""

    ATTACH = "attach"
    """Join it; no queue of that name is an error."""

    CREATE_OR_ATTACH = "create-or-attach"


class DelegationRule(Protocol):
    """An open handle on a target queue, together with the target's URL prefix."""

    queue: str
    prefix: str

    def reset(self) -> None:
        """Let go of the queue; the next request opens it anew."""


class RequestQueue(Protocol):
    """A named queue that this process holds or serves."""

    name: str

    async def close(self) -> None:
        """Take no more requests, finish those under way, let go of the queue."""


class Delegator(Protocol):
    """Opens delegation rules."""

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Open (or share) the delegation rule for `queue` and `prefix`, compared without case.

        A queue that does not exist yet is no error: it is looked for with each request.
        """
        ...

    def close_rule(self, rule: DelegationRule) -> None:
        """Give a rule back; the last one to do so closes the handle.

        An exchange under way may still delegate by a closed rule: in user mode the queue is opened for as long as that
        takes, HTTP.sys answers 503.
        """


class Server(Delegator, Protocol):
    """Listens on URL prefixes, serves queues, delegates."""

    @property
    def can_delegate(self) -> bool:
        """Whether this platform can delegate at all."""

    @property
    def delegates_changes(self) -> bool:
        """Whether a delegated request goes as stages and transforms left it; HTTP.sys hands it over as it came."""

    @property
    def keeps_responses(self) -> bool:
        """Whether it keeps responses, to answer other requests with; HTTP.sys does (`Exchange.cache_response`)."""

    async def listen(self, prefixes: Iterable[UrlPrefix]) -> tuple[UrlPrefix, ...]:
        """Listen on more prefixes; returns them with the ports that were picked for port 0.

        Raises ListenError when one cannot be had; none of them is listened on then.
        """
        ...

    async def listen_on(self, prefixes: Iterable[UrlPrefix], sockets: Iterable[socket.socket]) -> None:
        """Listen on sockets that another process bound for these prefixes."""

    async def join(self, queue: str, mode: QueueMode) -> RequestQueue:
        """Serve requests that other processes delegate to `queue`, opened as `mode` says.

        Raises NoSuchQueueError, QueueExistsError, QueueAccessError, QueueNameError.
        """
        ...

    def reload_certificates(self) -> bool:
        """Have the files of certificates read again, whether they changed or not, and the log say what is wrong.

        Returns whether there are such files: HTTP.sys has its certificates from the store of Windows.
        """
        ...

    async def flush_cache(self, url: str, *, recursive: bool = False) -> None:
        """Drop the responses that the server keeps of a URL; with `recursive`, those of all below it too.

        Raises ValueError for what is no absolute URL. The user-mode server keeps none yet, and does nothing.
        """

    async def stop(self, grace: float) -> None:
        """Stop: no new connections at once, exchanges in progress have `grace` seconds, then they are aborted."""
