"""Certificates in the stores of this machine: until when they are valid."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Enumerate = Callable[[str], Iterable[tuple[bytes, str, object]]]

__all__ = ["ends_of", "valid_until"]

_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17


def ends_of(store: str, enumerate_store: Enumerate | None = None) -> dict[bytes, datetime]:
    """Return when each certificate of a store ends, by its thumbprint.

    Nothing is what it returns where there are no such stores, and for one that this user may not read.
    """
    given = enumerate_store or cast("Enumerate | None", getattr(ssl, "enum_certificates", None))
    if given is None:
        return {}
    try:
        found = list(given(store))
    except PermissionError:
        return {}
    return {
        hashlib.sha1(certificate, usedforsecurity=False).digest(): valid_until(certificate)
        for certificate, encoding, _ in found
        if encoding == "x509_asn"
    }


def valid_until(certificate: bytes) -> datetime:
    """Return the end of a certificate's validity, which is given in DER (RFC 5280 4.1); raises ValueError."""
    try:
        signed, _ = _inside(certificate, 0)
        place, _ = _inside(certificate, signed)
        if certificate[place] == _VERSION:
            place = _after(certificate, place)
        for _ in range(3):  # serialNumber, signature, issuer
            place = _after(certificate, place)
        begins, _ = _inside(certificate, place)
        ends = _after(certificate, begins)
        start, end = _bounds(certificate, ends)
        return _time(certificate[ends], certificate[start:end].decode("ascii"))
    except IndexError:
        raise ValueError("the certificate ends before its validity") from None


def _time(tag: int, text: str) -> datetime:
    """Read a UTCTime or a GeneralizedTime (RFC 5280 4.1.2.5)."""
    if tag == _UTC_TIME:
        text = f"{'19' if text >= '50' else '20'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _inside(data: bytes, place: int) -> tuple[int, int]:
    """Return where the contents of a SEQUENCE begin and end."""
    if data[place] != _SEQUENCE:
        raise ValueError(f"byte {place} begins no SEQUENCE of DER")
    return _bounds(data, place)


def _after(data: bytes, place: int) -> int:
    """Return where the value behind the one at `place` begins."""
    return _bounds(data, place)[1]


def _bounds(data: bytes, place: int) -> tuple[int, int]:
    """Return where the contents of the value at `place` begin and end (X.690 8.1.3)."""
    length, begin = data[place + 1], place + 2
    if length & 0x80:
        digits = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + digits]), begin + digits
    return begin, begin + length
