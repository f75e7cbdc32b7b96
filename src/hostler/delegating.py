"""Handing an exchange to another process, which answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.answering import AddedHeaders, answer_failure, apply_response_callbacks, limit_body
from hostler.errors import DelegationError, Failure
from hostler.outcome import Kind, Outcome

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.server.base import DelegationRule

__all__ = ["hand_over"]


async def hand_over(exchange: Exchange, rule: DelegationRule) -> Outcome:
    """Do what `Exchange.delegate` says."""
    always: RawHeaders = []
    if exchange._transforms is not None:
        answered = await exchange._transforms.apply_to_delegated(exchange, rule.prefix)
        if answered is not None:
            return answered
        always = exchange._transforms.added_when_delegated
    stream = exchange.stream
    if not stream.can_delegate:
        why = (
            "its response has begun" if stream.started
            else "its body was read" if exchange._channel is not None or stream.bytes_received
            else "its connection or server cannot delegate, or it is over"
        )  # fmt: skip
        raise DelegationError(f"{exchange.request.method} {exchange.path} cannot be delegated: {why}")
    refused = limit_body(exchange)
    if refused is not None:
        return await exchange.fail(refused)
    added: RawHeaders = []
    if exchange._response_callbacks is not None:
        headers = AddedHeaders()
        apply_response_callbacks(exchange, headers)
        added = headers.added
    result = await stream.delegate(rule, exchange, added + always)
    if isinstance(result, Failure):
        if added:
            exchange.on_response(lambda answer: answer.extend(added))
        answer_failure(exchange, result)
        return exchange.outcome(Kind.FAILED, result, rule.queue)
    kind = Kind.DELEGATED if result.failure is None else Kind.FAILED
    return Outcome(kind, result.status, rule.queue, result.bytes_received, result.bytes_sent, result.failure)
