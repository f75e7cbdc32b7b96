"""A route's transforms, compiled: what is copied of a message's headers, and what is called to change it.

The copy comes first, then what YARP does by default, then the transforms in the order in which they are configured.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from hostler.errors import Failure, ProtocolError, Reason
from hostler.outcome import Kind, Outcome
from hostler.transforms.contexts import RequestTransformContext
from hostler.transforms.forwarded import DefaultForwarders
from hostler.transforms.requests import delegated_request, forwarded_request, transform_request
from hostler.transforms.responses import answer_transformed_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.client.address import DestinationAddress
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request
    from hostler.transforms.contexts import (
        ResponseTrailersTransformContext,
        ResponseTransformContext,
    )

__all__ = ["DEFAULT_FORWARDERS", "Copied", "Transforms", "waits"]

Function: TypeAlias = "Callable[[Any], Any]"


@frozen
class Copied:
    """Which headers of a message are passed on, before transforms change them."""

    all: bool = True
    """Those that a proxy passes on by default."""

    allowed: frozenset[bytes] = frozenset()
    """These, in lower case, whether a proxy passes them on or not."""


@frozen(kw_only=True)
class Transforms:
    """The transforms of a route, or of an exchange that is forwarded directly; `reading.make_transforms` makes them."""

    request: tuple[Function, ...] = ()
    response: tuple[Function, ...] = ()
    trailers: tuple[Function, ...] = ()
    request_headers: Copied = Copied()
    response_headers: Copied = Copied()
    response_trailers: Copied = Copied()
    added_when_delegated: RawHeaders = field(factory=list)
    """What is added to the answer of whoever an exchange is delegated to."""

    response_waits: bool = field(init=False)
    """Whether the response waits for its transforms."""

    trailers_wait: bool = field(init=False)
    concern_requests: bool = field(init=False)
    """Whether anything is done to requests beyond what every proxy does."""

    concern_responses: bool = field(init=False)
    """Whether anything is done to responses."""

    @response_waits.default
    def _response_waits(self) -> bool:
        return any(map(waits, self.response))

    @trailers_wait.default
    def _trailers_wait(self) -> bool:
        return any(map(waits, self.trailers))

    @concern_requests.default
    def _concern_requests(self) -> bool:
        return self.request != DEFAULT_FORWARDERS or Copied() != self.request_headers

    @concern_responses.default
    def _concern_responses(self) -> bool:
        return (
            bool(self.response or self.trailers)
            or Copied() != self.response_headers
            or Copied() != self.response_trailers
        )

    @property
    def of_requests(self) -> Transforms:
        """Those of requests alone, for a request whose answer nobody gets."""
        return Transforms(request=self.request, request_headers=self.request_headers)

    async def change_request(self, context: RequestTransformContext) -> Outcome | None:
        """Change an outgoing request; an Outcome when a transform has answered the exchange. What one raises passes."""
        exchange = context.exchange
        stream = exchange.stream
        for function in self.request:
            returned = function(context)
            if returned is not None and inspect.isawaitable(returned):
                returned = await returned
            if isinstance(returned, Outcome):
                return returned
            if stream.started:
                return exchange.outcome(Kind.RESPONDED)
        return None

    async def apply_to_forwarded(
        self, exchange: Exchange, destination_prefix: str
    ) -> RequestTransformContext | Outcome | Failure:
        """Change the request that goes to a destination; an Outcome where a transform has answered."""
        return await transform_request(exchange, self, destination_prefix)

    @staticmethod
    def forwarded_request(context: RequestTransformContext, address: DestinationAddress) -> Request:
        """Return the request that is sent to `address` then; raises ProtocolError where it cannot be sent."""
        return forwarded_request(context, address)

    async def answer_failure(self, exchange: Exchange, failure: Failure) -> None:
        """Answer a failure with what the transforms make of the answer."""
        await answer_transformed_failure(exchange, self, failure)

    async def apply_to_delegated(self, exchange: Exchange, url_prefix: str) -> Outcome | None:
        """Make the request that a process under `url_prefix` is to answer; an Outcome when it is answered already.

        What is `added_when_delegated` travels with it. The other transforms of responses cannot.
        """
        made = await transform_request(exchange, self, url_prefix)
        if isinstance(made, RequestTransformContext):
            try:
                exchange.transformed = delegated_request(made)
            except ProtocolError as error:
                made = Failure(Reason.REQUEST_CREATION, str(error), error)
            else:
                return None
        return made if isinstance(made, Outcome) else await exchange.fail(made)

    async def change_response(self, context: ResponseTransformContext) -> None:
        """Change a response. What a transform raises passes."""
        await _call(self.response, context)

    async def change_trailers(self, context: ResponseTrailersTransformContext) -> None:
        """Change a response's trailers. What a transform raises passes."""
        await _call(self.trailers, context)

    def change_response_now(self, context: ResponseTransformContext) -> None:
        """Change a response that waits for nobody."""
        _call_now(self.response, context)

    def change_trailers_now(self, context: ResponseTrailersTransformContext) -> None:
        """Change trailers that wait for nobody."""
        _call_now(self.trailers, context)


DEFAULT_FORWARDERS: Final[tuple[Function, ...]] = (DefaultForwarders(),)
"""What is said of clients where no transform says otherwise."""


def waits(function: Function) -> bool:
    """Tell whether a transform is an `async def` function, or an object with such a `__call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - its function, not whether it can be called
    )


async def _call(functions: Iterable[Function], context: object) -> None:
    for function in functions:
        returned = function(context)
        if returned is not None and inspect.isawaitable(returned):
            await returned


def _call_now(functions: Iterable[Function], context: object) -> None:
    for function in functions:
        returned = function(context)
        if returned is not None and inspect.isawaitable(returned):
            if inspect.iscoroutine(returned):
                returned.close()
            raise TypeError(
                f"{function!r} returned an awaitable: write it as `async def`, so that the response waits for it"
            )
