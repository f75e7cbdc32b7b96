"""How connections to https destinations are encrypted."""

from __future__ import annotations

import ssl
import warnings
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hostler.config.model import HttpClient

__all__ = ["tls_context"]

_VERSIONS: Final = {
    "tls": ssl.TLSVersion.TLSv1,
    "tls11": ssl.TLSVersion.TLSv1_1,
    "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}
"""By the names of SslProtocols in lower case."""


def tls_context(client: HttpClient) -> ssl.SSLContext:
    """Return the TLS settings for https destinations.

    `SslProtocols` set the lowest and the highest version; what is between them is spoken too. Without any, they are
    Python's: TLS 1.2 and later. OpenSSL's security level is left as the system has it, and may refuse old versions.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    versions = [_VERSIONS[name.lower()] for name in client.ssl_protocols if name.lower() != "none"]
    if versions:
        with warnings.catch_warnings():  # of TLS 1.0 and 1.1, which `hostler check` warns of
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = min(versions), max(versions)
    if client.dangerous_accept_any_server_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
