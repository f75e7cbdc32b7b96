"""Letting in whom a route's policy lets in (YARP: AuthorizationPolicy)."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.authorization.decision import AuthorizationPolicy, Denied, Granted
from hostler.authorization.ready import find_fault, make_policy
from hostler.config.model import Route
from hostler.fleet.equipment import PolicyKind
from hostler.http.message import reason_phrase
from hostler.pipeline import for_routes

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["AUTHORIZATION", "authorize"]

_log: Final = logging.getLogger("hostler.stages.authorize")

AUTHORIZATION: Final[PolicyKind[Route, AuthorizationPolicy]] = PolicyKind(
    owner=Route,
    key="AuthorizationPolicy",
    named=lambda route: route.authorization_policy or None,
    default="",
    builtin=MappingProxyType({}),
    defined_in="authorization",
    define=make_policy,
    find_fault=find_fault,
    off=("Anonymous",),
    shared=True,
    is_policy=True,
)
"""The kind of policy that lets in."""


@for_routes(lambda route: AUTHORIZATION.settings(route) is not None)
async def authorize(exchange: Exchange, onward: Next, /) -> Outcome:
    """Ask the route's policy; what it grants is `exchange.granted`, and what it denies is answered here; a stage."""
    route = exchange.route
    policy = None if route is None else route.equipment.get(AUTHORIZATION)
    if route is None or policy is None:
        return await onward(exchange)
    decision: object = await policy(exchange)
    if isinstance(decision, Granted):
        exchange.granted = decision
        return await onward(exchange)
    if not isinstance(decision, Denied):
        raise TypeError(
            f"the authorization policy {route.config.authorization_policy} of route {route.id} returned {decision!r}: "
            "return Granted(...) or Denied(...)"
        )
    _log.debug("route %s: denied %s: %s", route.id, exchange.client[0], decision.reason)
    text = f"{decision.status} {reason_phrase(decision.status).decode()}\n"
    return await exchange.respond(decision.status, text, headers=decision.headers)
