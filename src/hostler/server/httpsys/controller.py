"""The controller of a queue: the process that owns it and its URL prefixes, and leaves serving it to workers.

HTTP.sys keeps requests while no worker is there, and tells the controller that one is wanted (IIS: WAS).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import TYPE_CHECKING, Final

from attrs import define, field

from hostler.server.httpsys.api import load
from hostler.server.httpsys.marshal.properties import queue_state, request_queue_properties
from hostler.server.httpsys.queue import open_queue_as
from hostler.server.httpsys.session import ServerSession
from hostler.server.options import ServerOptions, refuse_unsupported, unsupported_by_httpsys
from hostler.server.options.httpsys import HttpSysOptions
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.proactor import open_io

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.server.base import QueueMode
    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.queue import QueueHandle
    from hostler.server.httpsys.session import UrlGroup
    from hostler.server.prefix import UrlPrefix
    from hostler.windows.port import IoHandle

__all__ = ["Controller"]

_numbers: Final = itertools.count(1)


@define(eq=False)
class Controller:
    """A queue with its prefixes, held for workers that attach to it."""

    queue: str
    """The name that workers attach to."""

    prefixes: tuple[UrlPrefix, ...]
    _windows: Windows
    _handle: QueueHandle
    _session: ServerSession
    _group: UrlGroup
    _io: IoHandle | None = field(default=None, init=False)
    _released: bool = field(default=False, init=False)

    @classmethod
    def open(
        cls,
        queue: str | None,
        mode: QueueMode,
        prefixes: Iterable[UrlPrefix] = (),
        *,
        options: ServerOptions | None = None,
        windows: Windows | None = None,
    ) -> Controller:
        """Create the queue (or open it, as `mode` says), and register prefixes for it.

        Without a name the queue gets one, for workers to know it by. Raises what `open_queue_as` does, ListenError,
        UnsupportedError.
        """
        options = options or ServerOptions()
        refuse_unsupported(unsupported_by_httpsys(options), "HTTP.sys")
        windows = windows or load()
        security = (options.httpsys or HttpSysOptions()).security_descriptor
        name = queue or f"hostler-{os.getpid()}-{next(_numbers)}"
        handle = open_queue_as(windows, name, mode, security=security, controller=True)
        try:
            session = ServerSession(windows)
            try:
                for item in request_queue_properties(options) if handle.created else ():
                    handle.set(item)
                group = session.group_for(handle, options)
                settled = group.add_all(prefixes, handle)
            except BaseException:
                session.close()
                raise
        except BaseException:
            handle.close()
            raise
        return cls(name, settled, windows, handle, session, group)

    @property
    def created(self) -> bool:
        """Whether this made the queue: else it configures nothing, and is told nothing."""
        return self._handle.created

    def set_enabled(self, enabled: bool) -> None:
        """Have the queue take requests, or HTTP.sys answer them with 503 (HttpServerStateProperty); raises Win32Error."""
        self._handle.set(queue_state(enabled))

    async def demanded(self) -> None:
        """Wait until a request waits that no worker is there for (HttpWaitForDemandStart).

        One caller at a time. Raises Win32Error, with ERROR_INVALID_ID_AUTHORITY in a process that did not create the
        queue.
        """
        if self._released:
            raise Win32Error(ErrorCode.ERROR_INVALID_HANDLE, "HttpWaitForDemandStart", self.queue)
        over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._io is None:
            queue, loop = self._handle, over.get_loop()
            self._io = open_io(self._windows, loop, queue.handle, queue.close, use_proactor=False)

        def done(code: int, size: int) -> None:
            if not over.done():
                over.set_result(code)

        io, port = self._io, self._io.port
        operation = io.operation(done)
        http, handle = self._windows.http, self._handle.handle
        code = operation.start(lambda overlapped: http.HttpWaitForDemandStart(handle, overlapped))
        if code == ErrorCode.ERROR_IO_PENDING:
            try:
                code = await over
            finally:
                operation.cancel()
                await port.drained()
                if io.closed:
                    port.close()
        if code:
            raise Win32Error(code, "HttpWaitForDemandStart", self.queue)

    def withdraw(self) -> None:
        """Have HTTP.sys answer new requests with 503 until `release`; what waits in the queue is still served."""
        if not self._group.unbind():
            self._session.close()

    def release(self) -> None:
        """Let go of the prefixes and of the queue, which goes with its last handle; `demanded` raises Win32Error."""
        if not self._released:
            self._released = True
            self._session.close()
            if self._io is None:
                self._handle.close()
                return
            self._io.close()
            if not self._io.port.operations:
                self._io.port.close()
