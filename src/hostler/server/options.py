"""A server's limits and timeouts. Defaults are HTTP.sys's (HTTP_TIMEOUT_LIMIT_INFO) where it has the setting."""

from __future__ import annotations

from attrs import field, frozen, validators

from hostler.http.rules import Limits

__all__ = ["ServerOptions", "Timeouts"]


def _seconds(default: float) -> float:
    return field(default=default, validator=validators.gt(0))


@frozen(kw_only=True)
class Timeouts:
    """How long a server waits, in seconds; each must be positive, `math.inf` switches one off."""

    header_wait: float = _seconds(120.0)
    """For a request's head to be complete, from its first byte (HeaderWait); then 408."""

    entity_body: float = _seconds(120.0)
    """For the next bytes of a request's body (EntityBody); then 408 or an aborted response."""

    drain_entity_body: float = _seconds(120.0)
    """For the rest of a request's body after the response is complete (DrainEntityBody)."""

    idle_connection: float = _seconds(120.0)
    """For the next request on a connection (IdleConnection)."""

    half_closed: float = _seconds(10.0)
    """For an answer to begin once the client has said that it sends no more: most that do are gone, few still wait."""

    send: float = _seconds(120.0)
    """For a client that takes nothing to take something."""

    request_queue: float = _seconds(120.0)
    """For a process to take a delegated request (RequestQueue); then 503."""


@frozen(kw_only=True)
class ServerOptions:
    """How a server treats its clients."""

    limits: Limits = field(factory=Limits)
    timeouts: Timeouts = field(factory=Timeouts)
    request_queue_limit: int = field(default=1000, validator=validators.gt(0))
    """Delegated requests that may wait for a process, per queue; more get 503 (RequestQueueLimit)."""

    backlog: int = field(default=2048, validator=validators.gt(0))
    """Connections that the system accepts ahead of us (listen(2))."""
