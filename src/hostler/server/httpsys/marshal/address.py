"""Socket addresses (SOCKADDR_IN, SOCKADDR_IN6), without sockets."""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from hostler.server.httpsys.marshal.memory import MEMORY, location

if TYPE_CHECKING:
    from hostler.contract import Address
    from hostler.windows.libraries import CData

__all__ = ["address_at", "read_address"]

_AF_INET: Final = 2
_AF_INET6: Final = 23
"""On Windows, whatever it is here."""

_V4_SIZE: Final = 16
_V6_SIZE: Final = 28
_HEAD: Final = struct.Struct("<H")
_V4: Final = struct.Struct("!2xH4s")
_V6: Final = struct.Struct("!2xH4x16s")
_SCOPE: Final = struct.Struct("<24xI")
_MAPPED: Final = bytes(10) + b"\xff\xff"


def read_address(pointer: CData) -> Address:
    """Read what a SOCKADDR pointer points to; ("", 0) for NULL and for families that are not IP."""
    return address_at(location(pointer))


def address_at(place: int) -> Address:
    """Read the SOCKADDR at an address."""
    if not place:
        return "", 0
    raw = MEMORY[place : place + _V4_SIZE]
    if raw[0] == _AF_INET6 and not raw[1]:
        raw = MEMORY[place : place + _V6_SIZE]
    return _read(raw)


@lru_cache(maxsize=4096)
def _read(raw: bytes) -> Address:
    (family,) = _HEAD.unpack_from(raw)
    if family == _AF_INET:
        port, packed = _V4.unpack_from(raw)
        return _v4_text(packed), port
    if family != _AF_INET6:
        return "", 0
    port, packed = _V6.unpack_from(raw)
    (scope,) = _SCOPE.unpack(raw)
    text = _v6_text(packed)
    return f"{text}%{scope}" if scope else text, port


def _v4_text(packed: bytes) -> str:
    return ".".join(map(str, packed))


def _v6_text(packed: bytes) -> str:
    """Write an IPv6 address as inet_ntop does (RFC 5952), a mapped IPv4 one as the IPv4 address that it is."""
    if packed.startswith(_MAPPED):
        return _v4_text(packed[12:])
    return IPv6Address(packed).compressed
