"""The values in a document's `Kestrel` section: what each name stands for, and what a URL and a host name there mean."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, TypeVar

from hostler.config.yarp.scalars import shown
from hostler.errors import PrefixError
from hostler.http.unix_socket import unix_url
from hostler.server.options import ClientCertificates
from hostler.server.prefix import Category, UrlPrefix

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CLIENT_CERTIFICATE_MODES",
    "PROTOCOLS",
    "SSL_PROTOCOLS",
    "look_up",
    "parse_server_name",
    "parse_url",
]

T = TypeVar("T")

PROTOCOLS: Final = {
    "Http1": {1},
    "Http2": {2},
    "Http3": {3},
    "Http1AndHttp2": {1, 2},
    "Http1AndHttp2AndHttp3": {1, 2, 3},
    "None": set[int](),
}
"""The versions of HTTP that a name stands for (HttpProtocols)."""

SSL_PROTOCOLS: Final = {
    "None": ("Tls12", "Tls13"),
    "Tls12": ("Tls12",),
    "Tls13": ("Tls13",),
    "Tls11": (),
    "Tls": (),
    "Ssl3": (),
    "Ssl2": (),
    "Default": (),
}
"""The versions that are spoken of those that a name stands for; None is whatever the system thinks right (SslProtocols)."""

CLIENT_CERTIFICATE_MODES: Final = {mode.value: mode for mode in ClientCertificates} | {
    "DelayCertificate": None
}
"""None for what is not supported (ClientCertificateMode)."""


def look_up(name: str, table: Mapping[str, T]) -> T:
    """Return what a name stands for, in any case; raises ValueError for one that is none."""
    known = {key.lower(): value for key, value in table.items()}
    key = name.strip().lower()
    if key not in known:
        close = difflib.get_close_matches(key[:100], known, n=1)
        meant = next(
            (f"did you mean {label}?" for label in table if close and label.lower() == close[0]), None
        )
        raise ValueError(
            f"unknown value {shown(name)}; {meant or 'use one of ' + ', '.join(filter(table.get, table))}"
        )
    return known[key]


def parse_url(url: str) -> UrlPrefix:
    """Return what an endpoint's Url listens on; raises PrefixError."""
    scheme, colon, rest = url.strip().partition("://")
    if rest.startswith("pipe:"):
        raise PrefixError(
            f"{shown(url)} is a named pipe of Windows, which nothing listens on here; write http://host:port"
        )
    if rest.startswith("unix:"):
        socket_path, base, _ = rest.removeprefix("unix:").partition(":")
        return UrlPrefix.parse(unix_url(socket_path, "/base" if base else "", scheme.lower()))
    return UrlPrefix.parse(f"{scheme.lower()}{colon}{rest}")


def parse_server_name(name: str) -> str:
    """Return a host name of `Sni`, normalised: `*`, `*.name` or `name`; raises ValueError."""
    if name == "*":
        return name
    wildcard = "*." if name.startswith("*.") else ""
    host = name.removeprefix(wildcard)
    try:
        prefix = UrlPrefix.parse(f"https://{host}:443/")
    except PrefixError:
        prefix = None
    if prefix is None or prefix.category is not Category.HOST or prefix.path != "/":
        raise ValueError(
            f"{shown(name)} is not a host name; write it as in shop.example.org, *.example.org or *"
        )
    return wildcard + prefix.host
