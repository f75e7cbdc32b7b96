"""What a server knows of its client beside the request itself: how the connection is encrypted, who the client is."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

__all__ = ["Authenticated", "Tls"]

_VERSIONS: Final = (
    (0x3000, "TLSv1.3"), (0x0C00, "TLSv1.2"), (0x0300, "TLSv1.1"), (0x00C0, "TLSv1"), (0x0030, "SSLv3"),
)  # fmt: skip
"""SP_PROT_..., the bits of client and server together (schannel.h)."""


@frozen(kw_only=True)
class Tls:
    """How a request was encrypted; numbers are Schannel's (SecPkgContext_ConnectionInfo), 0 where it did not say."""

    protocol: int = 0
    """SP_PROT_..."""

    cipher: int = 0
    """CALG_..., as are the next two."""

    cipher_bits: int = 0
    hash: int = 0
    hash_bits: int = 0
    key_exchange: int = 0
    key_exchange_bits: int = 0
    connection_bits: int = 0
    """The size of the key that the connection is encrypted with (ConnectionKeySize)."""

    certificate_bits: int = 0
    """The size of our certificate's key (ServerCertKeySize)."""

    client_certificate_negotiated: bool = False
    """The client was asked for a certificate already (SslClientCertNegotiated)."""

    client_certificate: bytes | None = field(default=None, repr=False)
    """The client's certificate, in DER, where the server has it at hand."""

    @property
    def version(self) -> str:
        """The protocol's name, as `ssl` spells it; "" when it is none of those."""
        return next((name for bits, name in _VERSIONS if self.protocol & bits), "")


@frozen(kw_only=True)
class Authenticated:
    """What became of the credentials that a client sent, where the server looks at them itself."""

    succeeded: bool
    scheme: str = ""
    """As in WWW-Authenticate: Basic, Digest, NTLM, Negotiate, Kerberos; "" for another."""

    code: int = 0
    """Why it failed (SECURITY_STATUS, as an unsigned number)."""

    token: int = field(default=0, eq=False, repr=False)
    """A handle on the client's access token when it succeeded, open until the exchange is over: duplicate it to keep it."""

    package: str = ""
    """The security package, as in NTLM."""
