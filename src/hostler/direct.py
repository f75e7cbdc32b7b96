"""An exchange that is answered without a coroutine, and so without a task: by callbacks alone.

To whoever awaits it, it is an awaitable like any other, a future and a coroutine at once: a stage may await it, put a
timeout around it, or make a task of it. Where nobody does, because no stage stands in front of it, the server that
began the exchange is told of the end itself (`hostler.server.handling`). Then no task is made, no coroutine, and no
outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from hostler.completion import Completion
from hostler.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from hostler.contract import Stream
    from hostler.exchange import Exchange

__all__ = ["DirectAnswer"]


class DirectAnswer(Completion[Outcome]):
    """The answer to an exchange, under way; over with the exchange's outcome, or with what a callback raised."""

    _error: BaseException | None
    """What a callback raised."""

    _exchange: Exchange
    _stream: Stream

    def _fail_with(self, error: BaseException) -> None:
        """Be over with an error, which is raised where it is awaited."""
        if not self._over:
            self._error = error
            self._over = True
            self._tell()

    # -- a future -------------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Outcome]:  # type: ignore[override] # for its result
        """Wait until it is over; return the outcome."""
        try:
            if not self._over:
                self._asyncio_future_blocking = True
                yield self
            return self.result()
        finally:
            del self  # as in `result`

    def result(self) -> Outcome:
        """Return the outcome, or raise what a callback raised; raises InvalidStateError while there is none."""
        if self._error is None:
            return super().result()
        try:
            raise self._error
        finally:
            del self  # which keeps the error, whose traceback has this frame

    def exception(self) -> BaseException | None:
        """Return what a callback raised."""
        return super().exception() if self._error is None else self._error

    # -- a coroutine, for `asyncio.create_task` -------------------------------------------------------------------

    def send(self, value: None, /) -> Completion[Outcome]:
        """Go on until something has to be waited for, which is itself; raises StopIteration with the outcome."""
        if self._over:
            raise StopIteration(self.result())
        self._asyncio_future_blocking = True
        return self

    def throw(self, error: BaseException, /, *_: object) -> NoReturn:
        """Give up, and raise an error."""
        self.cancel()
        raise error

    def close(self) -> None:
        """Give up."""
        self.cancel()
