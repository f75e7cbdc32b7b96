"""From a request's head to an exchange: whose host, which target, under which URL prefix."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from attrs import evolve

from hostler.errors import ProtocolError
from hostler.exchange import Exchange
from hostler.http.target import parse_host, parse_target

if TYPE_CHECKING:
    from hostler.contract import Address, Stream
    from hostler.http.message import Request

__all__ = ["Placing", "make_exchange", "place_anew"]

_HOST: Final = frozenset({b"host"})


class Placing(Protocol):
    """Says under which URL prefix a request falls."""

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path) of a decoded path, "" for no path; raises ProtocolError when no prefix matches."""
        ...


def make_exchange(
    request: Request, stream: Stream, placing: Placing, client: Address, server: Address, scheme: str
) -> Exchange:
    """Make the exchange of a request and its stream.

    The authority of an absolute-form replaces the Host that came with it, in the headers too (RFC 9112 3.2.2).

    Raises ProtocolError with the status that the client gets: for a target or a host that is none, for CONNECT, and
    what `placing` raises.
    """
    if request.method == "CONNECT":
        raise ProtocolError("CONNECT is for forward proxies", 501)
    target = parse_target(request.method, request.target)
    if target.authority is not None and target.authority != request.host:
        request.host = target.authority
        request.headers.set(b"Host", target.authority)
        request.headers.changed = False  # by no stage
    host, port = parse_host(request.host) if request.host else ("", None)
    base, path = placing.place(scheme, host, server, target.path)
    if port is None:
        port = 443 if scheme == "https" else 80
    exchange = Exchange(request, stream, target, client, server, host, port, base, path, scheme)
    if target.is_ambiguous:
        exchange.place_reading = partial(_place_reading, placing, scheme, host, server)
    return exchange


def place_anew(exchange: Exchange, placing: Placing, authority: bytes) -> None:
    """Place an exchange as if its client had asked for another Host, which stands in its headers from then on.

    Raises ProtocolError for a host that is none, and what `placing` raises; the exchange is as it was then.
    """
    host, port = parse_host(authority)
    server, scheme, target = exchange.server, exchange.scheme, exchange.target
    base, path = placing.place(scheme, host, server, target.path)
    request = exchange.request
    headers = request.headers.without(_HOST)
    headers.add(b"Host", authority)
    headers.changed = request.headers.changed  # by no stage
    exchange.request, exchange.is_rewritten = evolve(request, headers=headers, host=authority), True
    exchange.host, exchange.path_base, exchange.path = host, base, path
    exchange.port = (443 if scheme == "https" else 80) if port is None else port
    if target.is_ambiguous:
        exchange.place_reading = partial(_place_reading, placing, scheme, host, server)


def _place_reading(
    placing: Placing, scheme: str, host: str, server: Address, path: str
) -> tuple[str, str] | None:
    """Place another reading of a target's path; None when no URL prefix takes it."""
    try:
        return placing.place(scheme, host, server, path)
    except ProtocolError:
        return None
