"""The server's side of an exchange over ASGI: `hostler.contract.Stream` on `receive` and `send`.

What a stream is told is synchronous, and what it asks of the server outside is not. So what is to be sent waits in a
queue, which a task empties; while it holds more than 64 KiB, the pump is paused. Another task receives, while the stream
lets it: what the client sends, and that it has gone. What `receive` or `send` raises ends the exchange as the client's
departure does, and is raised to whoever called us.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.errors import DelegationError, Failure, Reason
from hostler.native import NOTHING_NATIVE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hostler.asgi.messages import Message, Receive, Send
    from hostler.contract import Delegated, Pump, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.server.base import DelegationRule

__all__ = ["HIGH_WATER", "MountedStream"]

HIGH_WATER: Final = 1 << 16
"""Bytes that may wait, in each direction, before nothing more is taken."""

_MESSAGE: Final = 256
"""Bytes that a message takes beside what is in it."""


class MountedStream(ABC):
    """What the streams of HTTP and of WebSocket have in common: the two tasks, the flow in both directions."""

    takes_plain = False
    can_delegate = False
    native = NOTHING_NATIVE

    def __init__(self, receive: Receive, send: Send) -> None:
        self.started = False
        self.closed = False
        self.status = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self._receive = receive
        self._send = send
        self._pump: Pump | None = None
        self._failure: Failure | None = None
        """Why the client is gone."""
        self._departed: Callable[[Failure], object] | None = None
        self._aborted = False
        self._may_receive = asyncio.Event()
        self._messages: deque[tuple[Message, int]] = deque()
        self._queued = 0
        self._is_paused = False
        self._has_message = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    # -- running --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive and send meanwhile; what is to be sent has been sent in the end.

        Raises ConnectionAbortedError for an answer that was broken off, which is how the server outside is told so, and
        what `receive` or `send` has raised.
        """
        receiver = asyncio.create_task(self._receiving())
        self._sender = sender = asyncio.create_task(self._sending())
        try:
            yield
            self.closed = True
            self._has_message.set()
            await sender
            if receiver.done():
                receiver.result()
        finally:
            for task in (receiver, sender):
                task.cancel()
            await asyncio.gather(receiver, sender, return_exceptions=True)
            self._pump = None
        if self._aborted and self._failure is None:
            raise ConnectionAbortedError("the answer broke off; the log of hostler says why")

    async def _receiving(self) -> None:
        while self._failure is None:
            while not self._may_receive.is_set():  # it may have been set and cleared again in one turn
                await self._may_receive.wait()
            try:
                message = await self._receive()
            except Exception as error:
                self._lose(self._departure(str(error) or repr(error), error))
                raise
            self._received(message)

    @abstractmethod
    def _received(self, message: Message) -> None:
        """Take a message of the server outside."""

    def _departure(self, detail: str, error: Exception | None = None) -> Failure:
        """Make the failure of a client that went away."""
        reason = Reason.RESPONSE_BODY_CLIENT if self.started else Reason.REQUEST_CANCELED
        return Failure(reason, detail, error)

    def _lose(self, failure: Failure) -> None:
        """Tell everybody that the client is gone."""
        if self._failure is not None:
            return
        self._failure = failure
        self._messages.clear()
        if self._pump is not None and not self.closed:
            self._pump.lost(failure)
        self.closed = True
        self._has_message.set()
        if self._departed is not None:
            self._departed(failure)

    async def _sending(self) -> None:
        while True:
            while self._messages:
                message, size = self._messages.popleft()
                try:
                    await self._send(message)
                except Exception as error:
                    self._lose(self._departure(str(error) or repr(error), error))
                    if isinstance(error, OSError):  # ASGI HTTP spec 2.4: the client is gone
                        return
                    raise
                self._queued -= size
                if self._is_paused and self._queued <= HIGH_WATER // 2:
                    self._is_paused = False
                    if self._pump is not None:
                        self._pump.resume()
            if self.closed:
                return
            self._has_message.clear()
            await self._has_message.wait()

    def _put(self, message: Message, size: int = 0) -> None:
        """Have a message sent that holds `size` bytes."""
        size += _MESSAGE
        self._messages.append((message, size))
        self._queued += size
        self._has_message.set()
        if self._queued > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            if self._pump is not None:
                self._pump.pause()

    # -- Stream ---------------------------------------------------------------------------------------------------

    def detach(self) -> None:
        """Call the pump no more, and keep the body for the next one."""
        self._pump = None
        self.pause()

    def limit_body(self, size: int) -> Failure | None:
        """Take at most `size` bytes of the request's body: there is none, unless a subclass has one."""
        return None

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects."""
        self._departed = callback

    def proceed(self) -> None:  # noqa: B027 - there is nothing to do
        """Do nothing: the server outside asks for the body when it is received."""

    def pause(self) -> None:
        """Stop the flow of what the client sends."""
        self._may_receive.clear()

    def resume(self) -> None:
        """Let it flow again."""
        self._may_receive.set()

    def inform(self, status: int, headers: RawHeaders) -> None:  # noqa: B027 - there is nothing to do
        """Leave interim responses to the server outside."""

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    def abort(self) -> None:
        """Break the answer off."""
        if not self.closed:
            self.closed = self._aborted = True
            self._messages.clear()
            self._pump = None
            self._has_message.set()

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Refuse: the connection is not ours."""
        raise DelegationError(
            "a mounted handler cannot delegate: the connection is that of the server around it"
        )
