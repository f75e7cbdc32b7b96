"""PKCS #12 (.pfx, .p12), opened for OpenSSL, which Python lets read from files alone.

The key never stands on a disk in a form that others could read: on Linux the file is in memory (memfd_create), elsewhere
in a directory that only this user can look into, for as long as OpenSSL reads it. On both it is encrypted with a
password that is made for this one time.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hostler.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.tls.certificate import Certificate

__all__ = ["opened"]


@contextmanager
def opened(certificate: Certificate, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Have a PKCS #12 file as PEM: where that is, the password of its key, and the certificate without its chain.

    Raises CertificateError.
    """
    password = secrets.token_urlsafe()
    leaf, rest = _convert(certificate, data, password)
    with _as_file(leaf + rest) as path:
        yield path, password, leaf.decode()


def _convert(certificate: Certificate, data: bytes, password: str) -> tuple[bytes, bytes]:
    """Return the certificate in PEM, and behind it its chain and its key."""
    path = certificate.path
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415 - as above
    except ImportError as error:
        raise CertificateError(
            f'{path}: PKCS #12 needs an extra: pip install "hostler[certificates]"; or convert it to PEM: '
            f"openssl pkcs12 -in {path} -out certificate.pem"
        ) from error
    given = None if certificate.password is None else certificate.password.encode()
    try:
        key, own, chain = pkcs12.load_key_and_certificates(data, given)
    except ValueError as error:
        if certificate.password is None:
            reason = (
                "it is no PKCS #12, or it is encrypted and no password was given; give it as Password in a document, or "
                "with --key-password-file FILE"
            )
        else:
            reason = "it is no PKCS #12, or the password is wrong; correct the password"
        raise CertificateError(f"{path}: {reason}") from error
    if own is None or key is None:
        what = "certificate with its key" if own is None else "key"
        raise CertificateError(f"{path}: no {what} is in it; export it again, with its private key")
    pem = serialization.Encoding.PEM
    encrypted = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password.encode())
    )
    return own.public_bytes(pem), b"".join(each.public_bytes(pem) for each in chain) + encrypted


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    if sys.platform == "linux":
        file = os.memfd_create("certificate")
        try:
            with os.fdopen(os.dup(file), "wb") as writer:
                writer.write(data)
            yield f"/proc/self/fd/{file}"
        finally:
            os.close(file)
    else:
        with (
            tempfile.TemporaryDirectory() as directory
        ):  # 0700: one file could not be opened twice on Windows
            path = Path(directory) / "certificate.pem"
            path.write_bytes(data)
            yield str(path)
