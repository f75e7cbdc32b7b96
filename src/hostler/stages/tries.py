"""The tries of an exchange that is sent again.

Theory of operation. Each try goes onward with a `Try` in the place of the exchange's stream. It is asked of everything
that would reach the client for the first time: of a response's head, as any stream is, and of a failure that is about to
be answered (`Exchange.intercept_failure`). It lets it through, and from then on passes everything on; or it refuses it,
and another try follows. What still comes of a refused response is thrown away; where that is not over at once, its
connection is given up. What has been sent of the request's body is kept by one `Recording` for all tries. The callbacks
of `on_response` that are there when the stage begins see the response that is let through, and no other; those that a
try registers are forgotten with it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.answering import AddedHeaders
from hostler.errors import Failure, Reason
from hostler.outcome import Kind
from hostler.stages.balance import place
from hostler.stages.recording import Recording
from hostler.stages.wrapped import WrappedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hostler.contract import Delegated, Pump, RequestSource, Stream
    from hostler.deadline import Timer
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.server.base import DelegationRule
    from hostler.stages.balance import Randomness
    from hostler.stages.retry import RetryPolicy

__all__ = ["Tries", "Try"]

_log: Final = logging.getLogger("hostler.stages.retry")

_PAUSE: Final = 0.025
_LONGEST_PAUSE: Final = 0.25
"""Seconds, at most, before a destination is tried again: doubled from the first with each such try."""

_CONTINUE: Final = 100


class Tries:
    """The tries of one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        policy: RetryPolicy,
        onward: Next,
        randomness: Randomness,
        clock: Callable[[], float],
        call_later: Callable[..., Timer],
    ) -> None:
        self.exchange = exchange
        self.policy = policy
        self.stream: Stream = exchange.stream
        """That of the exchange."""
        self.recording = Recording(policy.definition.max_body_size)
        self.callbacks = exchange._response_callbacks or []
        """What the stages in front have registered."""
        self.is_continued = False
        """The client has been told to send its body."""
        self._onward = onward
        self._randomness = randomness
        self._cluster = exchange.cluster
        self._offered = exchange.candidates
        self._tried: list[LiveDestination] = []
        self._count = 0
        self._rounds = 0
        self._clock = clock
        self._call_later = call_later
        timeout = policy.definition.timeout
        self._limit = None if timeout is None else self._clock() + timeout

    async def answer(self) -> Outcome:
        """Go onward until a try is not refused."""
        exchange = self.exchange
        self.policy.budget.add_request()
        try:
            while True:
                outcome = await self._try()
                if outcome is not None:
                    return outcome
                await self._prepare()
                if self.stream.closed:
                    return exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CANCELED))
        finally:
            exchange.stream, exchange.intercept_failure = self.stream, None
            if not self.stream.started:  # whoever answers now has all callbacks
                exchange._response_callbacks = [
                    *self.callbacks,
                    *(exchange._response_callbacks or ()),
                ] or None

    async def _try(self) -> Outcome | None:
        """Go onward once; returns None when another try is to follow."""
        exchange = self.exchange
        self._count += 1
        current = Try(self, self.recording)
        exchange.stream, exchange.intercept_failure = current, current.intercept
        exchange._response_callbacks = None
        timer = None
        if (seconds := self._seconds()) is not None:
            timer = self._call_later(seconds, current.expire, seconds)
        try:
            outcome = await self._onward(exchange)
        finally:
            if timer is not None:
                timer.cancel()
            if not current.refused:
                current.release(exchange)
        if not current.refused:
            return outcome
        current.detach()
        _log.info(
            "%s: try %d of %d, at %s, ended with %s; trying again",
            place(exchange), self._count, self.policy.definition.max_attempts,
            chosen.name if (chosen := _chosen(exchange)) else "no destination", current.failure or current.status,
        )  # fmt: skip
        return None

    def _seconds(self) -> float | None:
        """Return how long the next try may take until its response begins, None for as long as it likes."""
        limits = [self.policy.definition.try_timeout]
        if self._limit is not None:
            limits.append(max(0.0, self._limit - self._clock()))
        given = [limit for limit in limits if limit is not None]
        return min(given) if given else None

    async def _prepare(self) -> None:
        """Choose the candidates of the next try: those that were not tried; after a pause all, when each has been."""
        exchange, cluster = self.exchange, self._cluster
        if (chosen := _chosen(exchange)) is not None:
            self._tried.append(chosen)
        exchange.destination, exchange.cluster = None, cluster
        left = self._left()
        if not left:
            self._tried.clear()
            longest = min(_LONGEST_PAUSE, _PAUSE * 2**self._rounds)
            self._rounds += 1
            await asyncio.sleep(longest * self._randomness.random())
            left = self._left()
        exchange.candidates = left

    def _left(self) -> tuple[LiveDestination, ...]:
        wanted = set(self._possible(can_delegate=self.stream.can_delegate)).difference(self._tried)
        return tuple(candidate for candidate in self._offered if candidate in wanted)

    def _possible(self, *, can_delegate: bool) -> Sequence[LiveDestination]:
        """Return the destinations that can have the request: those of queues while nothing of its body has been read."""
        available = self._offered if self._cluster is None else self._cluster.available
        if can_delegate and self.recording.is_untouched:
            return available
        return [item for item in available if item.config.queue is None]

    def may_refuse(self, current: Try) -> bool:
        """Whether another try may follow this one; if so, it is taken of the budget."""
        exchange, policy = self.exchange, self.policy
        return (
            self._count < policy.definition.max_attempts
            and not self.stream.closed
            and not self.recording.is_too_large
            and exchange._channel is None
            and (not current.was_sent or policy.may_repeat(exchange.method))
            and (self._limit is None or self._clock() < self._limit)
            and bool(self._possible(can_delegate=True))
            and policy.budget.take()
        )


