"""Running a server's handler: one task an exchange, and an answer whatever becomes of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, field

from hostler.answering import answer_failure
from hostler.contract import Stream
from hostler.errors import Failure, Reason
from hostler.exchange import Outcome
from hostler.pipeline import not_an_outcome
from hostler.server.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Rejection
    from hostler.exchange import Exchange
    from hostler.pipeline import Handler

__all__ = ["Handling", "Served"]

_log: Final = logging.getLogger("hostler.server")
_EAGER: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
CANCEL_TIMEOUT: Final = 5.0
"""Seconds that a cancelled handler has to end."""


class Served(Stream, Protocol):
    """A stream as the server that runs its handler knows it."""

    failure: Failure | None
    """Why the client is gone, or its body no use, once that is so."""

    task: asyncio.Task[None] | None
    """The handler's task, while it runs and is not the current one."""

    @property
    def is_tunnel(self) -> bool:
        """Whether the connection was upgraded and is still open."""

    def hang_up(self) -> None:
        """End an upgraded connection that its handler is done with."""

    def handled(self) -> None:
        """Called when the handler has returned, or raised."""


@define(eq=False)
class Handling:
    """The handler of one server, and its exchanges under way."""

    handler: Handler
    on_reject: Callable[[Rejection], object] | None = None
    """Called with what the server answers itself, and the handler never sees."""

    loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop)
    tasks: Pending[asyncio.Task[None]] = field(factory=Pending, init=False)
    _context: contextvars.Context = field(factory=contextvars.copy_context, init=False)
    """What every handler starts from; not what another handler left."""

    def begin(self, exchange: Exchange, stream: Served) -> None:
        """Run the handler on an exchange; it starts at once where Python can do that."""
        task: asyncio.Task[None] = asyncio.Task(
            self._serve(exchange, stream), loop=self.loop, context=self._context.copy(), **_EAGER
        )
        if not task.done():
            self.tasks.add(task)
        stream.task = task

    def rejected(self, rejection: Rejection) -> None:
        """Note that the server has answered what is no request, or not for it."""
        _log.info("%s:%d: %d: %s", *rejection.client, rejection.error.status, rejection.error)
        if self.on_reject is not None:
            self.on_reject(rejection)

    async def _serve(self, exchange: Exchange, stream: Served) -> None:
        try:
            outcome: object = await self.handler(exchange)
        except asyncio.CancelledError:
            stream.abort()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its 500
            if stream.failure is not None and isinstance(error, ConnectionError):
                _log.info("%s %s: %s", exchange.request.method, exchange.path, stream.failure)
                _give_up(exchange, stream.failure)
            else:
                _log.exception("%s %s failed in the handler", exchange.request.method, exchange.path)
                _give_up(exchange, Failure(Reason.REQUEST_CREATION, repr(error), error, 500))
        else:
            if stream.is_tunnel:
                stream.hang_up()
            elif not stream.closed:
                if stream.failure is None:
                    _log.error(
                        "%s %s: the handler left it unanswered", exchange.request.method, exchange.path
                    )
                _give_up(
                    exchange, stream.failure or Failure(Reason.REQUEST_CREATION, "unanswered", None, 500)
                )
            elif not isinstance(outcome, Outcome):
                _log.error(
                    "%s %s: %s", exchange.request.method, exchange.path, not_an_outcome(self.handler, outcome)
                )
        finally:
            stream.handled()
            if stream.task is not None:
                self.tasks.discard(stream.task)
                stream.task = None

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
        await asyncio.wait(list(self.tasks), timeout=CANCEL_TIMEOUT)


def _give_up(exchange: Exchange, failure: Failure) -> None:
    """Answer an exchange that its handler did not answer."""
    try:
        answer_failure(exchange, failure)
    except Exception:  # noqa: BLE001 - whatever a callback raises, the client must not wait
        _log.exception("%s %s: its callbacks failed", exchange.request.method, exchange.path)
        exchange.stream.abort()
