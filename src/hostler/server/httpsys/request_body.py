"""A request's body as its stream knows it: held to its length and to a limit, and kept back until it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hostler.server.httpsys.incoming import Incoming
from hostler.windows.constants import ErrorCode

if TYPE_CHECKING:
    import asyncio

    from hostler.server.httpsys.context import ServerContext

__all__ = ["BodyTaker", "RequestBody"]

_PATIENCE: Final = 1.0
"""Seconds after which a client that waits for 100 Continue gets it, though nobody asked for its body yet."""


class BodyTaker(Protocol):
    """Who is told what comes of a body: its stream."""

    def took(self, data: bytes) -> None:
        """Take a piece."""

    def body_complete(self) -> None:
        """Called when nothing follows."""

    def body_too_large(self, limit: int) -> None:
        """Called when there is more than `limit`; the client can still be answered."""

    def body_broken(self, detail: str) -> None:
        """Called when a body is not as long as it says, and nobody may pass it on."""

    def client_gone(self, code: int) -> None:
        """Called when the rest cannot be read; `code` is what a call said."""


class RequestBody:
    """Reads a request's body while somebody takes it; also what an upgraded client sends.

    It flows when it is attached, neither paused nor held. It is held while the client waits for 100 Continue, which
    HTTP.sys sends when the body is first asked for, and in a tunnel until the 101 is out.
    """

    __slots__ = (
        "_announced", "_attached", "_context", "_held", "_incoming", "_limit", "_paused", "_request", "_timer", "_to",
        "complete", "received",
    )  # fmt: skip

    def __init__(
        self, context: ServerContext, request: int, to: BodyTaker, announced: int, *, held: bool
    ) -> None:
        """Prepare to read the body of `request`, of `announced` bytes; less than 0 when that is not known."""
        self._context = context
        self._to = to
        self._announced = announced
        self._held = held
        self._request = request
        self._incoming: Incoming | None = None
        self._limit: int | None = None
        self._attached = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.complete = False
        """Its last byte has been handed over."""
        self.received = 0
        """Bytes that were handed over."""

    @property
    def begun(self) -> bool:
        """Whether HTTP.sys was asked for some of it."""
        return self._incoming is not None and self._incoming.begun

    def attach(self) -> None:
        """Let it flow to whoever takes it now."""
        self._attached, self._paused = True, False
        if self._incoming is None:
            context = self._context
            self._incoming = Incoming(context.windows.http, context.io, self._request, self._took, self._over)
        self._flow()

    def await_continue(self) -> None:
        """Ask for it after a while, should nobody say to before: a client may wait for 100 Continue."""
        if self._held:
            self._timer = self._context.io.port.loop.call_later(_PATIENCE, self.proceed)

    def detach(self) -> None:
        """Keep it for the next one."""
        self._attached = False
        self._stop_waiting()
        if self._incoming is not None:
            self._incoming.pause()

    def limit(self, size: int) -> None:
        """Have it fail when it is larger, at once if it says so."""
        self._limit = size
        if self._announced > size:
            self._refuse(size)

    def proceed(self) -> None:
        """Hold it no more."""
        self._held = False
        self._stop_waiting()
        self._flow()

    def pause(self) -> None:
        """Stop the flow."""
        self._paused = True
        if self._incoming is not None:
            self._incoming.pause()

    def resume(self) -> None:
        """Let it flow again."""
        self._paused = False
        self._flow()

    def stop(self) -> None:
        """Read nothing more."""
        self._stop_waiting()
        self._attached = False
        if self._incoming is not None:
            self._incoming.stop()

    def _flow(self) -> None:
        if self._incoming is not None and self._attached and not self._paused and not self._held:
            self._incoming.flow()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, limit: int) -> None:
        self.detach()
        self._to.body_too_large(limit)

    def _took(self, data: bytes) -> None:
        self.received += len(data)
        if 0 <= self._announced < self.received:
            self._to.body_broken("the body is longer than its Content-Length")
        elif self._limit is not None and self.received > self._limit:
            self._refuse(self._limit)
        else:
            self._to.took(data)

    def _over(self, code: int) -> None:
        """Called when nothing follows: the body is complete, or the client has disconnected."""
        if code != ErrorCode.ERROR_HANDLE_EOF:
            self._to.client_gone(code)
        elif self.received < self._announced:
            self._to.body_broken("the body is shorter than its Content-Length")
        else:
            self.complete = True
            self._to.body_complete()
