"""The server on HTTP.sys: URL prefixes in a URL group, a request queue, receives that wait on it.

HTTP.sys gives a process one queue per server here: its own, without a name, or the one that it joined. Prefixes are
registered for that queue, so `join` comes before `listen`. A process that attached to another's queue registers
nothing: the prefixes it is given only say where the path base of a request ends.
"""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING, Final

from attrs import define

from hostler.caching import check_url
from hostler.contract import Rejection
from hostler.errors import PrefixError, ProtocolError, QueueError, UnsupportedError
from hostler.server.base import QueueMode
from hostler.server.handling import Handling
from hostler.server.httpsys import library
from hostler.server.httpsys.api import load
from hostler.server.httpsys.cached import flush
from hostler.server.httpsys.completions import may_use_proactor
from hostler.server.httpsys.context import ServerContext
from hostler.server.httpsys.errors import unsupported_delegation, unusable
from hostler.server.httpsys.features import Features
from hostler.server.httpsys.marshal.properties import request_queue_properties
from hostler.server.httpsys.marshal.request import read_request
from hostler.server.httpsys.placing import Prefixes
from hostler.server.httpsys.queue import create_queue, open_queue_as
from hostler.server.httpsys.receiver import Receiver
from hostler.server.httpsys.rule import Delegator, Rule, delegation_rules
from hostler.server.httpsys.session import ServerSession
from hostler.server.httpsys.stream import HttpSysStream
from hostler.server.options import ServerOptions, refuse_unsupported, unsupported_by_httpsys
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.placing import make_exchange
from hostler.server.prefix import UrlPrefix
from hostler.windows.errors import Win32Error
from hostler.windows.proactor import open_io

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from hostler.pipeline import Handler
    from hostler.server.base import DelegationRule
    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.queue import QueueHandle
    from hostler.server.httpsys.session import UrlGroup
    from hostler.windows.libraries import CData, Handle
    from hostler.windows.port import CompletionPort

__all__ = ["HttpSysServer"]

_PER_PROCESSOR: Final = 5


