"""Where a certificate is bound: an address of this machine or a host's name, and a port."""

from __future__ import annotations

import ipaddress
from typing import Final

from attrs import field, frozen

from hostler.errors import PrefixError
from hostler.server.prefix import UrlPrefix

__all__ = ["TlsEndpoint"]

_EXPECTED: Final = (
    "expected an address and a port such as 0.0.0.0:443 or [::]:443, or a name such as example.com:443"
)


@frozen
class TlsEndpoint:
    """What a certificate is looked up by: the address and port that a client connects to, or the name it asks for.

    HTTP.sys looks for the exact address first, then for the name (SNI), then for 0.0.0.0 or [::], each for the
    addresses of its family.
    """

    host: str
    """An address, one of IPv6 in brackets, or a name in lower case."""

    port: int

    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = field(init=False, eq=False, repr=False)
    """None for a name."""

    @address.default
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return None

    @classmethod
    def parse(cls, text: str) -> TlsEndpoint:
        """Parse `0.0.0.0:443`, `[::]:443` or `example.com:443`; raises ValueError."""
        if not text.rpartition("]")[2].partition(":")[2].isdecimal():
            raise ValueError(f"{text!r} has no port; {_EXPECTED}")
        try:
            prefix = UrlPrefix.parse(f"https://{text}/")
        except PrefixError as error:
            raise ValueError(f"{text!r} is no endpoint; {_EXPECTED}") from error
        if not prefix.port:
            raise ValueError(f"{text!r} has no port; {_EXPECTED}")
        if prefix.host in {"+", "*"} or prefix.path != "/":
            raise ValueError(f"{text!r} is no endpoint: every address is 0.0.0.0 and [::]; {_EXPECTED}")
        return cls(prefix.host, prefix.port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
