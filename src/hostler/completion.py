"""What an exchange waits for, and how it goes on: in the very turn of the event loop in which that is over.

A future wakes whoever awaits it with a callback of the event loop, on a later turn. Between two connections that is the
dearest part of an exchange. A `Completion` resumes the task of an exchange (`hostler.server.handling`) directly, from
the callback in which it was completed. Any other task may await it too: to asyncio it is a future like any other
(`asyncio.isfuture`), and wakes those on a later turn.

States and transitions. A completion is pending until `resolve`, `resolve_soon` or `cancel`, whichever comes first; what
comes after is ignored. Its waiters are told once.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Completion", "Resumable"]

T = TypeVar("T")


class Resumable(Protocol):
    """What a completion resumes without the event loop: the task that awaits it, or whoever began it."""

    def resume(self, completion: Completion[Any], /) -> None:
        """Go on now, or as soon as no other task runs."""

    def resume_soon(self, completion: Completion[Any], /) -> None:
        """Go on in the next turn of the event loop."""

    def get_context(self) -> contextvars.Context:
        """Return the context in which it goes on."""


class Completion(Generic[T]):
    """Something that will be over once, with a result or by being cancelled.

    `await` it, then look at `result()`.

    One is made for every exchange, so subclasses set the attributes of `__init__` themselves. They are no attributes of
    the class: Python finds what an object alone has several times faster. What the class has is rarely looked at.
    """

    _asyncio_future_blocking = True
    """Says that it is a future, and that it is awaited (asyncio: "Extending", future lifetime)."""

    _cancelled = False
    _cancel_message: object = None

    def __init__(self) -> None:
        self._over = False
        self._result: T | None = None
        self._callbacks: list[tuple[Callable[[Any], object], contextvars.Context]] | None = None
        self.waiter: Resumable | None = None
        """The task of an exchange that awaits it, or whoever is told in place of a task."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until it is over; the result is `result()`."""
        self._asyncio_future_blocking = True
        return iter(() if self._over else (self,))  # type: ignore[return-value] # cheaper than a generator

    def resolve(self, result: T) -> None:
        """Be over; what waits goes on before this returns, unless a task is running."""
        if not self._over:
            self._over, self._result = True, result
            self._tell()

    def resolve_soon(self, result: T) -> None:
        """Be over; what waits goes on in the next turn of the event loop."""
        if not self._over:
            self._over, self._result = True, result
            waiter, self.waiter = self.waiter, None
            if waiter is not None:
                waiter.resume_soon(self)
            if self._callbacks is not None:
                self._call_back()

    def _tell(self) -> None:
        """Tell whoever waits that it is over."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.resume(self)
        if self._callbacks is not None:
            self._call_back()

    def cancel(self, msg: object = None) -> bool:
        """Be over without a result: `result` raises CancelledError; returns False when it was over already."""
        if self._over:
            return False
        self._over = self._cancelled = True
        self._cancel_message = msg
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.resume_soon(self)
        if self._callbacks is not None:
            self._call_back()
        return True

    # -- what asyncio asks of a future ----------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether it is over."""
        return self._over

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled

    def result(self) -> T:
        """Return the result; raises CancelledError, or InvalidStateError while there is none."""
        if self._cancelled:
            raise self._make_cancelled_error()
        if not self._over:
            raise asyncio.InvalidStateError("there is no result yet")
        return cast("T", self._result)

    def exception(self) -> BaseException | None:
        """Return None: there is none but CancelledError, which it raises."""
        self.result()
        return None

    def _make_cancelled_error(self) -> asyncio.CancelledError:
        """Return a new one for everyone who asks, since each adds to its traceback; `asyncio.gather` calls this."""
        return asyncio.CancelledError(*(() if self._cancel_message is None else (self._cancel_message,)))

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop, to which it belongs."""
        return asyncio.get_running_loop()

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Call `callback(self)` on the turn of the event loop after it is over, by default in the present context."""
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((callback, contextvars.copy_context() if context is None else context))
        if self._over:
            self._call_back()

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Call it no more; returns how often it was registered."""
        before = self._callbacks or []
        self._callbacks = [item for item in before if item[0] != callback]
        return len(before) - len(self._callbacks)

    def _call_back(self) -> None:
        callbacks, self._callbacks = self._callbacks, None
        loop = self.get_loop()
        for callback, context in callbacks or ():
            loop.call_soon(callback, self, context=context)
