"""What connections to https destinations are encrypted by."""

from __future__ import annotations

import ssl
import warnings
from typing import TYPE_CHECKING, Final

from hostler.client.tls.failures import explain
from hostler.client.tls.sessions import Sessions
from hostler.tls.authorities import load_authorities
from hostler.tls.chain import load_chain

if TYPE_CHECKING:
    from hostler.client.tls.sessions import Peer
    from hostler.config.model import HttpClient

__all__ = ["DestinationTls", "tls_context"]

_VERSIONS: Final = {
    "tls": ssl.TLSVersion.TLSv1,
    "tls11": ssl.TLSVersion.TLSv1_1,
    "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}
"""By the names of SslProtocols in lower case."""

_IGNORE_UNEXPECTED_EOF: Final[int] = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
"""0 with OpenSSL 1.1.1, which never ignores it."""


class DestinationTls:
    """How the connections of one cluster are encrypted, and the sessions that can be resumed in them.

    Nothing here is shared with another cluster: a connection or a session is used by whoever has just these settings.
    """

    __slots__ = ("context", "sessions")

    def __init__(self, context: ssl.SSLContext) -> None:
        """`context` is of `tls_context`, or a caller's own, which is left as it is."""
        self.context = context
        self.sessions = Sessions()

    def failed(self, peer: Peer, error: Exception | None, first: bytes = b"") -> ConnectionError:
        """Have the next handshake with a peer be a full one; returns what to raise, or to end an exchange with."""
        self.sessions.forget(peer)
        return explain(error, peer[-1], first=first)


def tls_context(client: HttpClient) -> ssl.SSLContext:
    """Return the TLS settings for https destinations.

    `SslProtocols` set the lowest and the highest version; what is between them is spoken too. Without any, they are
    Python's: TLS 1.2 and later. OpenSSL's security level is left as the system has it, and may refuse old versions.
    Revocation is not looked at, as .NET does by default. A response that ends with its connection is only complete behind
    a close_notify (RFC 9112 9.8). Raises CertificateError for files that cannot be used. Blocks while it reads.
    """
    authority = client.certificate_authority
    context = ssl.create_default_context() if authority is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is not None:
        load_authorities(context, authority)
    if client.client_certificate is not None:
        load_chain(context, client.client_certificate)
    context.set_alpn_protocols(["http/1.1"])
    context.options &= ~_IGNORE_UNEXPECTED_EOF
    context.options |= ssl.OP_NO_RENEGOTIATION
    versions = [_VERSIONS[name.lower()] for name in client.ssl_protocols if name.lower() != "none"]
    if versions:
        with warnings.catch_warnings():  # of TLS 1.0 and 1.1, which `hostler check` warns of
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = min(versions), max(versions)
    if client.dangerous_accept_any_server_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
