"""From `TlsOptions` to a context of OpenSSL, or an error that says what is wrong with which file."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from hostler.errors import CertificateError

if TYPE_CHECKING:
    from hostler.server.options import Certificate, TlsOptions

__all__ = ["load_context"]


def load_context(options: TlsOptions) -> ssl.SSLContext:
    """Read the files that `options` name into a context; what its `sni` names is read apart.

    Raises CertificateError. Blocks while it reads.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    if options.certificate is not None:
        _load_certificate(context, options.certificate)
    return context


def _load_certificate(context: ssl.SSLContext, certificate: Certificate) -> None:
    try:
        context.load_cert_chain(certificate.path, certificate.key_path, certificate.password)
    except (OSError, ValueError) as error:
        raise CertificateError(f"{certificate.path}: {error}") from error
