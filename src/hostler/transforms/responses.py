"""Responses with transforms: what transforms get of a response or of its trailers, and what the client gets afterwards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.answering import answer_failure, begin_response, failure_response, finish_response
from hostler.client.outgoing import outgoing_response, outgoing_response_trailers
from hostler.errors import Failure, ProtocolError, Reason, Side
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.transforms.contexts import MANAGED, ResponseTrailersTransformContext, ResponseTransformContext
from hostler.transforms.requests import refuse_managed

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.transforms.compiled import Transforms

__all__ = [
    "answer_transformed_failure",
    "failed_transform",
    "response_context",
    "trailers_context",
    "transformed_response",
]

_log: Final = logging.getLogger("hostler.transforms")

_BODILESS: Final = frozenset({204, 205, 304})


def response_context(
    exchange: Exchange, transforms: Transforms, response: Response
) -> ResponseTransformContext:
    """Return what transforms get of a destination's response."""
    copied = transforms.response_headers
    headers = outgoing_response(response).headers.without(MANAGED) if copied.all else Headers(None, {})
    if copied.allowed:
        passed = {name for name, _ in headers.lower_pairs()}
        for name, value in response.headers.only(copied.allowed - MANAGED - passed):
            headers.add(name, value)
    return ResponseTransformContext(
        exchange=exchange,
        response=response,
        status=response.status,
        headers=headers,
        headers_copied=copied.all,
    )


def transformed_response(context: ResponseTransformContext, came: Response) -> Response:
    """Return what the client gets; raises ProtocolError where it cannot be sent."""
    refuse_managed(context.headers)
    status = context.status
    if came.status == 101:
        if status != 101 or context.suppress_body:
            raise ProtocolError(
                "a transform changed the status of an upgraded connection: leave it as it came"
            )
    elif not 200 <= status <= 999:
        raise ProtocolError(f"a transform set the status {status}, which is not that of a final response")
    kept = outgoing_response(came).headers.only(MANAGED)
    framing, reason = came.framing, came.reason if status == came.status else None
    if context.suppress_body or (status != came.status and status in _BODILESS):
        context.suppress_body = True
        kept, framing = [], 0
    elif status != came.status and came.status in _BODILESS:
        kept = []  # the length of what a 304 stands for
    headers = Headers(None, {})
    headers.extend(context.headers)
    for name, value in kept:
        headers.add(name, value)
    return Response(status, headers, framing, reason)


def trailers_context(
    exchange: Exchange, transforms: Transforms, response: Response, trailers: RawHeaders
) -> ResponseTrailersTransformContext:
    """Return what transforms get of a response's trailers."""
    if not trailers:
        return ResponseTrailersTransformContext(exchange=exchange, response=response, headers=Headers())
    copied = transforms.response_trailers
    kept = outgoing_response_trailers(response, trailers) if copied.all else []
    allowed = copied.allowed - MANAGED - {b"trailer", b"host"}
    kept += [pair for pair in trailers if pair[0].lower() in allowed and pair not in kept]
    return ResponseTrailersTransformContext(exchange=exchange, response=response, headers=Headers(kept))


def failed_transform(exchange: Exchange, error: Exception) -> Failure:
    """Return what a transform of the response fails its exchange with; its traceback is logged."""
    if isinstance(error, ProtocolError):
        return Failure(Reason.RESPONSE_HEADERS, str(error), error, side=Side.PROXY)
    _log.error("%s %s: a transform of the response failed", exchange.method, exchange.path, exc_info=error)
    return Failure(Reason.RESPONSE_HEADERS, f"a transform failed: {error!r}", error, side=Side.PROXY)


async def answer_transformed_failure(exchange: Exchange, transforms: Transforms, failure: Failure) -> None:
    """Answer a failure with what transforms make of the answer, unless they have had their turn or it has begun."""
    if not _can_be_answered(exchange) or failure.reason is Reason.RESPONSE_HEADERS:
        answer_failure(exchange, failure)
        return
    if exchange.intercept_failure is not None and exchange.intercept_failure(failure):
        return
    response, body = failure_response(failure)
    try:
        response, body = await _transformed_failure(exchange, transforms, response, body)
    except Exception as error:  # noqa: BLE001 - whatever a transform raises, the client has an answer
        failed_transform(exchange, error)
    if _can_be_answered(exchange):
        begin_response(exchange, response, body)
        finish_response(exchange)


def _can_be_answered(exchange: Exchange) -> bool:
    return not exchange.stream.started and not exchange.stream.closed


async def _transformed_failure(
    exchange: Exchange, transforms: Transforms, came: Response, body: bytes
) -> tuple[Response, bytes]:
    context = ResponseTransformContext(
        exchange=exchange,
        response=None,
        status=came.status,
        headers=Headers([pair for pair in came.headers.pairs() if pair[0] not in MANAGED]),
    )
    await transforms.change_response(context)
    return transformed_response(context, came), b"" if context.suppress_body else body
