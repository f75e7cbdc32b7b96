"""A transfer whose response goes through transforms before the client gets it.

States and transitions, beside those of a `Transfer`. What the destination answers is passed on at once where no transform
is a coroutine. Else the transfer is HELD from `answered` on, and from the end of the body where trailers wait: nothing
more is read, what was read already is kept, and the exchange's own task (`run`) awaits the transforms. Then
what was kept is passed on, and it is a transfer like any other. It may be over meanwhile: then nothing is passed on.

A connection that has brought a whole response while the transfer was held belongs to nobody any more, or to another
exchange. So a transfer that is held then has `_Over` for its upstream stream, which nothing reaches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.answering import begin_response
from hostler.client.transfer import SUPERSEDED, Transfer
from hostler.completion import Completion
from hostler.errors import ProtocolError
from hostler.transforms.requests import refuse_managed
from hostler.transforms.responses import (
    failed_transform,
    response_context,
    trailers_context,
    transformed_response,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.http.headers import Headers, RawHeaders
    from hostler.http.message import Response
    from hostler.transforms.compiled import Transforms
    from hostler.transforms.contexts import ResponseTransformContext

__all__ = ["TransformedTransfer"]


class _Over:
    """An upstream stream that has brought its response: nothing is to be told to it (`UpstreamStream`)."""

    def send(self, data: bytes) -> None:
        """Send nothing."""

    def end(self, trailers: RawHeaders) -> None:
        """End nothing."""

    def pause_reading(self) -> None:
        """Read nothing."""

    def resume_reading(self) -> None:
        """Read nothing."""

    def cancel(self) -> None:
        """Cancel nothing."""


class TransformedTransfer(Transfer):
    """A transfer with transforms of the response."""

    _held = False
    _ended_while_held = False
    _trailers: RawHeaders | None = None
    """Those of a response that was complete while the transfer was held."""

    def __init__(self, exchange: Exchange, timeout: float, method: str, transforms: Transforms) -> None:
        super().__init__(exchange, timeout, method)
        self._transforms = transforms
        self._pieces: list[bytes] = []
        self.work: Completion[Callable[[], Awaitable[None]] | None] = Completion()
        """What the exchange's task has to await next, None when the transfer is over."""

    async def run(self) -> Failure | None:
        """Do what the transforms have to wait for, until the transfer is over; its result."""
        try:
            while not self.done():
                await self.work
                work = self.work.result()
                self.work = Completion()
                if work is not None:
                    await work()
            failure: Failure | None = self.result()
            return failure
        finally:
            self.cancel()

    def takes_plain(self) -> bool:
        """Say that the response is to be seen."""
        return False

    def resume(self) -> None:
        """Read on, unless what was read is held."""
        if self._held:
            self._client_paused = False
        else:
            super().resume()

    # -- ExchangeSink: what the destination does ------------------------------------------------------------------

    def answered(self, response: Response, data: bytes) -> None:
        """Transform the response's head and send it on; or hold it until its transforms are done."""
        if self._stream.started:
            self._fail(SUPERSEDED)
            return
        self._response, self._tunnel = response, response.status == 101
        context = response_context(self._exchange, self._transforms, response)
        if self._transforms.response_waits:
            self._pieces.append(data)
            self._hold(lambda: self._transform(context, response))
            return
        try:
            self._transforms.change_response_now(context)
            self._begin(context, response, data)
        except Exception as error:  # noqa: BLE001 - whatever a transform raises is no fault of anybody else
            self._fail(failed_transform(self._exchange, error))

    def ended(self) -> None:
        """Pass on the end of a tunnel's one direction, when what came before has been."""
        if self._held:
            self._ended_while_held = True
        else:
            super().ended()

    def complete(self, trailers: RawHeaders) -> None:
        """Finish the response, with trailers that were transformed."""
        response = self._response
        if self._ended or response is None:
            return
        if self._held:
            self._upstream, self._trailers = _Over(), trailers
        elif self._destination_ended or response.status == 101:
            super().complete(trailers)
        else:
            self._upstream = _Over()
            self._finish(response, trailers)

    # -- holding --------------------------------------------------------------------------------------------------

    def _hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Pass nothing on until `work` is done."""
        self._held = True
        self.received = self._pieces.append
        self._upstream.pause_reading()
        self.work.resolve_soon(work)

    async def _transform(self, context: ResponseTransformContext, response: Response) -> None:
        """Await the transforms of the response, and pass on what was held."""
        try:
            await self._transforms.change_response(context)
            if not self._ended:
                self._release(context, response)
        except Exception as error:  # noqa: BLE001 - as in `answered`
            if not self._ended:
                self._fail(failed_transform(self._exchange, error))

    def _release(self, context: ResponseTransformContext, response: Response) -> None:
        self._held = False
        self.received = self._stream.write
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._begin(context, response, b"" if self._tunnel else data)
        if self._ended:
            return
        if self._tunnel:
            self._stream.write(data)
        if self._ended_while_held:
            super().ended()
        if self._trailers is not None:
            self.complete(self._trailers)
        elif not self._client_paused:
            self._upstream.resume_reading()

    def _begin(self, context: ResponseTransformContext, response: Response, data: bytes) -> None:
        """Send the response's head on; without its body where that is suppressed."""
        made = transformed_response(context, response)
        is_suppressed = context.suppress_body
        try:
            begin_response(self._exchange, made, b"" if is_suppressed else data)
        except ProtocolError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a callback raises is no fault of the transforms
            self._fail_callback(error)
            return
        if not is_suppressed:
            return
        self._ended = True
        self._upstream.cancel()
        self._stream.end()
        self.resolve_soon(None)

    # -- trailers -------------------------------------------------------------------------------------------------

    def _finish(self, response: Response, trailers: RawHeaders) -> None:
        """End the response, now or when the transforms of its trailers are done."""
        context = trailers_context(self._exchange, self._transforms, response, trailers)

        async def transform() -> None:
            await self._transforms.change_trailers(context)
            self._end_well(context.headers)

        try:
            if self._transforms.trailers_wait:
                self.work.resolve_soon(lambda: self._guard(transform()))
                return
            self._transforms.change_trailers_now(context)
            self._end_well(context.headers)
        except Exception as error:  # noqa: BLE001 - as in `answered`
            self._fail(failed_transform(self._exchange, error))

    async def _guard(self, transform: Awaitable[None]) -> None:
        try:
            await transform
        except Exception as error:  # noqa: BLE001 - as in `answered`
            if not self._ended:
                self._fail(failed_transform(self._exchange, error))

    def _end_well(self, trailers: Headers) -> None:
        refuse_managed(trailers)
        if not self._ended:
            self._ended = True
            self._stream.end(trailers.pairs())
            self.resolve(None)

    # -- the end --------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        super()._tell()
        self.work.resolve(None)

    def resolve_soon(self, result: Failure | None) -> None:
        """Be over; what waits goes on in the next turn of the event loop."""
        super().resolve_soon(result)
        self.work.resolve_soon(None)
