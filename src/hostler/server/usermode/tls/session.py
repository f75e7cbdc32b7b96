"""What OpenSSL knows of one connection, and what of it a stage sees."""

from __future__ import annotations

import ssl
import sys
from functools import cache
from typing import Final

from hostler.http.security import Tls

__all__ = ["Session", "describe"]

_IDS_OF_SUITES: Final = 0xFFFF
"""OpenSSL has the protocol's number in front of a suite's."""


class Session(ssl.SSLObject):
    """One connection's side of TLS, which contexts make instead of an `ssl.SSLObject` (`SSLContext.sslobject_class`)."""

    named = ""
    """The host that the client named, in lower case; "" when it named none."""

    is_unknown = False
    """Nobody has a certificate for that."""

    anew: ssl.SSLContext | None = None
    """What the handshake has to begin anew with."""


@cache
def _suite_ids() -> dict[str, int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {suite["name"]: suite["id"] & _IDS_OF_SUITES for suite in context.get_ciphers()}


def describe(session: Session) -> Tls:
    """Say how a connection is encrypted whose handshake is complete."""
    suite, _, bits = session.cipher() or ("", "", 0)
    certificate = session.getpeercert(binary_form=True)
    return Tls(
        version=session.version() or "",
        cipher_suite=suite,
        cipher_suite_id=_suite_ids().get(suite, 0),
        cipher_bits=bits,
        server_name=session.named,
        alpn=session.selected_alpn_protocol() or "",
        resumed=bool(session.session_reused),
        client_certificate_negotiated=session.context.verify_mode != ssl.CERT_NONE,
        client_certificate=certificate,
        client_chain=() if certificate is None else _chain(session, certificate),
    )


def _chain(session: Session, certificate: bytes) -> tuple[bytes, ...]:
    if sys.version_info >= (3, 13):
        return tuple(session.get_unverified_chain())
    return (certificate,)
