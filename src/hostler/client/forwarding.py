"""Forwarding without a coroutine: a plain request, on a connection that was waiting for it.

A `Forwarding` is the transfer, and the exchange's `DirectAnswer`. It is under way from the moment in which it is made.
When the transfer ends well, it is over at once. When the transfer fails, the failure is answered in the next turn of the
event loop. When the connection was a stale one, the exchange is sent again the ordinary way, in a task, and the
forwarding is over when that is. Whoever cancels it, cancels whichever of these is under way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from hostler.client.transfer import RETRY, Transfer
from hostler.direct import DirectAnswer
from hostler.outcome import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from hostler.config.model import Destination
    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination

__all__ = ["Forwarding", "OrdinaryWay"]

_FORWARDED = Kind.FORWARDED


class OrdinaryWay(Protocol):
    """Whoever forwards what did not go well at first: `hostler.client.forwarder.Forwarder`."""

    def send_again(self, exchange: Exchange, config: Destination, /) -> Coroutine[Any, Any, Outcome]:
        """Forward on connections that may have to be opened."""
        ...

    def answer_failure(self, exchange: Exchange, address: str, failure: Failure, /) -> Outcome:
        """Answer a failure, and log it."""
        ...


class Forwarding(DirectAnswer, Transfer):
    """A transfer that answers its exchange; it counts among the destination's exchanges in flight until it is over."""

    _again: asyncio.Task[Outcome] | None = None

    def __init__(
        self,
        way: OrdinaryWay,
        exchange: Exchange,
        destination: LiveDestination,
        config: Destination,
        timeout: float,
        method: str,
    ) -> None:
        """`config` is the destination's, which has another one after a reload; the rest is as for a `Transfer`."""
        # what Transfer.__init__ does, without a call of it for each request
        self._over = self._ended = self._sent = self._destination_paused = False
        self._result = self._callbacks = self.waiter = self._response = self._error = None
        self._exchange = exchange
        self._stream = stream = exchange.stream
        self._timeout = timeout
        self._method = method
        self.received = stream.write
        self._way = way
        self._destination = destination
        self._config = config
        destination.in_flight += 1

    def result(self) -> Outcome:
        """Return the outcome, which is made when it is first asked for."""
        if not self._over or self._result is not None or self._error is not None or self._cancelled:
            try:
                return super().result()
            finally:
                del self  # which keeps what is raised, whose traceback has this frame
        stream, address = self._stream, self._config.address
        outcome = Outcome(_FORWARDED, stream.status, address, stream.bytes_received, stream.bytes_sent)
        self._result = outcome
        return outcome

    def _tell(self) -> None:
        self._destination.in_flight -= 1
        # what Completion._tell does, without a call of it for each request
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.resume(self)
        if self._callbacks is not None:
            self._call_back()

    def cancel(self, msg: object = None) -> bool:
        """Give up: whoever waited for the end is cancelled."""
        if self._over:
            return False
        self._destination.in_flight -= 1
        if self._again is not None:
            self._again.cancel()
        return super().cancel(msg)

    # -- when it does not go well ---------------------------------------------------------------------------------

    def _settle(self, failure: Failure) -> None:
        """Have the failure answered and logged as if by whoever waits: in that context, not in the connection's."""
        waiter, callbacks = self.waiter, self._callbacks
        context = waiter.get_context() if waiter is not None else callbacks[0][1] if callbacks else None
        asyncio.get_running_loop().call_soon(self._conclude, failure, context=context)

    def _conclude(self, failure: Failure) -> None:
        """Answer a failure, or send the exchange again."""
        if self._over:
            return
        exchange, config = self._exchange, self._config
        if failure is RETRY:
            self._again = asyncio.create_task(self._way.send_again(exchange, config))
            self._again.add_done_callback(self._sent_again)
            return
        try:
            outcome = self._way.answer_failure(exchange, config.address, failure)
        except Exception as error:  # noqa: BLE001 - what a callback raises is raised where this is awaited
            self._fail_with(error)
        else:
            self.resolve(outcome)
        finally:
            del self  # as in `result`

    def _sent_again(self, task: asyncio.Task[Outcome]) -> None:
        self._again = None
        if task.cancelled():
            self.cancel()
        elif (error := task.exception()) is not None:
            self._fail_with(error)
        else:
            self.resolve(task.result())
