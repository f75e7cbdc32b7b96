"""From `TlsOptions` to a context of OpenSSL, or an error that says what is wrong with which file."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.server.options import ClientCertificates
from hostler.server.usermode.tls.examination import Examined, examine
from hostler.tls.authorities import load_authorities
from hostler.tls.chain import load_chain

if TYPE_CHECKING:
    from hostler.server.options import TlsOptions

__all__ = ["Loaded", "load"]

_VERSIONS: Final = {"Tls12": ssl.TLSVersion.TLSv1_2, "Tls13": ssl.TLSVersion.TLSv1_3}

_CIPHERS: Final = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""Those of TLS 1.2: Mozilla's intermediate list, version 5.8. All are authenticated encryption with forward secrecy."""

_OP_PRIORITIZE_CHACHA: Final = 1 << 21
"""SSL_OP_PRIORITIZE_CHACHA: our order, but ChaCha20 first for a client that has it first, as those without AES have."""

_VERIFY_MODES: Final = {
    ClientCertificates.NONE: ssl.CERT_NONE,
    ClientCertificates.ALLOW: ssl.CERT_OPTIONAL,
    ClientCertificates.REQUIRE: ssl.CERT_REQUIRED,
}


@frozen(eq=False)
class Loaded:
    """A context, and what was seen of its certificate."""

    context: ssl.SSLContext
    examined: Examined | None
    """None where there is no certificate."""


def load(options: TlsOptions, now: float | None = None) -> Loaded:
    """Read the files that `options` name into a context; what its `sni` names is read apart.

    `now` is the time that certificates must be valid at, in seconds since 1970. Raises CertificateError. Blocks while it
    reads.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    versions = [_VERSIONS[name] for name in options.protocols]
    context.minimum_version, context.maximum_version = min(versions), max(versions)
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= _OP_PRIORITIZE_CHACHA
    examined = None
    if options.certificate is not None:
        leaf = load_chain(context, options.certificate)
        examined = examine(context, leaf, options.certificate.path)
        examined.check(time.time() if now is None else now)
    context.verify_mode = _VERIFY_MODES[options.client_certificates]
    if options.client_certificates is not ClientCertificates.NONE:
        if options.client_ca is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        else:
            load_authorities(context, options.client_ca)
    return Loaded(context, examined)
