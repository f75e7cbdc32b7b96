"""What a server knows of its client beside the request itself: how the connection is encrypted, who the client is."""

from __future__ import annotations

from attrs import field, frozen

__all__ = ["Authenticated", "Tls"]


@frozen(kw_only=True)
class Tls:
    """How a request was encrypted.

    Every server knows the version, the cipher's size and the client's certificate. Names are those of OpenSSL and empty
    on HTTP.sys, where `exchange.connection.server_name()` asks for the host; numbers from `protocol` on are Schannel's
    (SecPkgContext_ConnectionInfo) and 0 elsewhere.
    """

    version: str = ""
    """As `ssl` spells it: TLSv1.2, TLSv1.3; "" for one that it has no name for."""

    cipher_suite: str = ""
    """TLS_AES_256_GCM_SHA384 and the like."""

    cipher_suite_id: int = 0
    """Its number (RFC 8446 B.4)."""

    cipher_bits: int = 0

    server_name: str = ""
    """The host that the client named (SNI), in lower case; "" when it named none."""

    alpn: str = ""
    """The protocol that was agreed on (RFC 7301); "" when the client offered none."""

    resumed: bool = False
    """An earlier session was taken up, so that no certificate was shown."""

    client_certificate_negotiated: bool = False
    """The client was asked for a certificate already (SslClientCertNegotiated)."""

    client_certificate: bytes | None = field(default=None, repr=False)
    """The client's certificate, in DER, where the server has it at hand."""

    client_chain: tuple[bytes, ...] = field(default=(), repr=False)
    """The client's certificate and those that it sent behind it, in DER; before Python 3.13 the first of them."""

    protocol: int = 0
    """SP_PROT_..."""

    cipher: int = 0
    """CALG_..., as are `hash` and `key_exchange`."""

    hash: int = 0
    hash_bits: int = 0
    key_exchange: int = 0
    key_exchange_bits: int = 0
    connection_bits: int = 0
    """The size of the key that the connection is encrypted with (ConnectionKeySize)."""

    certificate_bits: int = 0
    """The size of our certificate's key (ServerCertKeySize)."""


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
