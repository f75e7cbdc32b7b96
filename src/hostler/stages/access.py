"""One line per exchange: what was asked, what became of it, and how long that took."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hostler.errors import Failure, Reason
from hostler.exchange import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.exchange import Exchange
    from hostler.pipeline import Next

__all__ = ["AccessLog"]


class AccessLog:
    """A stage that writes a line when an exchange is over; put it first.

    `write` gets whole lines, newline included, several at once when the server is busy: they are collected until the
    event loop has time. `clock` is seconds for durations.
    """

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._write = write
        self._clock = clock
        self._lines: list[str] = []

    async def __call__(self, exchange: Exchange, onward: Next, /) -> Outcome:
        """Time the exchange, and write its line."""
        began = self._clock()
        try:
            outcome = await onward(exchange)
        except BaseException as error:
            self._keep(_line(exchange, _broken(exchange, error), self._clock() - began))
            raise
        self._keep(_line(exchange, outcome, self._clock() - began))
        return outcome

    def _keep(self, line: str) -> None:
        lines = self._lines
        lines.append(line)
        if len(lines) == 1:
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what has been collected."""
        lines, self._lines = self._lines, []
        if lines:
            self._write("".join(lines))


def _broken(exchange: Exchange, error: BaseException) -> Outcome:
    """Sum up an exchange that ended with an exception: whoever called will answer 500 if a client still waits."""
    stream = exchange.stream
    if not isinstance(error, Exception) or (stream.closed and not stream.started):
        detail = (
            "it was stopped before it was over" if isinstance(error, asyncio.CancelledError) else repr(error)
        )
        return exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CANCELED, detail, error))
    outcome = exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CREATION, repr(error), error, 500))
    if not stream.started:
        outcome.status = 500
    return outcome


_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""Control characters, and whatever else ends a line, as a string literal has them."""


def _line(exchange: Exchange, outcome: Outcome, seconds: float) -> str:
    if outcome.failure is not None:
        failure = str(outcome.failure).translate(_ESCAPED)
        became = f"failed ({failure})"
        if outcome.destination is not None:
            became = f"failed at {outcome.destination} ({failure})"
    elif outcome.kind is Kind.FORWARDED or outcome.kind is Kind.DELEGATED:
        became = f"{outcome.kind.value} to {outcome.destination}"
    else:
        became = outcome.kind.value
    request = exchange.request
    # the target is visible ASCII, or the request would have been refused
    return (
        f"{exchange.client[0]} {request.method} {exchange.host}:{exchange.port} {request.target.decode('latin-1')} "
        f"{outcome.status or '-'} {became}, {outcome.bytes_received} B in, {outcome.bytes_sent} B out, "
        f"{seconds * 1000:.1f} ms\n"
    )
