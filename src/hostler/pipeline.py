"""Stages, and how they become one handler. This is the heart.

A stage is one coroutine: it looks at the exchange, may answer it, and otherwise awaits `onward(exchange)`. Its frame
lives until the exchange is over, the bodies included, so `try/finally` and `async with` in a stage bracket the whole
transfer. The chain is folded once, when the proxy is built.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from hostler.exchange import Exchange, Outcome, unanswered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Next", "Stage", "compose", "lifespans"]

Next = Callable[[Exchange], Awaitable[Outcome]]
"""The rest of the pipeline."""


class Stage(Protocol):
    """One step of the pipeline.

    A stage with state may also have `lifespan()`, which returns an async context manager: it is entered when the
    proxy starts, in pipeline order, and left when it stops, in reverse.
    """

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Answer the exchange, or await `onward(exchange)`; return the outcome."""
        ...


def compose(stages: Iterable[Stage], last: Next = unanswered) -> Next:
    """Fold stages into one handler; what none of them answers goes to `last`, which answers 503 by default.

    The `lifespan` of `last`, a proxy's say, is the handler's too; those of the stages are the proxy's business.
    """
    handler = last
    for stage in reversed(tuple(stages)):
        handler = _before(stage, handler)
    lifespan = getattr(last, "lifespan", None)
    if lifespan is not None and handler is not last:
        handler.lifespan = lifespan  # type: ignore[attr-defined]
    return handler


def _before(stage: Stage, onward: Next) -> Next:
    def run(exchange: Exchange) -> Awaitable[Outcome]:
        return stage(exchange, onward)

    return run


@asynccontextmanager
async def lifespans(stages: Iterable[Stage]) -> AsyncIterator[None]:
    """Enter the lifespan of every stage that has one, in order; leave them in reverse."""
    async with AsyncExitStack() as stack:
        for manager in _managers(stages):
            await stack.enter_async_context(manager)
        yield


def _managers(stages: Iterable[Stage]) -> Iterator[AbstractAsyncContextManager[object]]:
    for stage in stages:
        lifespan = getattr(stage, "lifespan", None)
        if lifespan is not None:
            yield lifespan()
