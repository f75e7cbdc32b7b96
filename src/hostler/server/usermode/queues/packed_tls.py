"""How a lent connection is encrypted, as OPEN says it: a `Tls` and its bytes. `packets.py` has the format."""

from __future__ import annotations

import struct
from typing import Final

from hostler.http.security import Tls

__all__ = ["pack_tls", "unpack_tls"]

_FACTS: Final = struct.Struct("!8H")
_SIZE: Final = struct.Struct("!I")


def pack_tls(tls: Tls) -> bytes:
    """Write what is known of an encrypted connection, without Schannel's numbers; raises struct.error for what does not fit."""
    texts = [text.encode() for text in (tls.version, tls.cipher_suite, tls.server_name, tls.alpn)]
    chain = tls.client_chain
    if not chain and tls.client_certificate is not None:
        chain = (tls.client_certificate,)
    flags = tls.resumed | tls.client_certificate_negotiated << 1
    facts = _FACTS.pack(*map(len, texts), tls.cipher_suite_id, tls.cipher_bits, flags, len(chain))
    certificates = [_SIZE.pack(len(certificate)) + certificate for certificate in chain]
    return b"".join((facts, *texts, *certificates))


def unpack_tls(block: bytes) -> Tls:
    """Read what `pack_tls` has written; raises ValueError or struct.error for anything else."""
    *sizes, suite, bits, flags, count = _FACTS.unpack_from(block)
    at = _FACTS.size
    texts, chain = [], []
    for size in sizes:
        texts.append(block[at : at + size].decode())
        at += size
    for _ in range(count):
        (size,) = _SIZE.unpack_from(block, at)
        at += _SIZE.size
        chain.append(block[at : at + size])
        at += size
    if at != len(block) or flags > 3:
        raise ValueError("the lengths of what is said of TLS do not add up")
    version, cipher, server_name, alpn = texts
    return Tls(
        version=version,
        cipher_suite=cipher,
        cipher_suite_id=suite,
        cipher_bits=bits,
        server_name=server_name,
        alpn=alpn,
        resumed=bool(flags & 1),
        client_certificate_negotiated=bool(flags & 2),
        client_certificate=chain[0] if chain else None,
        client_chain=tuple(chain),
    )
