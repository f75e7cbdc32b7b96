"""How a cluster's destinations are connected to and asked."""

from __future__ import annotations

import enum

from attrs import field, frozen

from hostler.config.fields import strings
from hostler.errors import redact
from hostler.tls.certificate import Certificate  # noqa: TC001 - read by its name in a document

__all__ = [
    "TLS_VERSIONS",
    "HttpClient",
    "HttpRequest",
    "VersionPolicy",
    "WebProxy",
]

TLS_VERSIONS = ("Tls", "Tls11", "Tls12", "Tls13")
"""The versions of TLS in their order, as HttpClient.SslProtocols names them."""


class VersionPolicy(enum.Enum):
    """How HttpRequest.Version is meant."""

    REQUEST_VERSION_OR_LOWER = "RequestVersionOrLower"
    REQUEST_VERSION_OR_HIGHER = "RequestVersionOrHigher"
    REQUEST_VERSION_EXACT = "RequestVersionExact"


@frozen
class WebProxy:
    """An HTTP proxy towards destinations."""

    address: str = field(repr=redact)
    """`http://[user:password@]host[:port]`; user and password are percent-encoded."""

    bypass_on_local: bool = False
    """Reach destinations without it that are on this machine, or whose name has no dot or is in this machine's domain."""

    use_default_credentials: bool = False
    """Must be False: the credentials of a Windows user are not supported."""


@frozen
class HttpClient:
    """How connections to a cluster's destinations are made."""

    ssl_protocols: tuple[str, ...] = field(default=(), converter=strings)
    """The versions of TLS that are spoken, some of TLS_VERSIONS; none, or `None`, leaves it to the system's OpenSSL."""

    dangerous_accept_any_server_certificate: bool = False
    client_certificate: Certificate | None = None
    """What destinations are shown that ask for a certificate."""

    certificate_authority: str | None = None
    """A file with the certificates, in PEM, that destinations' must lead to; None for the system's."""

    max_connections_per_server: int | None = None
    """Connections to a destination; more requests wait, in their order. None is no limit."""

    enable_multiple_http2_connections: bool = True
    """Without effect: requests go out as HTTP/1.1."""

    request_header_encoding: str | None = None
    response_header_encoding: str | None = None
    """Headers are passed on byte for byte, so that neither encoding changes them."""

    web_proxy: WebProxy | None = None
    connect_timeout: float = 15.0
    """Seconds to connect in: name, web proxy and TLS included (SocketsHttpHandler.ConnectTimeout as YARP sets it)."""

    pooled_connection_idle_timeout: float = 60.0
    """Seconds after which an idle connection is closed (SocketsHttpHandler)."""

    pooled_connection_lifetime: float | None = None
    """Seconds after which a connection takes no more requests; None is for ever (SocketsHttpHandler)."""

    max_idle_connections_per_server: int = 200
    """Idle connections to a destination that are kept for their idle timeout; more are for two seconds.

    That is Traefik's maxIdleConnsPerHost; nginx's `keepalive` is what its administrator says for each worker, and
    SocketsHttpHandler, which YARP uses, has no such limit.
    """

    proxy_protocol: str | None = None
    """`v1` or `v2`: connections begin with a header of the PROXY protocol, by which each is one client's alone."""


@frozen
class HttpRequest:
    """How requests to a cluster's destinations are made."""

    activity_timeout: float = 100.0
    """Seconds in which something must move: the head, or a piece of a body, in either direction."""

    version: str = "2"
    """1.1, 2 or 3; requests go out as HTTP/1.1."""

    version_policy: VersionPolicy = VersionPolicy.REQUEST_VERSION_OR_LOWER
    allow_response_buffering: bool = False
    """Without effect: what arrives is passed on at once."""
