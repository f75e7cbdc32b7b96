"""Giving requests an id that the destination and the client see too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.answering import AddedHeaders

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["request_id"]


def request_id(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Send `Exchange.id` to the destination and to the client, as `X-Request-ID`; a stage."""
    headers, value = exchange.request.headers, exchange.id
    if headers.get("x-request-id") != value:
        headers.set("X-Request-ID", value)

    def tell(answer: RawHeaders) -> None:
        if isinstance(answer, AddedHeaders) or not any(name.lower() == b"x-request-id" for name, _ in answer):
            answer.append((b"x-request-id", value.encode("ascii")))

    exchange.on_response(tell)
    return onward(exchange)