class HttpSysServer:
    """A server on HTTP.sys; `hostler.server.base.Server`. Belongs to the event loop that it is made in."""

    def __init__(
        self,
        handler: Handler,
        options: ServerOptions | None = None,
        *,
        on_reject: Callable[[Rejection], object] | None = None,
        windows: Windows | None = None,
    ) -> None:
        """Make it; nothing is registered before `join` or `listen`.

        `on_reject` is called with what the server answers itself, and the handler never sees.

        `stop` lets go of HTTP.sys, also where nothing was registered. Raises UnsupportedError where there is no
        HTTP.sys, and for options that it does not have.
        """
        self.options = options or ServerOptions()
        refuse_unsupported(unsupported_by_httpsys(self.options), "HTTP.sys")
        self._own = self.options.httpsys or HttpSysOptions()
        self._windows = windows or load()
        self._handling = Handling(handler, on_reject)
        self._rules = delegation_rules(Delegator(self._windows, self._url_group, self._source))
        self._prefixes = Prefixes()
        self._session: ServerSession | None = None
        self._group: UrlGroup | None = None
        self._queue: QueueHandle | None = None
        self._port: CompletionPort | None = None
        self._context: ServerContext | None = None
        self._receiver: Receiver | None = None
        self._attached = False
        self._stopped: asyncio.Event | None = None
        try:
            library.begin(self._windows)  # Windows says what it can to those only who have
        except Win32Error as error:
            raise unusable(error) from error
        self._features = Features.of(self._windows)

    @property
    def can_delegate(self) -> bool:
        """Whether this Windows delegates (HttpIsFeatureSupported)."""
        return self._features.delegation

    @property
    def delegates_changes(self) -> bool:
        """Whether a delegated request goes as it was left: HttpDelegateRequestEx hands over what came."""
        return False

    @property
    def keeps_responses(self) -> bool:
        """Whether it keeps responses: in the kernel's cache."""
        return True

    # -- listening ------------------------------------------------------------------------------------------------

    async def listen(self, prefixes: Iterable[UrlPrefix]) -> tuple[UrlPrefix, ...]:
        """Register more prefixes; returns them with the ports that were picked for port 0.

        In a process that attached to a queue they only say where the path base of a request ends.
        """
        wanted = tuple(prefixes)
        if not wanted:
            return ()
        if self._attached:
            self._prefixes.note(wanted)
            return wanted
        use_proactor = self._queue is None and await self._may_use_proactor()
        if self._queue is None:
            self._open(create_queue(self._windows, security=self._own.security_descriptor), use_proactor)
        assert self._queue is not None
        group = self._url_group()
        settled = group.add_all(wanted, self._queue)
        self._prefixes.own(group.prefixes)
        self._prefixes.note(settled)
        return settled

    async def unlisten(self, prefixes: Iterable[UrlPrefix]) -> None:
        """Listen on these prefixes no more; requests that have arrived are answered. Raises PrefixError."""
        for prefix in prefixes:
            if self._group is None:
                raise PrefixError(f"{prefix} is not registered: nothing is listened on")
            self._group.remove(prefix)

    async def listen_on(self, prefixes: Iterable[UrlPrefix], sockets: Iterable[socket.socket]) -> None:
        """Know the prefixes that another process registered for the queue; HTTP.sys has the sockets."""
        if any(True for _ in sockets):
            raise UnsupportedError("HTTP.sys listens by itself: it takes no sockets; use listen(prefixes)")
        self._prefixes.note(prefixes)

    def _url_group(self) -> UrlGroup:
        """Return the URL group, made if need be and bound to the queue."""
        if self._group is None:
            session = ServerSession(self._windows)
            try:
                assert self._queue is not None, "a group without a queue answers 503"
                # a group of one that attached is for what it delegates only
                group = session.group() if self._attached else session.group_for(self._queue, self.options)
            except BaseException:
                session.close()
                raise
            self._session, self._group = session, group
        return self._group

    def _source(self) -> Handle:
        assert self._queue is not None
        return self._queue.handle

    # -- the queue ------------------------------------------------------------------------------------------------

    async def join(self, queue: str, mode: QueueMode) -> _Joined:
        """Serve `queue`, opened as `mode` says: prefixes that are listened on from now on are the queue's.

        Raises NoSuchQueueError, QueueExistsError, QueueAccessError, QueueNameError; QueueError when there is a queue
        already.
        """
        use_proactor = await self._may_use_proactor()
        if self._queue is not None:
            had = self._queue.name or "its own, which its prefixes were registered for"
            raise QueueError(
                f"queue {queue!r} cannot be joined: on HTTP.sys a server has one queue, and this one has {had}; join "
                "before listening, and serve each further queue with a server of its own"
            )
        security = self._own.security_descriptor
        self._open(open_queue_as(self._windows, queue, mode, security=security), use_proactor)
        self._attached = mode is QueueMode.ATTACH
        return _Joined(queue, self)

    async def _may_use_proactor(self) -> bool:
        return await may_use_proactor(self._windows, self._handling.loop, self._own.completion)

    def _open(self, queue: QueueHandle, use_proactor: bool) -> None:
        """Begin to receive from a queue."""
        try:
            if queue.created:
                for item in request_queue_properties(self.options):
                    queue.set(item)
            io = open_io(
                self._windows, self._handling.loop, queue.handle, queue.close, use_proactor=use_proactor
            )
        except BaseException:
            queue.close()
            raise
        self._queue, self._port = queue, io.port
        self._context = ServerContext(self._windows, io, self._features, self._own)
        count = self._own.receives or _PER_PROCESSOR * (os.cpu_count() or 1)
        self._receiver = Receiver(self._windows.http, io, self._received, count, self._own.receive_buffer)
        self._receiver.begin()

    def _received(self, native: CData) -> None:
        """Take a request, while its buffer is there."""
        context = self._context
        assert context is not None
        arrival = read_request(native)
        scheme = "https" if arrival.secure else "http"
        placing = self._prefixes.placing(arrival.context)
        stream = HttpSysStream(context, arrival, self._prefixes)
        try:
            if arrival.refusal is not None:
                raise arrival.refusal
            exchange = make_exchange(arrival.request, stream, placing, arrival.client, arrival.server, scheme)
        except ProtocolError as error:
            stream.reject(error.status)
            request = None if arrival.refusal is not None else arrival.request
            self._handling.rejected(Rejection(arrival.client, error, request))
            return
        exchange.tls, exchange.authenticated = arrival.tls, arrival.authenticated
        self._handling.begin(exchange, stream)

    # -- delegating -----------------------------------------------------------------------------------------------

    def open_rule(self, queue: str, prefix: str) -> DelegationRule:
        """Open (or share) the delegation rule for `queue` and `prefix`; raises UnsupportedError, PrefixError."""
        if not self.can_delegate:
            raise unsupported_delegation(queue)
        UrlPrefix.parse(prefix)
        return self._rules.open(queue, prefix)

    def close_rule(self, rule: DelegationRule) -> None:
        """Give a rule back."""
        assert isinstance(rule, Rule)
        self._rules.close(rule)

    # -- certificates ---------------------------------------------------------------------------------------------

    def reload_certificates(self) -> bool:
        """Return False: what is bound to an address, or replaced there, is HTTP.sys' to know."""
        return False

    # -- the response cache ---------------------------------------------------------------------------------------

    async def flush_cache(self, url: str, *, recursive: bool = False) -> None:
        """Drop what HTTP.sys keeps of a URL, with `recursive` of all below it too (HttpFlushResponseCache).

        The URL is as clients ask for it, such as `http://example.com/prices?day=1`. Raises ValueError for what is no
        absolute URL; Win32Error, with ERROR_INVALID_PARAMETER for one under no prefix of this server's queue.
        """
        if self._context is not None:
            await flush(self._windows.http, self._context.io, url, recursive=recursive)
        else:
            check_url(url)

    # -- stopping -------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """Stop: new requests are for others or get 503, exchanges in progress have `grace` seconds.

        Who stops a server that stops already can only shorten the grace.
        """
        first = self._stopped is None
        if self._stopped is None:
            self._stopped = asyncio.Event()
        try:
            async with asyncio.timeout(None if grace == math.inf else grace):
                await (self._finish() if first else self._stopped.wait())
        except TimeoutError:
            await self._handling.abort(grace)
            self._abort()
        finally:
            if first:
                await self._drop()
                self._stopped.set()
        await self._stopped.wait()

    async def _finish(self) -> None:
        """Wait until closing what is left loses no request and no part of an answer.

        Who created the queue goes with it; who joined one leaves requests, and the prefixes, to its other processes.
        """
        context, receiver = self._context, self._receiver
        if context is None or receiver is None or self._queue is None:
            return
        if self._queue.created:
            self._withdraw(context)
        await receiver.stop(leave=not self._queue.created)
        for stream in list(context.streams):
            stream.going_away()
        while context.streams or self._handling.tasks:
            await self._handling.tasks.emptied()
            await context.streams.emptied()

    def _withdraw(self, context: ServerContext) -> None:
        """Have HTTP.sys answer new requests with 503, on connections that are kept too.

        The prefixes stay registered until the session is closed: without them it would be 400 or 404.
        """
        context.withdrawn = True
        if self._group is not None and not self._group.unbind():
            self._group.remove_all()

    def _abort(self) -> None:
        """Reset the clients of what is left."""
        if self._context is not None:
            for stream in list(self._context.streams):
                stream.abort()

    async def _drop(self) -> None:
        """Let go of everything now."""
        self._handling.cancel()
        self._abort()
        self._rules.close_all()
        if self._session is not None:
            self._session.close()
        if self._queue is not None and self._queue.name:
            self._queue.shut_down()  # what waits is for the queue's other processes
        if self._context is not None:
            self._context.io.close()
        port = self._port
        try:
            if port is not None:
                await port.drained()
                port.close()
        finally:
            library.end(self._windows)


@define(eq=False)
class _Joined:
    """A queue that a server serves; `hostler.server.base.RequestQueue`."""

    name: str
    _server: HttpSysServer

    async def close(self) -> None:
        """Take no more requests, finish those under way, let go of the queue: the server's only one."""
        await self._server.stop(math.inf)
