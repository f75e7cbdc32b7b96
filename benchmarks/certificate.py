"""The certificate of every contender and destination of a run: ECDSA P-256, for 127.0.0.1, by an authority of its own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_certificate"]


@cache
def write_certificate(directory: Path) -> str:
    """Write certificate and key into one file, for this user alone, once; returns its path."""
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert(
        "127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA
    )
    path = directory / "certificate.pem"
    path.touch(mode=0o600)
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return str(path)
