"""Reaching destinations through an HTTP proxy (HttpClient.WebProxy), as .NET's WebProxy does it.

Requests to http destinations go to it in absolute form (RFC 9112 3.2.2), those to https destinations through a tunnel
that CONNECT opens (RFC 9110 9.3.6).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes, urlsplit

from attrs import evolve, field, frozen

from hostler.errors import ProtocolError
from hostler.http.h1 import ResponseReader

if TYPE_CHECKING:
    from hostler.client.address import DestinationAddress
    from hostler.config.model import WebProxy

__all__ = ["HttpProxy", "find_proxy", "in_absolute_form", "open_tunnel"]

_READ: Final = 4096


@frozen
class HttpProxy:
    """Where an HTTP proxy is, and what it is told of who asks."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)
    """The value of Proxy-Authorization."""

    @classmethod
    def parse(cls, address: str) -> HttpProxy:
        """Take the address of a proxy apart, which has been checked: `http://[user:password@]host[:port]`."""
        parts = urlsplit(address)
        user, at, _ = parts.netloc.rpartition("@")
        said = b"Basic " + b64encode(unquote_to_bytes(user)) if at else None
        return cls(parts.hostname or "", 80 if parts.port is None else parts.port, said)


def find_proxy(config: WebProxy | None, address: DestinationAddress) -> HttpProxy | None:
    """Return the proxy that a destination is reached through, None where it is reached without."""
    if (
        config is None
        or address.socket_path is not None
        or (config.bypass_on_local and _is_local(address.host))
    ):
        return None
    return HttpProxy.parse(config.address)


def _is_local(host: str) -> bool:
    """Tell whether a host counts as local (WebProxy.BypassProxyOnLocal).

    It does when it is an address of this machine, a name without a dot, or one in the domain of the machine's name.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        _, _, domain = socket.gethostname().lower().partition(".")
        _, dot, within = host.partition(".")
        return not dot or (bool(domain) and within == domain)
    return address.is_loopback or _is_ours(address)


def _is_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is one of this machine's, which is whether a socket can be bound to it."""
    with (
        suppress(OSError),
        socket.socket(
            socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM
        ) as probe,
    ):
        probe.bind((str(address), 0))
        return True
    return False


def in_absolute_form(address: DestinationAddress, proxy: HttpProxy) -> DestinationAddress:
    """Return an address whose requests can be sent to a proxy: their targets have a scheme and a host."""
    origin = b"http://" + _authority(address)
    return evolve(address, base_path=origin + address.base_path, proxy_authorization=proxy.authorization)


def _authority(address: DestinationAddress) -> bytes:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}".encode("ascii")


async def open_tunnel(connected: socket.socket, address: DestinationAddress, proxy: HttpProxy) -> None:
    """Have a proxy connect a socket with a destination; raises OSError when it does not."""
    loop, authority = asyncio.get_running_loop(), _authority(address)
    head = b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (authority, authority)
    if proxy.authorization is not None:
        head += b"Proxy-Authorization: %s\r\n" % proxy.authorization
    await loop.sock_sendall(connected, head + b"\r\n")
    name = f"the web proxy {proxy.host}:{proxy.port}"
    status = await _read_answer(connected, name)
    if status >= 300:
        hint = "; write user and password in WebProxy.Address" if status == 407 else ""
        raise ConnectionRefusedError(f"{name} answered CONNECT with {status}{hint}")


async def _read_answer(connected: socket.socket, name: str) -> int:
    """Return the status that a proxy answers CONNECT with; behind a 2xx the destination's bytes begin."""
    loop = asyncio.get_running_loop()
    reader, data = ResponseReader("CONNECT"), b""
    while True:
        data = data or await loop.sock_recv(connected, _READ)
        if not data:
            raise ConnectionResetError(f"{name} closed the connection without an answer to CONNECT")
        try:
            response = reader.feed(data)
        except ProtocolError as error:
            raise ConnectionAbortedError(f"{name} does not answer CONNECT in HTTP: {error}") from error
        data = reader.unread
        if response is not None and response.status >= 200:
            if data and response.status < 300:  # in TLS it is the client that speaks first
                raise ConnectionAbortedError(f"{name} sent data of its own into the tunnel")
            return response.status
        if response is None:
            data = b""
