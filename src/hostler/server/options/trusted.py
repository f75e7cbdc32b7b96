"""Which proxies in front are believed, and what of their word: values, and whether they name an address."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from hostler.errors import ProtocolError
from hostler.http.target import parse_host
from hostler.server.options.check import Choice, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attrs import Attribute

    from hostler.contract import Address

__all__ = ["UNIX", "TrustedHeaders", "TrustedProxies"]

UNIX: Final = "unix"
"""What names the peers of Unix sockets, which have no address."""

_MAX_HOPS: Final = 1000
_MAPPED: Final = 96
"""The bits in front of an IPv4 address in an IPv6 one."""


class TrustedHeaders(Choice):
    """The family of headers in which trusted proxies say whom a request is from."""

    X_FORWARDED = "x-forwarded"
    """X-Forwarded-For, -Proto and -Host."""

    FORWARDED = "forwarded"
    """Forwarded (RFC 7239)."""


@frozen
class _Network:
    """Addresses that have their first bits in common."""

    bits: int
    address: int
    mask: int
    zone: str
    """The zone of an IPv6 address; "" for any."""

    def has(self, bits: int, address: int, zone: str) -> bool:
        return bits == self.bits and address & self.mask == self.address and self.zone in {"", zone}


@lru_cache(maxsize=1024)
def _network(text: str) -> _Network:
    """Read an address or a network in CIDR notation, an IPv4-mapped one as IPv4; raises ValueError."""
    host, slash, length = text.partition("/")
    host, percent, zone = host.partition("%")
    address = ipaddress.ip_address(host)
    if percent and (address.version == 4 or not zone):
        raise ValueError(f"{text!r} has a zone that is none")
    network = ipaddress.ip_network(f"{host}{slash}{length}")
    bits, size = network.max_prefixlen, network.prefixlen
    number = int(network.network_address)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None and size >= _MAPPED:
        bits, size, number = 32, size - _MAPPED, number & 0xFFFF_FFFF
    return _Network(bits, number, (1 << bits) - (1 << (bits - size)), zone)


@lru_cache(maxsize=1024)
def _read(host: str) -> tuple[int, int, str] | None:
    """Return the size in bits, the number and the zone of an address; None for what is none."""
    text, _, zone = host.partition("%")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.max_prefixlen, int(address), zone


def _texts(values: Any) -> tuple[str, ...]:
    found: Iterable[Any] = (values,) if isinstance(values, str) else values
    return tuple(str(value).strip().lower() for value in found)


def _check_networks(instance: object, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError(
            "networks: is empty, so that no proxy is trusted; name some, as in 10.0.0.0/8, or leave all of it out"
        )
    for text in value:
        if text == UNIX:
            continue
        try:
            _network(text)
        except ValueError as error:
            raise ValueError(
                f"networks: {text!r} is no network ({error}); write an address, one with the length of its prefix as in "
                f"10.0.0.0/8 or fd00::/8, or {UNIX} for the peers of Unix sockets"
            ) from None


def _check_hosts(instance: object, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    for text in value:
        name = text.removeprefix("*.")
        try:
            host, port = parse_host(name.encode("ascii", "replace"))
        except ProtocolError:
            host, port = "", None
        if text != "*" and (not host or host != name or port is not None or "*" in name):
            raise ValueError(
                f"hosts: {text!r} is no host; write a name or an address without a port, as in example.org, *.example.org "
                "for every name below it, or * for any host at all"
            )


@frozen(kw_only=True)
class TrustedProxies:
    """Which proxies in front say whom a request is from, and in which headers (ASP.NET's ForwardedHeadersOptions)."""

    networks: tuple[str, ...] = field(converter=_texts, validator=_check_networks)
    """Whose word counts: addresses, networks in CIDR notation, `unix` for the peers of Unix sockets.

    IPv4-mapped IPv6 addresses are taken for IPv4. A zone, as in fe80::1%eth0, holds for that interface alone.
    """

    headers: TrustedHeaders = field(default=TrustedHeaders.X_FORWARDED, converter=TrustedHeaders)
    """Which family of headers they say it in; the other is never looked at."""

    limit: int | None = field(default=1, validator=whole(1, _MAX_HOPS, "a number of proxies"))
    """How many proxies there may be in a row, each of them trusted; None for as many as are (ForwardLimit)."""

    hosts: tuple[str, ...] = field(default=(), converter=_texts, validator=_check_hosts)
    """The hosts that they may say the client asked for: names, `*.name` for names below it, `*` for any (AllowedHosts).

    With none, which host was asked for stays as Host says: whoever can say it decides which route a request takes.
    """

    def trusts(self, address: Address) -> bool:
        """Whether what an address says counts; the peer of a Unix socket is ("", 0)."""
        return self.trusts_host(address[0])

    def trusts_host(self, host: str) -> bool:
        """Do the same for an address without its port."""
        if not host:
            return UNIX in self.networks
        found = _read(host)
        return found is not None and any(_network(text).has(*found) for text in self.networks if text != UNIX)

    def allows(self, host: str) -> bool:
        """Whether a host, as `parse_host` has it, is one that a client may have asked for."""
        return any(
            allowed in {"*", host}
            or (allowed.startswith("*.") and len(host) >= len(allowed) and host.endswith(allowed[1:]))
            for allowed in self.hosts
        )
