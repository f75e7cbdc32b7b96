"""A destination's address, taken apart once."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from attrs import field, frozen

__all__ = ["DestinationAddress"]

_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f]")


@frozen
class DestinationAddress:
    """A destination's address, as a connection and a request to it need it."""

    scheme: str
    host: str
    """A name, or an IP address without brackets."""

    port: int
    base_path: bytes
    """The address's path, without a slash at its end."""

    authority: bytes
    """What Host says in a request: the destination's own `Host`, or the address's authority."""

    server_name: str
    """The name that a certificate must carry, and that SNI asks for."""

    line_end: bytes = field(init=False)
    """How the first line of a plain request ends, and its Host line."""

    @line_end.default
    def _line_end(self) -> bytes:
        return b" HTTP/1.1\r\nHost: %s\r\n" % self.authority

    @classmethod
    def parse(cls, address: str, host: str | None = None) -> DestinationAddress:
        """Take an address apart; raises ValueError, naming it, when it is not an http or https URL with a host."""
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            raise _not_one(address) from None
        plain = address.isascii() and not {"?", "#", "@"} & set(address)
        if parts.scheme not in _PORTS or not parts.hostname or not plain or _UNSAFE.search(address):
            raise _not_one(address)
        if host and (not host.isascii() or _UNSAFE.search(host)):
            raise ValueError(f"{host!r} is not a host for {address}: write it as name[:port]")
        server_name = urlsplit(f"//{host}").hostname or parts.hostname if host else parts.hostname
        return cls(
            parts.scheme,
            parts.hostname,
            _PORTS[parts.scheme] if port is None else port,
            parts.path.rstrip("/").encode("ascii"),
            (host or parts.netloc).encode("ascii"),
            server_name,
        )


def _not_one(address: str) -> ValueError:
    return ValueError(
        f"{address!r} is not a destination: write it as http://host[:port][/path] or https://..."
    )
