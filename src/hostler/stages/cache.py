"""Having the server keep responses, and answer other requests with them (ASP.NET: EnableResponseCaching).

HTTP.sys does, in the kernel, where no stage sees what is asked and answered. The user-mode server keeps nothing yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.native import Caching
from hostler.pipeline import for_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["cache"]


@for_routes(lambda route: route.response_caching)
def cache(exchange: Exchange, onward: Next) -> Awaitable[Outcome]:
    """Have the server keep the response if its headers allow that, on routes with `ResponseCaching`."""
    route = exchange.route
    if route is not None and route.config.response_caching:
        exchange.stream.native.cache(Caching())
    return onward(exchange)
