"""A destination's address, taken apart once."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from attrs import field, frozen

from hostler.http.unix_socket import UNIX_SCHEME, split_unix_url

__all__ = ["DestinationAddress"]

_PORTS = {"http": 80, "https": 443}
_ZONE = re.compile(r"%25[^\]]*\]")
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f]")


@frozen
class DestinationAddress:
    """A destination's address, as a connection and a request to it need it."""

    scheme: str
    host: str
    """A name, or an IP address without brackets."""

    port: int
    base_path: bytes
    """The address's path, without a slash at its end; to a web proxy, with scheme and host in front."""

    authority: bytes
    """What Host says in a request: the destination's own `Host`, or the address's authority."""

    server_name: str
    """The name that a certificate must carry, and that SNI asks for, without a dot at its end (RFC 6066 3)."""

    socket_path: str | None = None
    """The Unix socket that it is on; `host` and `port` are without meaning then."""

    proxy_authorization: bytes | None = field(default=None, repr=False)
    """What the web proxy that requests go to is told of who asks."""

    line_end: bytes = field(init=False, repr=False)
    """How the first line of a plain request ends, its Host line, and Proxy-Authorization."""

    @line_end.default
    def _line_end(self) -> bytes:
        end = b" HTTP/1.1\r\nHost: %s\r\n" % self.authority
        if self.proxy_authorization is not None:
            end += b"Proxy-Authorization: %s\r\n" % self.proxy_authorization
        return end

    @classmethod
    def parse(cls, address: str, host: str | None = None) -> DestinationAddress:
        """Take an address apart.

        Raises ValueError, naming it, when it is neither an http or https URL with a host nor an http+unix one. What is
        on a Unix socket is called `localhost`, as curl, nginx and others do.
        """
        socket_path = None
        if address.lower().startswith(UNIX_SCHEME):
            socket_path, path = split_unix_url(address)
            address = "http://localhost" + path
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            raise _not_one(address) from None
        plain = address.isascii() and "@" not in parts.netloc and not {"?", "#"} & set(address)
        if parts.scheme not in _PORTS or not parts.hostname or not plain or _UNSAFE.search(address):
            raise _not_one(address)
        if host and (not host.isascii() or _UNSAFE.search(host)):
            raise ValueError(f"{host!r} is not a host for {address}: write it as name[:port]")
        # a zone is of use to this machine alone, and is told to nobody (RFC 6874)
        authority = host or _ZONE.sub("]", parts.netloc)
        server_name = urlsplit(f"//{authority}").hostname or parts.hostname
        return cls(
            parts.scheme,
            parts.hostname.replace("%25", "%", 1),
            _PORTS[parts.scheme] if port is None else port,
            parts.path.rstrip("/").encode("ascii"),
            authority.encode("ascii"),
            server_name.removesuffix("."),
            socket_path,
        )


def _not_one(address: str) -> ValueError:
    return ValueError(
        f"{address!r} is not a destination: write it as http://host[:port][/path] or https://..."
    )
