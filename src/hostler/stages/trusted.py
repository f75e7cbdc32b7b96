"""Believing proxies in front: whom a request is from, and how and for which host it was sent.

The stage stands in front of all others, so that whatever they do by the client's address, the scheme or the host, they do
by the real ones. What is said of the client in a request, by whomever, is taken off it: what is believed is in the
exchange from then on, and the rest is nobody's word.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, cast

from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.forwarded import forwarded_hops, x_forwarded_hops
from hostler.http.target import parse_host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.server.handling import Served
    from hostler.server.options import TrustedProxies
    from hostler.server.placing import Placing

__all__ = ["MAX_HOPS", "TrustProxies"]

MAX_HOPS: Final = 1000
"""Proxies in a row that are gone through at most, where there is no other limit."""


class PlaceAnew(Protocol):
    """Places an exchange for another host; `hostler.server.placing.place_anew`."""

    def __call__(self, exchange: Exchange, placing: Placing, authority: bytes, /) -> None:
        """Raises ProtocolError for a host that is none, or that no URL prefix takes."""


class TrustProxies:
    """The stage: changes whom a request is from, as `TrustedProxies` says.

    It begins with the connection's client. Whoever is trusted says who sent it the request, by which scheme and for which
    host; then it is that one's turn, as long as there are hops and none is above the limit. A hop that hides its client,
    or does not know it, is the last; one that cannot be read ends the way in front of it.
    """

    def __init__(self, trusted: TrustedProxies, place_anew: PlaceAnew) -> None:
        self._hops = x_forwarded_hops if trusted.headers.value == "x-forwarded" else forwarded_hops
        self._limit = trusted.limit or MAX_HOPS
        self._allows: Callable[[str], bool] | None = trusted.allows if trusted.hosts else None
        self._trusts = lru_cache(maxsize=4096)(trusted.trusts_host)
        self._place_anew = place_anew

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Go onward at once; answer 400 where the host that is believed is none, or none of ours."""
        placing = cast("Served", exchange.stream).placing
        if placing is None:
            return onward(exchange)
        said = exchange.take_identity()
        if said and self._trusts(exchange.client[0]):
            try:
                self._believe(exchange, placing, said)
            except ProtocolError as error:
                return exchange.fail(Failure(Reason.REQUEST_CREATION, str(error), error, error.status))
        return onward(exchange)

    def _believe(self, exchange: Exchange, placing: Placing, said: RawHeaders) -> None:
        client, scheme, authority = exchange.client, None, None
        for hop in islice(self._hops(said), self._limit):
            if not self._trusts(client[0]):
                break
            scheme = hop.scheme or scheme
            if hop.host and self._is_allowed(hop.host):
                authority = hop.host
            if hop.client is None:
                break
            client = hop.client
        if authority is not None and authority != _host_of(exchange):
            self._place_anew(exchange, placing, authority)
        if scheme is not None and scheme != exchange.scheme:
            exchange.scheme = scheme
            _, port = parse_host(_host_of(exchange) or b"")
            exchange.port = (443 if scheme == "https" else 80) if port is None else port
        if client is not exchange.client:
            exchange.peer, exchange.client = exchange.peer, client

    def _is_allowed(self, authority: bytes) -> bool:
        return self._allows is not None and self._allows(parse_host(authority)[0])


def _host_of(exchange: Exchange) -> bytes | None:
    """Return the Host that the client sent, without making a request of a plain head."""
    return (exchange.plain or exchange.request).host
