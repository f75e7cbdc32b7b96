"""Whose requests are counted together."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.importing import import_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.limits import RateLimiterDefinition
    from hostler.exchange import Exchange

__all__ = ["Key", "key_of"]

Key: TypeAlias = "Callable[[Exchange], str]"
"""Returns what requests have in common that are counted together."""

_LONGEST: Final = 64
"""Characters of a key that are kept as they are; of a longer one a hash is."""


def key_of(definition: RateLimiterDefinition) -> Key:
    """Return the key of a definition; raises ConfigError for one that cannot be imported."""
    prefix, name = definition.ipv6_prefix_length, definition.header.lower().encode()

    def address(exchange: Exchange) -> str:
        return _network(exchange.client[0], prefix)

    def header(exchange: Exchange) -> str:
        values = exchange.header_values(name)
        if not values:
            return f"address {address(exchange)}"
        return f"value {_short(b', '.join(values).decode('latin-1'))}"

    def route(exchange: Exchange) -> str:
        return "" if exchange.route is None else exchange.route.id.lower()

    made = {"clientaddress": address, "header": header, "route": route}.get(definition.partition_by.lower())
    return _imported(definition.partition_by) if made is None else made


def _network(host: str, prefix: int) -> str:
    """Return the network of an IPv6 address, which its holder has whole; an IPv4 address as it is."""
    if ":" not in host:
        return host
    return str(ipaddress.IPv6Network((host.partition("%")[0], prefix), strict=False).network_address)


def _short(key: str) -> str:
    if len(key) <= _LONGEST:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _imported(name: str) -> Key:
    function = import_object(name, "what returns a key")

    def own(exchange: Exchange) -> str:
        key: object = function(exchange)
        if not isinstance(key, str):
            raise TypeError(f"{name} returned {key!r} as the key of a rate limiter: return a str")
        return _short(key)

    return own
