"""Why a connection to a destination could not be encrypted, or broke: OpenSSL's errors in words, with a remedy.

The words are for the operator's log. A client gets none of them.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explain"]

_RECORD_TYPES: Final = b"\x14\x15\x16\x17"
"""Change cipher spec, alert, handshake, application data: what a record begins with (RFC 8446 5.1)."""

_AUTHORITY: Final = (
    "; name the authority's certificate in HttpClient.CertificateAuthority, and have the destination send all "
    "certificates between"
)
_VERIFICATION: Final[Mapping[int, str]] = {  # X509_V_ERR_...
    2: "is from an authority that is not trusted" + _AUTHORITY,
    9: "is not valid yet; check this machine's clock and the certificate's dates",
    10: "has expired; renew it",
    18: "is self-signed and not trusted; name it in HttpClient.CertificateAuthority",
    19: "leads to an authority of its own that is not trusted" + _AUTHORITY,
    20: "is from an authority that is not trusted" + _AUTHORITY,
    21: "is from an authority that is not trusted" + _AUTHORITY,
}
_WRONG_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

_CERTIFICATE_ALERTS: Final = frozenset({
    "BAD_CERTIFICATE", "UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REVOKED", "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR",
})  # fmt: skip
"""What a server says of a client's certificate (RFC 8446 6.2)."""

_VERSION: Final = "the destination speaks none of the versions of TLS that are allowed; say in HttpClient.SslProtocols which are"
_DEMANDED: Final = "the destination demands a client certificate; name one in HttpClient.ClientCertificate"
_LATER_DEMANDED: Final = (
    "the destination ended the connection behind the handshake: it demands a client certificate, which "
    "HttpClient.ClientCertificate names, or wanted another handshake (renegotiation), which is refused; have it demand the "
    "certificate in the first one"
)
_REASONS: Final[Mapping[str, str]] = {
    "CERTIFICATE_REQUIRED": _DEMANDED,
    "HANDSHAKE_FAILURE": (
        "the destination refused the handshake: it has no cipher in common with this system's OpenSSL, or demands a "
        "client certificate, which HttpClient.ClientCertificate names"
    ),
    "INSUFFICIENT_SECURITY": "the destination demands stronger ciphers than this system's OpenSSL allows",
    "NO_APPLICATION_PROTOCOL": "the destination does not speak HTTP/1.1 over TLS (ALPN)",
    "NO_CIPHERS_AVAILABLE": "this system's OpenSSL allows no cipher for the versions in HttpClient.SslProtocols",
    "NO_PROTOCOLS_AVAILABLE": "this system's OpenSSL speaks none of the versions in HttpClient.SslProtocols",
    "PROTOCOL_VERSION": _VERSION,
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "WRONG_SSL_VERSION": _VERSION,
    "UNEXPECTED_EOF_WHILE_READING": (
        "the destination ended the connection without close_notify, so that what it sent may not be all"
    ),
}


def explain(error: Exception | None, server_name: str, first: bytes = b"") -> ConnectionError:
    """Return what is raised, or ends an exchange, for an error of OpenSSL's.

    `error` is None for a connection that ended during its handshake. `server_name` is whom the certificate must be for,
    `first` what the destination sent first, where that is still to be judged: while the handshake is not complete.
    """
    explained = ConnectionAbortedError(_say(error, server_name, first))
    explained.__cause__ = error
    return explained


def _say(error: Exception | None, server_name: str, first: bytes) -> str:
    if first.startswith(b"HTTP/"):
        return (
            "the destination does not speak TLS on that port, but plain HTTP; write its address with http://"
        )
    if first and first[0] not in _RECORD_TYPES:
        return "the destination does not speak TLS on that port"
    if not isinstance(error, ssl.SSLError):
        return f"the destination closed the connection during the TLS handshake{'' if error is None else f' ({error})'}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _say_of_certificate(error, server_name)
    _, is_alert, alert = (error.reason or "").partition("ALERT_")
    reason = alert if is_alert else (error.reason or "").removeprefix("TLSV1_")
    if reason in _CERTIFICATE_ALERTS:
        kind = reason.lower().replace("_", " ")
        return f"the destination refuses the client certificate, or its absence ({kind}): see HttpClient.ClientCertificate"
    if reason == "UNRECOGNIZED_NAME":
        return f"the destination has no host {server_name}; set the destination's Host to one that it has"
    if isinstance(error, ssl.SSLEOFError):
        reason = "UNEXPECTED_EOF_WHILE_READING"
    elif reason == "HANDSHAKE_FAILURE" and not first:
        return _LATER_DEMANDED
    return (
        _REASONS.get(reason)
        or f"TLS with the destination failed: {reason.lower().replace('_', ' ') or error}"
    )


def _say_of_certificate(error: ssl.SSLCertVerificationError, server_name: str) -> str:
    if error.verify_code in _WRONG_NAME:
        return (
            f"the destination's certificate is not for {server_name}; set the destination's Host to a name that it is "
            "for, or have the certificate name this one"
        )
    known = _VERIFICATION.get(error.verify_code)
    return f"the destination's certificate {known or f'cannot be verified: {error.verify_message}'}"
