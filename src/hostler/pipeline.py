"""Stages, and how they become one handler. This is the heart.

A handler answers exchanges: `async def handler(exchange) -> Outcome`. A stage is the same with one argument more, what
comes after it: it looks at the exchange, may answer it, and otherwise awaits `onward(exchange)`. Its frame lives until
the exchange is over, the bodies included, so `try/finally` and `async with` in a stage bracket the whole transfer. A
chain is folded once, when a proxy or one of its clusters is built (`hostler.chains`), never for a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from hostler.errors import Failure, Reason
from hostler.exchange import Exchange
from hostler.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hostler.config.model import Cluster, Route
    from hostler.server.base import Server

__all__ = [
    "Handler",
    "HandlerWithLifespan",
    "Next",
    "Stage",
    "StageWithLifespan",
    "compose",
    "fold",
    "for_clusters",
    "for_routes",
    "is_ours",
    "lifespan_of",
    "lifespans",
    "not_an_outcome",
]

Handler = Callable[[Exchange], Awaitable[Outcome]]
"""Answers exchanges; with state of its own it may be a `HandlerWithLifespan`."""

Next = Handler
"""The rest of the pipeline."""


@runtime_checkable
class HandlerWithLifespan(Protocol):
    """A handler that starts before its server listens, and stops after the last exchange: a `Proxy`, an application."""

    def __call__(self, exchange: Exchange, /) -> Awaitable[Outcome]:
        """Answer an exchange."""
        ...

    def lifespan(self, server: Server, /) -> AbstractAsyncContextManager[object]:
        """Return a context that is entered before `server` listens, and left when it has stopped."""
        ...


class Stage(Protocol):
    """One step of the pipeline; with state of its own it may be a `StageWithLifespan`."""

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Answer the exchange, or await `onward(exchange)`; return the outcome."""
        ...


@runtime_checkable
class StageWithLifespan(Protocol):
    """A stage that starts and stops with its proxy, in pipeline order and in reverse."""

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Answer the exchange, or await `onward(exchange)`; return the outcome."""
        ...

    def lifespan(self) -> AbstractAsyncContextManager[object]:
        """Return a context that is entered when the proxy starts, and left when it stops."""
        ...


StageT = TypeVar("StageT", bound=Stage)


def for_clusters(concerns: Callable[[Cluster], bool]) -> Callable[[StageT], StageT]:
    """Say which clusters a stage concerns, by their configuration: it is left out of the pipeline of the others.

    That is for stages which would do nothing there but go onward. Such a stage is called all the same for an exchange
    without a cluster, and by `compose`. A decorator.
    """

    def mark(stage: StageT) -> StageT:
        stage.concerns = concerns  # type: ignore[attr-defined]
        return stage

    return mark


def for_routes(concerns: Callable[[Route], bool]) -> Callable[[StageT], StageT]:
    """Say which routes a stage concerns, by their configuration: as `for_clusters` does for clusters. A decorator.

    A stage that is an object has a method `concerns_route(route)` in its place.
    """

    def mark(stage: StageT) -> StageT:
        stage.concerns_route = concerns  # type: ignore[attr-defined]
        return stage

    return mark


def unanswered(exchange: Exchange) -> Awaitable[Outcome]:
    """Answer 503: no stage of the pipeline answered."""
    return exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS))


def fold(stages: Iterable[Stage], last: Next = unanswered) -> Next:
    """Fold stages into one function; what none of them answers goes to `last`.

    A stage or handler that is not hostler's own, and returns something else than an Outcome, has that raised as a
    TypeError with its name.
    """
    handler = last if is_ours(last) else _checked(last)
    for stage in reversed(tuple(stages)):
        handler = (_before if is_ours(stage) else _checked_before)(stage, handler)
    return handler


def _before(stage: Stage, onward: Next) -> Next:
    def run(exchange: Exchange) -> Awaitable[Outcome]:
        return stage(exchange, onward)

    return run


def is_ours(part: object) -> bool:
    """Whether a stage or handler is hostler's own."""
    module: str = part.__module__
    return module.startswith("hostler.")


def _checked_before(stage: Stage, onward: Next) -> Next:
    async def run(exchange: Exchange) -> Outcome:
        awaitable: Awaitable[object] | None = stage(exchange, onward)
        outcome = None if awaitable is None else await awaitable
        if isinstance(outcome, Outcome):
            return outcome
        raise not_an_outcome(stage, outcome)

    return run


def _checked(last: Handler) -> Next:
    async def run(exchange: Exchange) -> Outcome:
        awaitable: Awaitable[object] | None = last(exchange)
        outcome = None if awaitable is None else await awaitable
        if isinstance(outcome, Outcome):
            return outcome
        raise not_an_outcome(last, outcome)

    return run


def not_an_outcome(part: object, returned: object) -> TypeError:
    """Return the error of a stage or handler that returned something else than an Outcome."""
    name = getattr(part, "__qualname__", type(part).__qualname__)
    return TypeError(
        f"{part.__module__}.{name} returned {returned!r}, not an Outcome: "
        "end it with `return await onward(exchange)`, `return await exchange.respond(...)` or the like"
    )


class _Composed:
    """Stages in front of a handler, as a handler with the lifespan of all of them."""

    def __init__(self, stages: tuple[Stage, ...], last: Handler) -> None:
        self._stages = stages
        self._last = last
        self._run = fold(stages, last)

    def __call__(self, exchange: Exchange, /) -> Awaitable[Outcome]:
        return self._run(exchange)

    @asynccontextmanager
    async def lifespan(self, server: Server, /) -> AsyncIterator[None]:
        """Start the handler, then the stages in front of it; stop them in reverse."""
        async with lifespan_of(self._last, server), lifespans(self._stages):
            yield


def compose(stages: Iterable[Stage], last: Handler = unanswered) -> HandlerWithLifespan:
    """Put stages in front of a handler; what none of them answers goes to `last`, which answers 503 by default.

    The result has the lifespans of the stages and of the handler.
    """
    return _Composed(tuple(stages), last)


def lifespan_of(handler: Handler, server: Server) -> AbstractAsyncContextManager[object]:
    """Return the lifespan of a handler, which does nothing for one that has none."""
    if isinstance(handler, HandlerWithLifespan):
        return handler.lifespan(server)
    return nullcontext()


@asynccontextmanager
async def lifespans(stages: Iterable[Stage]) -> AsyncIterator[None]:
    """Enter the lifespan of every stage that has one, in order; leave them in reverse."""
    async with AsyncExitStack() as stack:
        for manager in _managers(stages):
            await stack.enter_async_context(manager)
        yield


def _managers(stages: Iterable[Stage]) -> Iterator[AbstractAsyncContextManager[object]]:
    for stage in stages:
        if isinstance(stage, StageWithLifespan):
            yield stage.lifespan()
