"""What every server has. Defaults are HTTP.sys's (HTTP_TIMEOUT_LIMIT_INFO) where it has the setting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import field, frozen, validators

from hostler.http.limits import Limits
from hostler.server.options.check import yes_or_no
from hostler.server.options.tls import Endpoint, TlsOptions, endpoints
from hostler.server.options.trusted import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attrs import Attribute

    from hostler.config.https import Hsts, HttpsRedirection
    from hostler.server.options.httpsys import HttpSysOptions

__all__ = ["ServerOptions", "Timeouts"]


def _seconds(default: float) -> float:
    return field(default=default, validator=validators.gt(0))


def _rate(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
        raise ValueError(
            f"{attribute.name}: {value!r} is not a number of bytes a second; give one above 0, or None for any rate"
        )


def _httpsys_options(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        from hostler.server.options.httpsys import HttpSysOptions  # noqa: PLC0415 - whoever has some has imported it

        validators.instance_of(HttpSysOptions)(instance, attribute, value)


@frozen(kw_only=True)
class Timeouts:
    """How long a server waits, in seconds; each must be positive, `math.inf` switches one off.

    HTTP.sys counts whole seconds, up to 65534.
    """

    header_wait: float = _seconds(120.0)
    """For a request's head to be complete, from its first byte (HeaderWait); then 408.

    HTTP.sys goes by it from a connection's second request on; `netsh http add timeout` sets the first's.
    """

    entity_body: float = _seconds(120.0)
    """For the next bytes of a request's body (EntityBody); then 408 or an aborted response."""

    drain_entity_body: float = _seconds(120.0)
    """For the rest of a request's body after the response is complete (DrainEntityBody)."""

    idle_connection: float = _seconds(120.0)
    """For the next request on a connection (IdleConnection); on HTTP.sys as with `header_wait`."""

    half_closed: float = _seconds(10.0)
    """For an answer to begin once a client that may be waiting for it has said that it sends no more.

    HTTP.sys does not have it.
    """

    send: float = _seconds(120.0)
    """For a client that takes nothing to take something. HTTP.sys has `HttpSysOptions.min_send_rate` instead."""

    request_queue: float = _seconds(120.0)
    """For a process to take a delegated request (RequestQueue); then 503. HTTP.sys: to take any request."""

    queue_restart: float = field(default=10.0, validator=validators.ge(0))
    """For a queue that nobody holds any more to be held again, because whoever served it restarts; then 503.

    With 0 requests for it get 503 at once, as they always do on HTTP.sys.
    """


@frozen(kw_only=True)
class ServerOptions:
    """How a server treats its clients."""

    limits: Limits = field(factory=Limits)
    """How large a request's head may be. HTTP.sys has limits for the whole machine instead (its registry)."""

    timeouts: Timeouts = field(factory=Timeouts)
    request_queue_limit: int = field(default=1000, validator=validators.gt(0))
    """Delegated requests that may wait for a process, per queue; more get 503 (RequestQueueLimit).

    HTTP.sys: requests that may wait (HttpServerQueueLengthProperty).
    """

    half_closing_clients: bool = field(default=False, validator=yes_or_no)
    """Whether a client that ends its side of a connection (FIN) behind a request still waits for the answer.

    By default it is gone, as for nginx and Kestrel, and its request is cancelled; not in a tunnel, and not when it has
    pipelined another whole request. HTTP.sys decides by itself.
    """

    min_body_rate: float | None = field(default=240.0, validator=_rate)
    """Bytes a second that a request's body must come at, on average after 5 s; then 408 or an aborted response.

    None for any rate. Tunnels have none, and time in which the body is held back does not count (Kestrel's
    MinRequestBodyDataRate). HTTP.sys does not have it.
    """

    backlog: int = field(default=2048, validator=validators.gt(0))
    """Connections that the system accepts ahead of us (listen(2)). HTTP.sys listens by itself and has no such limit."""

    handshake_limit: int = field(default=1024, validator=validators.gt(0))
    """TLS handshakes at once in which the client is to go on; of more, the one is dropped that has not for the longest time.

    HTTP.sys does not have it.
    """

    tls: TlsOptions | None = field(
        default=None, validator=validators.optional(validators.instance_of(TlsOptions))
    )
    """How connections to https prefixes are encrypted that no endpoint is for.

    HTTP.sys has certificates bound to addresses and ports, for the whole machine: `hostler cert`.
    """

    endpoints: Mapping[str, Endpoint] = field(factory=dict, validator=endpoints)
    """What holds for single endpoints, by URL prefix without a path, such as `https://+:443`. HTTP.sys has none."""

    https_redirection: HttpsRedirection | None = None
    """How clients of http are sent to https, whatever their requests are for; None for not at all."""

    hsts: Hsts | None = None
    """What browsers that come over https are told of it, with every answer but the server's own; None for nothing."""

    trusted_proxies: TrustedProxies | None = field(
        default=None, validator=validators.optional(validators.instance_of(TrustedProxies))
    )
    """Which proxies in front are believed when they say whom a request is from; None for none of them."""

    httpsys: HttpSysOptions | None = field(default=None, validator=_httpsys_options)
    """What HTTP.sys has and no other server; None leaves it all as Windows has it."""
