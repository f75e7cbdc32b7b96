"""Running a server's handler: at most one task an exchange, and an answer whatever becomes of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from attrs import define, field

from hostler.answering import answer_failure
from hostler.contract import Stream
from hostler.direct import DirectAnswer
from hostler.errors import Failure, Reason
from hostler.outcome import Outcome
from hostler.pipeline import is_ours, not_an_outcome
from hostler.server.pending import Pending
from hostler.task import DirectTask, awaiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Rejection
    from hostler.exchange import Exchange
    from hostler.pipeline import Handler
    from hostler.server.placing import Placing

__all__ = ["ExchangeTask", "Handling", "Served"]

_log: Final = logging.getLogger("hostler.server")
_new: Final = object.__new__
CANCEL_TIMEOUT: Final = 5.0
"""Seconds that a cancelled handler has to end."""


class Served(Stream, Protocol):
    """A stream as the server that runs its handler knows it."""

    failure: Failure | None
    """Why the client is gone, or its body no use, once that is so."""

    @property
    def is_tunnel(self) -> bool:
        """Whether the connection was upgraded and is still open."""

    def hang_up(self) -> None:
        """End an upgraded connection that its handler is done with."""

    @property
    def placing(self) -> Placing | None:
        """Says where the request is placed; None where another process has said that, and whom it is from."""

    @property
    def handled(self) -> Callable[[], None] | None:
        """Called when the handler has returned, or raised; None where nobody wants to know."""


class ExchangeTask(DirectTask):
    """A handler that answers one exchange."""

    _handling: Handling
    _exchange: Exchange
    _stream: Served

    def __repr__(self) -> str:
        return f"<ExchangeTask {self._exchange.method} {self._exchange.path}>"

    def returned(self, value: object) -> None:
        """See to it that the client has an answer."""
        stream = self._stream
        if stream.closed and isinstance(value, Outcome) and stream.handled is None:
            tasks = self._handling.tasks
            set.discard(tasks, self)
            if tasks.waiters:
                tasks.wake()
            return
        try:
            _see_to_answer(self._exchange, stream, value, self._handling.handler)
        finally:
            self._handling.over(self, stream)

    def raised(self, error: BaseException) -> None:
        """Answer 500 for what a handler raised, unless its client is gone or the program is to end."""
        try:
            _answer_error(self._exchange, self._stream, error)
        finally:
            self._handling.over(self, self._stream)


def _see_to_answer(exchange: Exchange, stream: Served, value: object, handler: Handler) -> None:
    """See to it that the client has an answer, whatever a handler has returned."""
    if stream.is_tunnel:
        stream.hang_up()
    elif not stream.closed:
        if stream.failure is None:
            _log.error("%s %s: the handler left it unanswered", exchange.method, exchange.path)
        _give_up(exchange, stream.failure or Failure(Reason.REQUEST_CREATION, "unanswered", None, 500))
    elif not isinstance(value, Outcome):
        _log.error("%s %s: %s", exchange.method, exchange.path, not_an_outcome(handler, value))


def _answer_error(exchange: Exchange, stream: Served, error: BaseException) -> None:
    """Answer 500 for what a handler raised, unless its client is gone or the program is to end."""
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
        stream.abort()
    elif stream.failure is not None and isinstance(error, ConnectionError):
        _log.info("%s %s: %s", exchange.method, exchange.path, stream.failure)
        _give_up(exchange, stream.failure)
    else:
        _log.error("%s %s failed in the handler", exchange.method, exchange.path, exc_info=error)
        _give_up(exchange, Failure(Reason.REQUEST_CREATION, repr(error), error, 500))


def _give_up(exchange: Exchange, failure: Failure) -> None:
    """Answer an exchange that its handler did not answer."""
    try:
        answer_failure(exchange, failure)
    except Exception:  # noqa: BLE001 - whatever a callback raises, the client must not wait
        _log.exception("%s %s: its callbacks failed", exchange.method, exchange.path)
        exchange.stream.abort()


async def _raising(error: BaseException) -> NoReturn:
    raise error


@define(eq=False)
class Handling:
    """The handler of one server, and its exchanges under way.

    A handler of hostler's own is called outside of any task: what it calls of others is in coroutines. If it returns a
    `DirectAnswer`, no task is needed, and `resume` is called when it is over. Whatever else it returns is run in a task.
    """

    handler: Handler
    on_reject: Callable[[Rejection], object] | None = None
    """Called with what the server answers itself, and the handler never sees."""

    loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop)
    tasks: Pending[ExchangeTask | DirectAnswer] = field(factory=Pending, init=False)
    context: contextvars.Context = field(factory=contextvars.copy_context, init=False)
    """What every handler starts from; not what another handler left."""

    _directly: Callable[[Exchange], object] | None = field(init=False)
    """The handler, where it is hostler's own: its method, which is called faster than an object that has one."""

    @_directly.default
    def _handler_of_ours(self) -> Callable[[Exchange], object] | None:
        if not is_ours(self.handler):
            return None
        call: Callable[[Exchange], object] = self.handler.__call__  # type: ignore[operator]
        return call

    def begin(self, exchange: Exchange, stream: Served) -> None:
        """Run the handler on an exchange; it starts at once, unless a task is running."""
        begun: Any = None
        directly = self._directly
        if directly is not None:
            try:
                begun = directly(exchange)
            except BaseException as error:  # noqa: BLE001 - as if it were a coroutine that raises
                begun = _raising(error)
            if isinstance(begun, DirectAnswer):
                self.tasks.add(begun)
                if begun._over:
                    self.resume(begun)
                else:
                    begun.waiter = self
                return
            if type(begun) is not CoroutineType:
                begun = awaiting(begun)
        # what __init__ would set, without a call of it for each exchange
        task = _new(ExchangeTask)
        task._loop = self.loop
        task._context = context = self.context.copy()
        task._function = self.handler
        task._argument = task._exchange = exchange
        task._over = task._registered = task._must_cancel = False
        task._result = task._callbacks = task.waiter = task._fut_waiter = None
        task._coroutine = begun
        task._handling = self
        task._stream = stream
        self.tasks.add(task)
        context.run(task.step, None)

    # -- Resumable: what a direct answer tells at its end ---------------------------------------------------------

    def resume(self, answer: Any, /) -> None:
        """See to it that the client has an answer."""
        stream: Served = answer._stream
        if stream.closed and stream.handled is None and answer._error is None:
            tasks = self.tasks
            set.discard(tasks, answer)
            if tasks.waiters:
                tasks.wake()
            return
        exchange = answer._exchange
        try:
            try:
                outcome = answer.result()
            except BaseException as error:  # noqa: BLE001 - of a callback, or cancelled
                _answer_error(exchange, stream, error)
            else:
                _see_to_answer(exchange, stream, outcome, self.handler)
        finally:
            self.over(answer, stream)

    def resume_soon(self, answer: Any, /) -> None:
        """Do the same in the next turn of the event loop."""
        self.loop.call_soon(self.resume, answer)

    def get_context(self) -> contextvars.Context:
        """Return a context that no handler has changed."""
        return self.context.copy()

    def over(self, task: object, stream: Served) -> None:
        """Be done with an exchange."""
        if stream.handled is not None:
            stream.handled()
        self.tasks.discard(task)

    def rejected(self, rejection: Rejection) -> None:
        """Note that the server has answered what is no request, or not for it."""
        host, port = rejection.client
        _log.info("%s:%d: %d: %s", host or "unix", port, rejection.error.status, rejection.error)
        if self.on_reject is not None:
            self.on_reject(rejection)

    def cancel(self) -> None:
        """Cancel what is under way."""
        for task in list(self.tasks):
            task.cancel()

    async def abort(self, grace: float) -> None:
        """Cancel what was not over after `grace` seconds, and give it a moment to end."""
        if not self.tasks:
            return
        _log.warning("%d exchanges were not over after %g s and are aborted", len(self.tasks), grace)
        self.cancel()
        try:
            async with asyncio.timeout(CANCEL_TIMEOUT):
                await self.tasks.emptied()
        except TimeoutError:
            _log.warning("%d exchanges do not let themselves be cancelled", len(self.tasks))
