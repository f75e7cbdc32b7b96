"""Receiving: several calls wait on a queue at a time, so that a request always finds one.

A request is ours from the moment that a call names its id, also when its buffer was too small for the rest: it is then
asked for again, by its id, whatever happens meanwhile. To stop is to take what waits until a call finds nothing, and
only then to cancel that call (CancelIoEx): no request is left behind in a queue that is about to close. In a queue that
other processes serve too, what waits is left to them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.context import cancel_request
from hostler.server.httpsys.marshal.memory import uninitialised
from hostler.server.httpsys.marshal.request import request_id
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.port import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.server.httpsys.api import HttpApi
    from hostler.windows.libraries import CData
    from hostler.windows.port import IoHandle

__all__ = ["Receiver"]

_log: Final = logging.getLogger("hostler.server.httpsys")
_MAX_BATCH: Final = 16
"""Requests that one receive takes in a row before others have their turn."""

_STOLEN: Final = frozenset({
    ErrorCode.ERROR_INVALID_PARAMETER, ErrorCode.ERROR_CONNECTION_INVALID, ErrorCode.ERROR_HANDLE_EOF,
})  # fmt: skip
"""How asking for a request by its id fails when its client is gone, or another process has it."""

_AGAIN: Final = 0.1
"""Seconds before a receive that failed for a reason unknown is tried again."""


class _Receive:
    """One receive after another, into one buffer (HttpReceiveHttpRequest)."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._operation = receiver.io.operation(self._advance)
        self._usual: CData = uninitialised("char[]", receiver.size)
        self._buffer = self._usual
        self._id = 0
        self._next: asyncio.Handle | None = None
        self._busy = False

    @property
    def over(self) -> bool:
        """Whether nothing is under way, and nothing will be."""
        return not self._busy and not self._operation.pending and self._next is None

    def stop(self) -> None:
        """Come to an end when no request waits; a request that is ours already is taken before."""
        if self._operation.pending:
            if not self._id:
                self._operation.cancel()
        elif self._next is not None:  # now, not when a failure's pause is over
            self._next.cancel()
            self._next = None
            if self._id or not self._receiver.leaving:
                self._advance()

    def schedule(self, pause: float = 0) -> None:
        """Begin with the loop's next turn, or after a pause in seconds."""
        loop = self._receiver.io.port.loop
        self._next = loop.call_later(pause, self._advance) if pause else loop.call_soon(self._advance)

    def _advance(self, code: int | None = None, size: int = 0) -> None:
        """Take requests that wait already, then wait for one; `code` is how a call ended that waited."""
        self._next, self._busy = None, True
        try:
            more = self._take_those_that_wait(code, size)
        except Exception:  # noqa: BLE001 - whatever it is, requests are to be received
            _log.exception("a receive failed; trying again")
            self._drop()
            self.schedule(_AGAIN)
            more = False
        self._busy = False
        if more:
            self.schedule()
        elif self._operation.pending and self._receiver.stopping:
            self.stop()
        self._receiver.look()

    def _take_those_that_wait(self, code: int | None, size: int) -> bool:
        """Take requests in a row; returns whether there may be more."""
        more = code is None or self._call_over(code, size)
        for _ in range(_MAX_BATCH):
            more = more and (bool(self._id) or not self._receiver.leaving)
            if not more:
                break
            code = self._operation.start(self._call, self._buffer)
            more = code != PENDING and self._call_over(code, self._operation.size[0])
        return more

    def _call(self, overlapped: CData) -> int:
        receiver, buffer = self._receiver, self._buffer
        return receiver.http.HttpReceiveHttpRequest(
            receiver.io.handle, self._id, 0, ffi.cast("HTTP_REQUEST *", buffer), len(buffer),
            self._operation.size, overlapped,
        )  # fmt: skip

    def _call_over(self, code: int, size: int) -> bool:
        """Deal with a call that is over; returns whether to make another now."""
        receiver = self._receiver
        if code == 0:
            buffer = self._buffer  # lives while the request is taken
            request = ffi.cast("HTTP_REQUEST *", buffer)
            self._forget()
            receiver.take(request)
        elif code == ErrorCode.ERROR_MORE_DATA:
            # the request is ours, and larger than the buffer: ask for it again, by its id
            self._id = request_id(self._buffer)
            self._buffer = uninitialised("char[]", max(size, len(self._buffer) * 2))
        elif self._id and code in _STOLEN:
            self._drop()
        elif code == ErrorCode.ERROR_CONNECTION_INVALID:
            pass  # its client was gone before it was here
        elif code == ErrorCode.ERROR_INVALID_HANDLE:
            self._forget()
            receiver.closed()
            return False
        elif code == ErrorCode.ERROR_OPERATION_ABORTED and receiver.ending:
            return bool(self._id) and not receiver.io.closed
        elif receiver.ending:
            self._drop()
            return False
        else:
            receiver.failed(code)
            self.schedule(_AGAIN)
            return False
        return True

    def _drop(self) -> None:
        """Forget a request that was told by its id; should it still be ours, nobody must wait for its answer."""
        if self._id:
            cancel_request(self._receiver.http, self._receiver.io, self._id)
        self._forget()

    def _forget(self) -> None:
        self._id, self._buffer = 0, self._usual


class Receiver:
    """Keeps receives outstanding on a queue, and hands on each request, which is gone when `deliver` returns."""

    def __init__(
        self, http: HttpApi, io: IoHandle, deliver: Callable[[CData], None], count: int, size: int
    ) -> None:
        """Receive with `count` calls at a time, into buffers of `size` bytes each."""
        self.http = http
        self.io = io
        self.size = size
        self.stopping = False
        self.leaving = False
        """What waits is for others."""
        self._deliver = deliver
        self._stopped: asyncio.Future[None] | None = None
        self._complaint = 0
        self._receives = [_Receive(self) for _ in range(count)]

    @property
    def ending(self) -> bool:
        """Whether no more requests are wanted."""
        return self.stopping or self.io.closed

    def begin(self) -> None:
        """Start to receive, with the loop's next turn: who starts has until then to get ready."""
        for receive in self._receives:
            receive.schedule()

    def take(self, request: CData) -> None:
        """Hand on a request; one that fails to be handed on must not end the receiving."""
        self._complaint = 0
        try:
            self._deliver(request)
        except Exception:  # noqa: BLE001 - one request must not end the receiving of others
            _log.exception("a request could not be taken")
            cancel_request(self.http, self.io, request_id(request))

    def failed(self, code: int) -> None:
        """Say why receives fail; again only when it is for another reason, or after a success."""
        if code != self._complaint:
            self._complaint = code
            _log.error("%s; trying again", Win32Error(code, "HttpReceiveHttpRequest"))

    def closed(self) -> None:
        """Say that the queue is closed, when that is news."""
        if not self.ending and self._complaint != ErrorCode.ERROR_INVALID_HANDLE:
            self._complaint = ErrorCode.ERROR_INVALID_HANDLE
            _log.error("the request queue was closed or shut down: no more requests are received")

    async def stop(self, *, leave: bool = False) -> None:
        """Receive nothing more; returns when every receive is over: what they brought meanwhile was delivered.

        `leave`: requests that wait are for other processes of the queue.
        """
        self.stopping, self.leaving = True, leave
        if self._stopped is None:
            self._stopped = self.io.port.loop.create_future()
            for receive in self._receives:
                receive.stop()
            self.look()
        await asyncio.shield(self._stopped)

    def look(self) -> None:
        """Notice when the last receive is over."""
        stopped = self._stopped
        if stopped is not None and not stopped.done() and all(receive.over for receive in self._receives):
            stopped.set_result(None)
