"""Rules for how connections to a cluster's destinations are made (HttpClient)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.address import find_fault_in_web_proxy
from hostler.config.checks.values import check_positive
from hostler.config.model import TLS_VERSIONS
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import HttpClient, WebProxy

__all__ = ["check_http_client"]

_VERSIONS: Final = {name.lower(): number for number, name in enumerate(TLS_VERSIONS)}
_REFUSED: Final = {
    "ssl2": "is broken, and no OpenSSL speaks it any more; use Tls12 or Tls13",
    "ssl3": "is broken, and OpenSSL does not speak it; use Tls12 or Tls13",
    "default": "is Ssl3 and Tls in .NET; write None, or remove it, for what the system's OpenSSL speaks",
}
_ASCII: Final = bytes(range(0x20, 0x7F))


def check_http_client(path: str, client: HttpClient) -> Iterator[Problem]:
    """Find what is wrong with a cluster's HttpClient."""
    yield from _protocols(f"{path}.SslProtocols", client.ssl_protocols)
    limit = client.max_connections_per_server
    if limit is not None and limit < 1:
        message = f"{limit} is out of range; use 1 or more connections, or remove it for no limit"
        yield Problem(f"{path}.MaxConnectionsPerServer", message)
    if client.max_idle_connections_per_server < 0:
        message = f"{client.max_idle_connections_per_server} is out of range; use 0 or more connections"
        yield Problem(f"{path}.MaxIdleConnectionsPerServer", message)
    for key, seconds in (
        ("ConnectTimeout", client.connect_timeout),
        ("PooledConnectionIdleTimeout", client.pooled_connection_idle_timeout),
        ("PooledConnectionLifetime", client.pooled_connection_lifetime),
    ):
        if seconds is not None:
            yield from check_positive(f"{path}.{key}", seconds)
    for key, encoding in (
        ("RequestHeaderEncoding", client.request_header_encoding),
        ("ResponseHeaderEncoding", client.response_header_encoding),
    ):
        if encoding and (wrong := _find_fault_in_encoding(encoding)):
            yield Problem(f"{path}.{key}", wrong)
    if client.proxy_protocol is not None:
        yield from _proxy_protocol(path, client)
    if client.web_proxy is not None:
        yield from _web_proxy(f"{path}.WebProxy", client.web_proxy)


def _proxy_protocol(path: str, client: HttpClient) -> Iterator[Problem]:
    if client.proxy_protocol not in {"v1", "v2"}:
        message = f'unknown version "{client.proxy_protocol}" of the PROXY protocol; use "v1" or "v2"'
        yield Problem(f"{path}.ProxyProtocol", message)
    if client.web_proxy is not None:
        message = "the header would be for the web proxy, and not for the destination; remove one of the two"
        yield Problem(f"{path}.ProxyProtocol", message)
    if client.max_connections_per_server is not None:
        message = (
            "cannot be kept where each connection is one client's (ProxyProtocol); remove one of the two"
        )
        yield Problem(f"{path}.MaxConnectionsPerServer", message)


def _web_proxy(path: str, proxy: WebProxy) -> Iterator[Problem]:
    if wrong := find_fault_in_web_proxy(proxy.address):
        yield Problem(f"{path}.Address", wrong)
    if proxy.use_default_credentials:
        message = "the credentials of a Windows user (NTLM, Negotiate) are not supported; write user and password in Address"
        yield Problem(f"{path}.UseDefaultCredentials", message)


def _protocols(path: str, protocols: tuple[str, ...]) -> Iterator[Problem]:
    numbers = set()
    for index, protocol in enumerate(protocols):
        name = protocol.lower()
        if name in _REFUSED:
            yield Problem(f"{path}[{index}]", f"{protocol} {_REFUSED[name]}")
        elif name in _VERSIONS:
            numbers.add(_VERSIONS[name])
        elif name != "none":
            yield Problem(f"{path}[{index}]", f'unknown protocol "{protocol}"; use Tls12 or Tls13')
    missing = [TLS_VERSIONS[number] for number in range(min(numbers, default=0), max(numbers, default=0))]
    missing = [name for name in missing if _VERSIONS[name.lower()] not in numbers]
    if missing:
        message = f"{' and '.join(missing)} between the others cannot be left out with OpenSSL; add it, or name one range"
        yield Problem(path, message)


def _find_fault_in_encoding(name: str) -> str | None:
    """Say what keeps an encoding from being that of header values, in which ASCII stands for itself."""
    try:
        fits = _ASCII.decode(name) == _ASCII.decode("ascii")
    except UnicodeError:
        fits = False
    except (LookupError, ValueError):
        return f'unknown encoding "{name}"; use "utf-8" or "latin1"'
    return (
        None
        if fits
        else f'"{name}" does not contain ASCII, which headers are made of; use "utf-8" or "latin1"'
    )
