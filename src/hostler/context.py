"""Awaiting something in another context (`contextvars`) than that of the task which awaits it.

Callbacks of a transport or a timer run in the context in which it was made. What outlives an exchange, such as a
connection to a destination, is therefore made outside the exchange's context: else the exchanges that use it later would
see, in callbacks and in what is logged, the variables of the one that happened to need it first.
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Generator

__all__ = ["within"]

T = TypeVar("T")


@coroutine
def within(context: contextvars.Context, awaitable: Awaitable[T]) -> Generator[Any, None, T]:
    """Await `awaitable` in `context`, in the same task; nobody else may be running in that context."""
    steps = awaitable.__await__()
    go_on: Callable[[Any], Any] = steps.send
    argument: BaseException | None = None
    try:
        while True:
            try:
                yielded = context.run(go_on, argument)
            except StopIteration as end:
                result: T = end.value
                return result
            go_on, argument = steps.send, None
            try:
                yield yielded
            except BaseException as error:  # noqa: BLE001 - it is raised where this waits
                go_on, argument = steps.throw, error
    finally:
        argument = None  # whose traceback may have this frame
