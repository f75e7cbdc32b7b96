"""What a certificate says of itself: from when until when it is valid, and for which names.

`ssl` tells that of a peer's certificate alone. Hence a client in memory shakes hands with a context, and asks.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from attrs import frozen

from hostler.errors import CertificateError

__all__ = ["Examined", "day", "examine"]

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME."""

_INVALID_PURPOSE: Final = 26
"""X509_V_ERR_INVALID_PURPOSE."""


@frozen
class Examined:
    """What a certificate says of itself."""

    path: str
    not_before: float
    """In seconds since 1970, as `not_after`."""

    not_after: float
    names: tuple[str, ...]
    """Host names and addresses, lower-cased (its subjectAltName)."""

    def check(self, now: float) -> None:
        """Raise CertificateError unless it is valid at a time."""
        if now > self.not_after:
            raise CertificateError(f"{self.path}: it ended on {day(self.not_after)}; renew it")
        if now < self.not_before:
            raise CertificateError(
                f"{self.path}: it is not valid before {day(self.not_before)}, and today is {day(now)}; "
                "wait until then, or set the clock"
            )

    def covers(self, host: str) -> bool:
        """Whether it is for a host name; for `*.name`, whether it is for names under that; for `*` it always is."""
        host = host.lower()
        parent = host.partition(".")[2]
        return host == "*" or host in self.names or (bool(parent) and f"*.{parent}" in self.names)


def day(time: float) -> str:
    """Return the date of a time, with hour and minute."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def examine(context: ssl.SSLContext, leaf: str, path: str) -> Examined:
    """Look at the certificate of a context, which is `leaf` and asks clients for none yet.

    Raises CertificateError where no client could accept it: it is not for servers, its key does not work.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    try:
        client.load_verify_locations(cadata=leaf)
        details = _shake_hands(client, context)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _INVALID_PURPOSE:
            raise CertificateError(
                f"{path}: it is not for servers (its extended key usage lacks serverAuth); get one that is"
            ) from error
        raise CertificateError(
            f"{path}: clients cannot accept it: {error.verify_message}; get another"
        ) from error
    except ssl.SSLError as error:
        raise CertificateError(f"{path}: no handshake succeeds with it: {error}; get another") from error
    names = (_plain(kind, value) for kind, value in details.get("subjectAltName", ()))
    return Examined(
        path,
        ssl.cert_time_to_seconds(details["notBefore"]),
        ssl.cert_time_to_seconds(details["notAfter"]),
        tuple(dict.fromkeys(filter(None, names))),
    )


def _plain(kind: str, value: str) -> str:
    """Return a name as it is compared; "" for what names no host."""
    if kind == "DNS":
        return value.lower()
    try:
        return str(ip_address(value.strip())) if kind == "IP Address" else ""
    except ValueError:  # which OpenSSL shows as <invalid>
        return ""


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = server.wrap_bio(there, back, server_side=True)
    for _ in range(3):  # at most: hello and answer, finished and finished (TLS 1.2)
        for end in (asking, answering):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            if end is asking:
                return asking.getpeercert() or {}
    raise ssl.SSLError("it does not come to an end")