def _chosen(exchange: Exchange) -> LiveDestination | None:
    """Return where a try went, or waited for its turn."""
    candidates = exchange.candidates
    return exchange.destination or (candidates[0] if len(candidates) == 1 else None)


class Try(WrappedStream):
    """The stream of one try: it lets an answer through, or refuses it (see the module)."""

    def __init__(self, tries: Tries, recording: Recording) -> None:
        super().__init__(tries.stream, recording)
        recording.rewind()
        self._tries = tries
        self._departed: Callable[[Failure], object] | None = None
        self._pump: Pump | None = None
        self._refused_status = 0
        self._refused_is_over = False
        self.was_sent = False
        """Some of the request may have reached a destination."""
        self.let_through = False
        self.failure: Failure | None = None
        """What was refused, where that was a failure."""

    @property
    def refused(self) -> bool:
        """Whether another try is to follow."""
        return self._refused_status != 0

    @property
    def started(self) -> bool:
        """Whether a response's head has been handed over, be it to nobody."""
        return self.refused or self._inner.started

    @property
    def closed(self) -> bool:
        """Whether the client has disconnected, or the response is complete, be it for nobody."""
        return self._refused_is_over or self._inner.closed

    @property
    def status(self) -> int:
        """The status that the client got, or would have got."""
        return self._refused_status or self._inner.status

    @property
    def takes_plain(self) -> bool:
        """Whether a response's head may come as bytes: where nobody in front wants to see it."""
        return self._inner.takes_plain and not self._tries.callbacks

    # -- what is refused ------------------------------------------------------------------------------------------

    def intercept(self, failure: Failure) -> bool:
        """Refuse a failure before it is answered, if that may be (`Exchange.intercept_failure`)."""
        tries = self._tries
        if self.started or not tries.policy.covers(failure) or not tries.may_refuse(self):
            return False
        self.failure, self._refused_status, self._refused_is_over = failure, failure.status, True
        return True

    def _refuses(self, status: int) -> bool:
        if status not in self._tries.policy.statuses or not self._tries.may_refuse(self):
            return False
        self._refused_status = status
        # what comes in the same turn of the loop comes; for the rest nobody waits
        asyncio.get_running_loop().call_soon(self._give_up_rest)
        return True

    def _give_up_rest(self) -> None:
        if not self._refused_is_over and self._pump is not None:
            self._pump.lost(Failure(Reason.RESPONSE_BODY_CANCELED, "another destination is tried"))

    def expire(self, seconds: float) -> None:
        """End the try, unless its answer is on its way."""
        if self.let_through or self.refused:
            return
        failure = Failure(Reason.REQUEST_TIMED_OUT, f"no answer within the {seconds:g} s of a try")
        if self._pump is not None:
            self._pump.lost(failure)
        elif self._departed is not None:
            self._departed(failure)

    def release(self, exchange: Exchange) -> None:
        """Let go of whoever answered."""
        self._pump = self._departed = None
        super().release(exchange)

    # -- Stream ---------------------------------------------------------------------------------------------------

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, what an earlier try has had of it first."""
        self.was_sent = True
        self._pump = pump
        super().attach(pump, knows_end)

    def detach(self) -> None:
        """Keep the body for the next pump."""
        self._pump = None
        super().detach()

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects, or the try's time is over."""
        self._departed = callback
        super().when_departed(callback)

    def start(self, response: Response, data: bytes = b"") -> None:
        """Let a response through, or refuse it."""
        if self._refuses(response.status):
            return
        self._let_through()
        callbacks = self._tries.callbacks
        if callbacks:
            self._tries.callbacks = []
            for callback in callbacks:
                callback(response.headers.raw)
        super().start(response, data)

    def start_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool
    ) -> None:
        """Let a plain response through, or refuse it."""
        if self._refuses(status):
            self._refused_is_over = complete
            return
        self._let_through()
        super().start_plain(status, block, has_date, framing, data, complete)

    def _let_through(self) -> None:
        self.let_through = True
        self._recording.forget()

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Send an interim response, but no second 100 Continue."""
        if status != _CONTINUE or not self._tries.is_continued:
            self._tries.is_continued = self._tries.is_continued or status == _CONTINUE
            self._inner.inform(status, headers)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if not self.refused:
            self._inner.write(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Have the system send a part of a file as a piece of the body; False where that cannot be done."""
        return self.refused or self._inner.write_file(file, offset, length)

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body."""
        if self.refused:
            self._refused_is_over = True
        else:
            self._inner.end(trailers)

    def abort(self) -> None:
        """Tear the response down."""
        if self.refused:
            self._refused_is_over = True
        else:
            self._inner.abort()

    async def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Delegated | Failure:
        """Hand the request over, with what callbacks of the stages in front add to the answer."""
        self.was_sent = True
        added = AddedHeaders()
        for callback in self._tries.callbacks:
            callback(added)
        return await self._inner.delegate(rule, source, [*headers, *added.added])
