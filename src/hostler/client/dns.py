"""Which destinations take the place of one that a configuration lists: those that the addresses of its name make.

A resolver is a policy of a cluster. What asks it, and when, is `hostler.resolving`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from attrs import evolve

from hostler.client.dialing import is_literal
from hostler.config.model import AddressFamily, Cluster, Destination
from hostler.fleet.equipment import PolicyKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hostler.config.model import Resolver

__all__ = ["RESOLVER", "DestinationResolver", "DnsResolver"]

LookUp: TypeAlias = "Callable[..., Awaitable[Iterable[tuple[Any, Any, Any, Any, tuple[Any, ...]]]]]"

_FAMILIES: Final = {
    None: socket.AF_UNSPEC,
    AddressFamily.INTER_NETWORK: socket.AF_INET,
    AddressFamily.INTER_NETWORK_V6: socket.AF_INET6,
}


class DestinationResolver(Protocol):
    """Finds the destinations that take the place of one that a cluster lists (YARP: IDestinationResolver)."""

    async def __call__(self, destination: Destination, /) -> Iterable[Destination]:
        """Return them; ids must be unique in the cluster, and should be the same the next time.

        When it raises, returns none or takes too long, the ones that it returned before stay.
        """
        ...


class DnsResolver:
    """Make a destination of each address that a name has (YARP: the DNS destination resolver).

    `a` at `http://shop.example:8080` becomes `a[10.0.0.1]` at `http://10.0.0.1:8080` and so on, all of them with the
    host `shop.example:8080`. What has an IP address, is `localhost`, on a Unix socket or a queue stays as it is.
    """

    def __init__(self, settings: Resolver, look_up: LookUp | None = None) -> None:
        """`look_up` takes the place of the event loop's `getaddrinfo`."""
        self._family = _FAMILIES[settings.address_family]
        self._look_up = look_up

    async def __call__(self, destination: Destination, /) -> Iterable[Destination]:
        """Look the name up; raises OSError, or UnicodeError for a name like no other."""
        parts = urlsplit(destination.address)
        host = parts.hostname or ""
        if destination.queue is not None or "+" in parts.scheme or host == "localhost" or is_literal(host):
            return [destination]
        look_up = self._look_up or asyncio.get_running_loop().getaddrinfo
        found = await look_up(host, None, family=self._family, type=socket.SOCK_STREAM)
        addresses = {str(address[0]) for _, _, _, _, address in found}
        # in an order of their own, so that an answer in another one is the same; an address with a scope is no URL's
        literal = [ipaddress.ip_address(address) for address in addresses if "%" not in address]
        ordered = sorted(literal, key=lambda address: (address.version, int(address)))
        return [_at(destination, parts.netloc, address) for address in ordered]


def _at(
    destination: Destination, authority: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> Destination:
    shown = f"[{address}]" if address.version == 6 else str(address)
    return evolve(
        destination,
        id=f"{destination.id}[{shown}]",
        address=_with_host(destination.address, shown),
        health=_with_host(destination.health, shown) if destination.health else destination.health,
        host=destination.host or authority,
    )


def _with_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    return parts._replace(netloc=host + port).geturl()


RESOLVER: Final[PolicyKind[Cluster, DestinationResolver]] = PolicyKind(
    owner=Cluster,
    key="Resolver.Policy",
    named=lambda cluster: (
        None if cluster.resolver is None or not cluster.resolver.enabled else cluster.resolver.policy
    ),
    default="Dns",
    builtin=MappingProxyType({"Dns": DnsResolver}),
    arguments=lambda cluster: (cluster.resolver,),
    equips=False,
)
