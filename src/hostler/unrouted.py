"""What requests are answered that go to no cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.errors import Failure, Reason, Side
from hostler.routing.table import MAX_NAMED, MissKind

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.exchange import Exchange
    from hostler.fleet import LiveRoute
    from hostler.outcome import Outcome
    from hostler.routing.table import Miss

__all__ = ["answer_missed", "answer_without_cluster", "refuse_ambiguous_path"]

_log: Final = logging.getLogger("hostler.proxy")


def refuse_ambiguous_path(exchange: Exchange, conflict: str) -> Awaitable[Outcome]:
    """Refuse a path that leads to different routes, depending on how a destination reads it (400)."""
    # said in the access line alone: a client can have it said as often as it likes
    detail = f"{conflict}; its destination may read it so (dangerous_allow_ambiguous_paths lets such paths through)"
    return exchange.fail(Failure(Reason.REQUEST_CREATION, detail, status=400, side=Side.CLIENT))


def answer_without_cluster(exchange: Exchange, route: LiveRoute) -> Awaitable[Outcome]:
    """Answer a request whose route has no cluster (503)."""
    _log.warning(
        "route %s: unknown cluster %r; add it, or correct the route's ClusterId",
        route.id, route.config.cluster_id,
    )  # fmt: skip
    return exchange.fail(Failure(Reason.NO_AVAILABLE_DESTINATIONS, "the route's cluster does not exist"))


def answer_missed(exchange: Exchange, miss: Miss) -> Awaitable[Outcome]:
    """Answer a request that no route takes (404, 405), or several equally well (500)."""
    headers = []
    if miss.kind is MissKind.METHOD_NOT_ALLOWED:
        headers.append(("allow", ", ".join(miss.allow)))
        text = "405 Method Not Allowed\n"
    elif miss.kind is MissKind.AMBIGUOUS:
        _log.error(
            "%s matches the routes %s equally well; give one of them an Order",
            exchange.path, _listed(miss.routes),
        )  # fmt: skip
        text = "500 Internal Server Error\n"
    else:
        text = "404 Not Found\n"
    return exchange.respond(miss.status, text, headers=headers)


def _listed(routes: tuple[str, ...]) -> str:
    *others, last = routes if len(routes) <= MAX_NAMED else (*routes[:MAX_NAMED], "others")
    return f"{', '.join(others)} and {last}"
