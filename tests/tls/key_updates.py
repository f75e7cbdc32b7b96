"""Records that change a client's key (RFC 8446 4.6.3), made by hand: Python has nothing that makes them."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_NOT_REQUESTED = b"\x18\x00\x00\x01\x00"
_HANDSHAKE = b"\x16"


def key_updates(keys, count):
    """Return records that change the key so often, the first thing that a client sends after its handshake.

    `keys` is what OpenSSL has written (SSLKEYLOGFILE); the cipher suite is TLS_AES_256_GCM_SHA384.
    """
    lines = [line.split() for line in keys.read_text().splitlines()]
    secret = next(bytes.fromhex(line[2]) for line in lines if line[0] == "CLIENT_TRAFFIC_SECRET_0")
    return b"".join(_each(secret, count))


def _each(secret, count):
    header = b"\x17\x03\x03" + (len(_NOT_REQUESTED) + 17).to_bytes(2, "big")
    for _ in range(count):
        key, nonce = _expand(secret, b"key", 32), _expand(secret, b"iv", 12)  # record 0 of each key
        yield header + AESGCM(key).encrypt(nonce, _NOT_REQUESTED + _HANDSHAKE, header)
        secret = _expand(secret, b"traffic upd", 48)


def _expand(secret, label, size):
    """HKDF-Expand-Label (RFC 8446 7.1)."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(label),)) + label + b"\x00"
    return HKDFExpand(SHA384(), size, info).derive(secret)
