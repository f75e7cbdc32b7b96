"""How a request was encrypted, and who sent it: HTTP_SSL_INFO, HTTP_SSL_PROTOCOL_INFO, HTTP_REQUEST_AUTH_INFO."""

from __future__ import annotations

from typing import Final

from hostler.http.security import Authenticated, Tls
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import AuthStatus, AuthType
from hostler.server.httpsys.marshal.memory import MEMORY, location

__all__ = ["read_authenticated", "read_tls"]

_SCHEMES: Final = {
    AuthType.BASIC: "Basic",
    AuthType.DIGEST: "Digest",
    AuthType.NTLM: "NTLM",
    AuthType.NEGOTIATE: "Negotiate",
    AuthType.KERBEROS: "Kerberos",
}
"""As WWW-Authenticate spells them."""

_VERSIONS: Final = (
    (0x3000, "TLSv1.3"), (0x0C00, "TLSv1.2"), (0x0300, "TLSv1.1"), (0x00C0, "TLSv1"), (0x0030, "SSLv3"),
)  # fmt: skip
"""SP_PROT_..., the bits of client and server together (schannel.h)."""


def read_tls(ssl_at: int, protocol_at: int) -> Tls:
    """Read the HTTP_SSL_INFO at an address, and the HTTP_SSL_PROTOCOL_INFO at another, where there is one."""
    info = ffi.cast("HTTP_SSL_INFO *", ssl_at)
    found = {
        "connection_bits": info.ConnectionKeySize,
        "certificate_bits": info.ServerCertKeySize,
        "client_certificate_negotiated": bool(info.SslClientCertNegotiated),
    }
    if info.pClientCertInfo:
        given = info.pClientCertInfo
        if given.pCertEncoded:
            found["client_certificate"] = ffi.buffer(given.pCertEncoded, given.CertEncodedSize)[:]
    if protocol_at:
        protocol = ffi.cast("HTTP_SSL_PROTOCOL_INFO *", protocol_at)
        found |= {
            "version": next((name for bits, name in _VERSIONS if protocol.Protocol & bits), ""),
            "protocol": protocol.Protocol,
            "cipher": protocol.CipherType,
            "cipher_bits": protocol.CipherStrength,
            "hash": protocol.HashType,
            "hash_bits": protocol.HashStrength,
            "key_exchange": protocol.KeyExchangeType,
            "key_exchange_bits": protocol.KeyExchangeStrength,
        }
    return Tls(**found)


def read_authenticated(address: int) -> Authenticated | None:
    """Read the HTTP_REQUEST_AUTH_INFO at an address; None when the client sent no credentials."""
    info = ffi.cast("HTTP_REQUEST_AUTH_INFO *", address)
    if info.AuthStatus == AuthStatus.NOT_AUTHENTICATED:
        return None
    name_at = location(info.pPackageName)
    return Authenticated(
        succeeded=info.AuthStatus == AuthStatus.SUCCESS,
        scheme=_SCHEMES.get(info.AuthType, ""),
        code=info.SecStatus & 0xFFFF_FFFF,
        token=location(info.AccessToken),
        package=MEMORY[name_at : name_at + info.PackageNameLength].decode("utf-16-le", "replace"),
    )
