"""The certificates of authorities, put into a context of OpenSSL."""

from __future__ import annotations

import ssl

from hostler.errors import CertificateError
from hostler.tls.pem import blocks_of, read

__all__ = ["load_authorities"]


def load_authorities(context: ssl.SSLContext, path: str) -> None:
    """Have peers' certificates lead to those in a file, in PEM. Raises CertificateError."""
    if "CERTIFICATE" not in blocks_of(read(path)):
        raise CertificateError(
            f"{path}: no certificate is in it, so that no peer's could be valid; "
            "expected the authorities' certificates, in PEM"
        )
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(
            f"{path}: a certificate in it cannot be read; have each one complete, from "
            "-----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
        ) from error
