"""A task that starts at once and goes on at once: within the callback that began it, or completed what it awaits.

To everything that asks for `asyncio.current_task()` it is a task (asyncio: "Extending", task lifetime):
`asyncio.timeout`, `TaskGroup`, anyio's scopes. From `asyncio.Task` it differs in three things, the first two of which
save an exchange that is forwarded two turns of the event loop. It starts within the callback that read the head. When a
`Completion` that it awaits is completed, it goes on within the callback that completed it. And it is not among
`asyncio.all_tasks()` before it awaits something else. Whatever else it awaits wakes it as it would wake any task.

States and transitions. It is running while its coroutine has the processor, and is the current task then; where
another task is current already, it runs in the next turn instead. It is suspended when the coroutine has yielded what
it waits for, which stands in `_fut_waiter`. `resume`, `resume_soon` and the callback of a foreign future make it run
again. It is over when the coroutine has returned or raised; then `returned` or `raised` is called once, and whoever
awaits it goes on. `cancel` passes the wish on to what the task waits for; if that is nothing, the next step raises it.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from abc import ABC, abstractmethod
from asyncio import _enter_task, _leave_task, _register_task, _unregister_task
from collections.abc import Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

from hostler.completion import Completion

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Generator
    from types import FrameType
    from typing import TextIO

__all__ = ["DirectTask", "awaiting"]


class DirectTask(Completion[Any], ABC):
    """A task of our own; a subclass is told how what it runs has ended."""

    _error: BaseException | None = None
    _cancels = 0
    _name = ""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        function: Callable[[Any], Awaitable[object]],
        argument: object,
    ) -> None:
        """Run `function(argument)`, once `step` is called, in a `context` of its own."""
        super().__init__()
        self._loop = loop
        self._context = context
        self._function = function
        self._argument = argument
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._registered = False
        self._fut_waiter: Any = None
        """What it waits for; anyio looks here."""
        self._must_cancel = False
        """Whether the next step raises CancelledError; anyio looks here."""

    @abstractmethod
    def returned(self, value: object) -> None:
        """Called when the coroutine has returned."""

    @abstractmethod
    def raised(self, error: BaseException) -> None:
        """Called when the coroutine has raised; KeyboardInterrupt and SystemExit end the event loop afterwards."""

    # -- Resumable ------------------------------------------------------------------------------------------------

    def resume(self, completion: Completion[Any], /) -> None:
        """Go on now, or as soon as no other task runs."""
        try:
            self._context.run(self.step, None)
        except RuntimeError:
            if self._fut_waiter is None or not self._fut_waiter.done():
                raise
            self.resume_soon(completion)  # somebody else is running in its context

    def resume_soon(self, completion: Completion[Any], /) -> None:
        """Go on in the next turn of the event loop."""
        self._loop.call_soon(self._wake, completion, context=self._context)

    def _wake(self, future: Any) -> None:
        """Go on with how a future ended: whatever it raises is raised where it is awaited."""
        try:
            future.result()
        except BaseException as error:  # noqa: BLE001 - of a future, so the coroutine's
            self.step(error)
            del future  # which has the error, whose traceback has this frame
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
            if not isinstance(error, asyncio.CancelledError):
                error = self._make_cancelled_error()
        try:
            coroutine = self._coroutine
            if coroutine is None:
                if error is not None:  # it was cancelled before it began
                    raise error  # noqa: TRY301 - as if the coroutine had not caught it
                begun: Any = self._function(self._argument)
                if type(begun) is CoroutineType or isinstance(begun, Coroutine):
                    coroutine = begun
                else:
                    coroutine = awaiting(begun)
                self._coroutine = coroutine
            yielded = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as end:
            value = end.value
        except BaseException as caught:  # noqa: BLE001 - `raised` and whoever awaits the task are told
            _leave_task(loop, self)  # type: ignore[arg-type]
            self._fail(caught)
            del error  # its traceback may have this frame
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
        if self._registered or self._callbacks is not None or self.waiter is not None:
            self._be_over(value)
        else:
            self._coroutine, self._over, self._result = None, True, value
        self.returned(value)

    def _wait_for(self, yielded: Any) -> None:
        if yielded is None:  # a bare yield, as in asyncio.sleep(0)
            self._register()
            self._loop.call_soon(self.step, None, context=self._context)
            return
        if not getattr(yielded, "_asyncio_future_blocking", None):
            self._refuse(f"{yielded!r} was yielded, which no task can wait for")
            return
        if yielded.get_loop() is not self._loop:
            self._refuse(f"{self!r} awaits {yielded!r}, which belongs to another event loop")
            return
        yielded._asyncio_future_blocking = False
        self._register()
        self._fut_waiter = yielded
        yielded.add_done_callback(self._wake, context=self._context)
        if self._must_cancel and self._fut_waiter.cancel(self._cancel_message):
            self._must_cancel = False

    def _refuse(self, why: str) -> None:
        """Raise RuntimeError in the coroutine, which awaits what it cannot."""
        self._loop.call_soon(self.step, RuntimeError(why), context=self._context)

    def _register(self) -> None:
        """Be among `asyncio.all_tasks()`: not before something is awaited that may take the event loop's time."""
        if not self._registered:
            self._registered = True
            _register_task(self)  # type: ignore[arg-type]

    def _fail(self, error: BaseException) -> None:
        """Be over with what the coroutine raised.

        It is kept for those only who wait for it by now: frames of its traceback have the task.
        """
        self._cancelled = isinstance(error, asyncio.CancelledError)
        if self._callbacks is not None or self.waiter is not None:
            self._error = error
        self._be_over(None)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._loop.call_soon(_raise, error)
        self.raised(error)

    def _be_over(self, value: object) -> None:
        """Let go of the coroutine, whose frames know the task, and tell whoever waits for it."""
        self._coroutine = None
        self._over, self._result = True, value
        if self._registered:
            _unregister_task(self)  # type: ignore[arg-type]
        if self._callbacks is not None or self.waiter is not None:
            self._tell()

    # -- what asyncio asks of a task ------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait until it is over; return or raise what its coroutine did."""
        if asyncio.current_task(self._loop) is self:  # type: ignore[comparison-overlap]
            raise RuntimeError(f"{self!r} awaits itself")
        if not self._over:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def result(self) -> Any:
        """Return or raise what its coroutine did, None if nobody waited for what it raised.

        Raises InvalidStateError before that.
        """
        if self._error is not None:
            raise self._error
        return super().result()

    def exception(self) -> BaseException | None:
        """Return what its coroutine raised, as `result` would; raises CancelledError if that was it."""
        return super().exception() if self._cancelled or self._error is None else self._error

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

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        """Return the coroutine's frame, and while it runs those that it was called from; the innermost is last."""
        frames: list[FrameType] = []
        frame = getattr(self._coroutine, "cr_frame", None)
        while frame is not None and (limit is None or len(frames) < limit):
            frames.append(frame)
            frame = frame.f_back
        return frames[::-1]

    def print_stack(self, *, limit: int | None = None, file: TextIO | None = None) -> None:
        """Print the same, by default to standard error."""
        file = file or sys.stderr
        print(f"Stack for {self!r} (most recent call last):", file=file)
        frames = ((frame, frame.f_lineno) for frame in self.get_stack(limit=limit))
        traceback.print_list(traceback.StackSummary.extract(frames), file=file)


async def awaiting(awaitable: Awaitable[object]) -> object:
    """Make a coroutine of whatever can be awaited."""
    return await awaitable


def _raise(error: BaseException) -> NoReturn:
    raise error
