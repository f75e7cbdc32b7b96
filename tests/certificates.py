"""Certificates for tests: made on the spot, by an authority that nobody else trusts."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Any

import trustme

from hostler.server.options import Certificate

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["authority", "certificate", "client_context", "server_context"]


@cache
def authority(name: str = "tests") -> trustme.CA:
    """Return a certificate authority, the same one for the same name."""
    return trustme.CA(organization_name=name)


def certificate(folder: Path, *names: str, ca: trustme.CA | None = None, **details: Any) -> Certificate:
    """Write a certificate for `names` (hosts, addresses, e-mail addresses), and its key, into files of their own.

    `details` are those of `trustme.CA.issue_cert`, such as `not_after`.
    """
    names = names or ("localhost", "127.0.0.1", "::1")
    issued = (ca or authority()).issue_cert(*names, **details)
    name = names[0].replace("*", "_")
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    issued.private_key_pem.write_to_path(str(key_path))
    path.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    return Certificate(path=str(path), key_path=str(key_path))


def client_context(own: Certificate | None = None, *, ca: trustme.CA | None = None) -> ssl.SSLContext:
    """Return the settings of a client that trusts the authority, and shows its own certificate where it has one."""
    context = ssl.create_default_context()
    (ca or authority()).configure_trust(context)
    if own is not None:
        context.load_cert_chain(own.path, own.key_path)
    return context


def server_context(own: Certificate) -> ssl.SSLContext:
    """Return the settings of a server with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.path, own.key_path)
    return context
