"""A task that starts at once and goes on at once: within the callback that began it, or completed what it awaits.

To everything that asks for `asyncio.current_task()` it is a task (asyncio: "Extending", task lifetime):
`asyncio.timeout`, `TaskGroup`, anyio's scopes. From `asyncio.Task` it differs in two things, which save an exchange
that is forwarded two turns of the event loop. It starts within the callback that read the head. And when a
`Completion` that it awaits is completed, it goes on within the callback that completed it. Whatever else it awaits
wakes it as it would wake any task.

States and transitions. It is running while its coroutine has the processor, and is the current task then; where
another task is current already, it runs in the next turn instead. It is suspended when the coroutine has yielded what
it waits for, which stands in `_fut_waiter`. `resume`, `resume_soon` and the callback of a foreign future make it run
again. It is over when the coroutine has returned or raised; `returned` or `raised` is called once. `cancel` passes the
wish on to what the task waits for; if that is nothing, the next step raises it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import _enter_task, _leave_task, _register_task, _unregister_task
from typing import TYPE_CHECKING, Any

from hostler.completion import Completion

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["DirectTask"]


class DirectTask(Completion[None], ABC):
    """A task of our own; a subclass is told how what it runs has ended."""

    _coroutine: Coroutine[Any, Any, Any] | None = None
    _fut_waiter: Any = None
    """What it waits for; anyio looks here."""
    _must_cancel = False
    """Whether the next step raises CancelledError; anyio looks here."""
    _cancel_message: object = None
    _cancels = 0
    _registered = False
    _name = ""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        function: Callable[[Any], Awaitable[object]],
        argument: object,
    ) -> None:
        """Run `function(argument)`, once `step` is called, in a `context` of its own."""
        self._loop = loop
        self._context = context
        self._function = function
        self._argument = argument

    @abstractmethod
    def returned(self, value: object) -> None:
        """Called when the coroutine has returned."""

    @abstractmethod
    def raised(self, error: BaseException) -> None:
        """Called when the coroutine has raised; whatever is no Exception is raised in the event loop afterwards."""

    # -- Resumable ------------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Go on now, or as soon as no other task runs."""
        self._context.run(self.step, None)

    def resume_soon(self) -> None:
        """Go on in the next turn of the event loop."""
        self._loop.call_soon(self._wake, self._fut_waiter, context=self._context)

    def _wake(self, future: Any) -> None:
        """Go on with how a future ended: whatever it raises is raised where it is awaited."""
        try:
            future.result()
        except BaseException as error:  # noqa: BLE001 - of a future, so the coroutine's
            self.step(error)
        else:
            self.step(None)

    def step(self, error: BaseException | None) -> None:
        """Run the coroutine up to the next thing that it waits for."""
        loop = self._loop
        try:
            _enter_task(loop, self)  # type: ignore[arg-type]
        except RuntimeError:  # another task is running
            loop.call_soon(self.step, error, context=self._context)
            return
        self._fut_waiter = None
        if self._must_cancel:
            self._must_cancel = False
            error = asyncio.CancelledError(*(() if self._cancel_message is None else (self._cancel_message,)))
        try:
            coroutine = self._coroutine
            if coroutine is None:
                if error is not None:  # it was cancelled before it began
                    raise error  # noqa: TRY301 - as if the coroutine had not caught it
                begun: Any = self._function(self._argument)
                coroutine = self._coroutine = begun if hasattr(begun, "send") else _awaiting(begun)
            yielded = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as end:
            value = end.value
        except BaseException as caught:
            _leave_task(loop, self)  # type: ignore[arg-type]
            self._be_over()
            self.raised(caught)
            if not isinstance(caught, (Exception, asyncio.CancelledError)):
                raise
            return
        else:
            _leave_task(loop, self)  # type: ignore[arg-type]
            if (
                isinstance(yielded, Completion)
                and yielded.waiter is None
                and not (yielded._over or self._must_cancel)
            ):
                self._fut_waiter = yielded
                yielded.waiter = self
            else:
                self._wait_for(yielded)
            return
        _leave_task(loop, self)  # type: ignore[arg-type]
        self._be_over()
        self.returned(value)

    def _wait_for(self, yielded: Any) -> None:
        if yielded is None:  # a bare yield, as in asyncio.sleep(0)
            self._register()
            self._loop.call_soon(self.step, None, context=self._context)
            return
        if getattr(yielded, "_asyncio_future_blocking", None):
            yielded._asyncio_future_blocking = False
            self._register()
            self._fut_waiter = yielded
            yielded.add_done_callback(self._wake, context=self._context)
        else:
            error = RuntimeError(f"{yielded!r} was yielded, which no task can wait for")
            self._loop.call_soon(self.step, error, context=self._context)
            return
        if self._must_cancel and self._fut_waiter.cancel(self._cancel_message):
            self._must_cancel = False

    def _register(self) -> None:
        """Be among `asyncio.all_tasks()`: not before something is awaited that may take the event loop's time."""
        if not self._registered:
            self._registered = True
            _register_task(self)  # type: ignore[arg-type]

    def _be_over(self) -> None:
        """Let go of the coroutine, whose frames know the task, and tell whoever waits for it."""
        self._coroutine = None
        self._over = True
        if self._registered:
            _unregister_task(self)  # type: ignore[arg-type]
        if self._callbacks is not None or self.waiter is not None:
            self._tell()

    # -- what asyncio asks of a task ------------------------------------------------------------------------------

    def cancel(self, msg: object = None) -> bool:
        """Have CancelledError raised in the coroutine; returns False when it is over."""
        if self._over:
            return False
        self._cancels += 1
        self._cancel_message = msg
        if self._fut_waiter is None or not self._fut_waiter.cancel(msg):
            self._must_cancel = True
        return True

    def cancelling(self) -> int:
        """Return how many wishes to cancel it there are."""
        return self._cancels

    def uncancel(self) -> int:
        """Take one of them back; returns how many are left."""
        if self._cancels:
            self._cancels -= 1
            if not self._cancels:
                self._must_cancel = False
        return self._cancels

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that it belongs to."""
        return self._loop

    def get_coro(self) -> Coroutine[Any, Any, Any] | None:
        """Return its coroutine; None before it has begun, and when it is over."""
        return self._coroutine

    def get_context(self) -> contextvars.Context:
        """Return the context that it runs in."""
        return self._context

    def get_name(self) -> str:
        """Return its name."""
        return self._name or f"{type(self).__name__}-{id(self):x}"

    def set_name(self, value: object) -> None:
        """Give it another name."""
        self._name = str(value)

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        """Return no frames: `get_coro` has them."""
        return []


async def _awaiting(awaitable: Awaitable[object]) -> object:
    return await awaitable
