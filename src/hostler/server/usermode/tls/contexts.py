"""The contexts of one endpoint: its certificates, and which of them a client gets."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hostler.server.options import TlsOptions

__all__ = ["TlsContexts"]


class TlsContexts:
    """What the handshakes of one endpoint go by."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the certificates."""
        self.options = options
        self.default = _context(options)
        """For a client of which no more is known than that it has connected."""


def _context(options: TlsOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    certificate = options.certificate
    if certificate is not None:
        context.load_cert_chain(certificate.path, certificate.key_path, certificate.password)
    return context
