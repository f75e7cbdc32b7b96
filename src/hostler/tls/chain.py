"""A certificate with its chain and its key, put into a context of OpenSSL."""

from __future__ import annotations

import ssl
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from hostler.errors import CertificateError
from hostler.tls.pem import blocks_of, first_certificate, has_key, read

if TYPE_CHECKING:
    from hostler.tls.certificate import Certificate

__all__ = ["load_chain"]

_PKCS12: Final = {".pfx", ".p12"}
_DER: Final = b"\x30"
"""What a file in DER begins with, a SEQUENCE; PKCS #12 does too."""

_MISFITS: Final = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""OpenSSL's reasons for a key that is another certificate's; the last one when it is of another kind."""

_WEAK: Final = {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}


class _Encrypted(Exception):  # noqa: N818 - raised through OpenSSL
    """A key is encrypted, and no password was given."""


def load_chain(context: ssl.SSLContext, certificate: Certificate) -> str:
    """Load a certificate with its key into a context; returns it without its chain, in PEM. Raises CertificateError."""
    data = read(certificate.path)
    if PurePath(certificate.path).suffix.lower() in _PKCS12 or (
        data[:1] == b"\x30" and not certificate.key_path
    ):
        return _load_pkcs12(context, certificate, data)
    _check_pem(certificate, data)
    _load_pem(context, certificate, certificate.path, certificate.key_path, certificate.password)
    return first_certificate(data)


def _load_pkcs12(context: ssl.SSLContext, certificate: Certificate, data: bytes) -> str:
    from hostler.tls.pkcs12 import opened  # noqa: PLC0415 - it needs an extra

    if certificate.key_path:
        raise CertificateError(
            f"{certificate.path}: PKCS #12 has its key in it, and {certificate.key_path} was given too; leave that out"
        )
    with opened(certificate, data) as (path, password, leaf):
        _load_pem(context, certificate, path, None, password)
    return leaf


def _check_pem(certificate: Certificate, data: bytes) -> None:
    """Look whether there is a certificate and a key, so that what is not there is called by its name."""
    path, blocks = certificate.path, blocks_of(data)
    if data[:1] == _DER:
        raise CertificateError(
            f"{path}: it is no PEM but DER; convert it: openssl x509 -inform der -in {path} -out certificate.pem"
        )
    if not first_certificate(data):
        what = "no whole certificate" if "CERTIFICATE" in blocks else "no certificate"
        held = ", ".join(name for name in dict.fromkeys(blocks) if name != "CERTIFICATE")
        raise CertificateError(
            f"{path}: {what} in PEM is in it{held and f', but {held}'}; expected -----BEGIN CERTIFICATE-----, the "
            "server's own before those of its chain"
        )
    key_path = certificate.key_path or path
    if not has_key(read(key_path) if certificate.key_path else data):
        remedy = "give a file that has it" if certificate.key_path else "name the file of the key beside it"
        raise CertificateError(f"{key_path}: no private key in PEM is in it; {remedy}")


def _load_pem(
    context: ssl.SSLContext, certificate: Certificate, path: str, key_path: str | None, password: str | None
) -> None:
    asked = False

    def give_password() -> str:
        nonlocal asked
        asked = True
        if password is None:
            raise _Encrypted
        return password

    key = certificate.key_path or certificate.path
    try:
        context.load_cert_chain(path, key_path, give_password)
    except _Encrypted:
        raise CertificateError(
            f"{key}: the key is encrypted, and no password was given; give it as Password in a document, or with "
            "--key-password-file FILE"
        ) from None
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CertificateError(_explain(error, certificate.path, key, asked=asked)) from error


def _explain(error: Exception, path: str, key: str, *, asked: bool) -> str:
    reason = getattr(error, "reason", None)
    if reason in _MISFITS:
        return f"{key}: the key does not fit the certificate in {path}; give the key that the certificate was made for"
    if reason in _WEAK:
        return (
            f"{path}: it is too weak for OpenSSL's security level ({str(reason).lower().replace('_', ' ')}); "
            "get one with an ECDSA key, or an RSA key of 2048 bits, signed with SHA-256"
        )
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"{path}: it cannot be read with the key in {key}: {error.strerror or error}"
    if asked:
        return f"{key}: the password does not decrypt the key; correct the password"
    return f"{path}: OpenSSL cannot read it with the key in {key} ({error}); have both complete, in PEM"
