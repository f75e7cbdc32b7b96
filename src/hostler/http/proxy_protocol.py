"""The PROXY protocol's header, versions 1 and 2: whom a connection is from (haproxy, doc/proxy-protocol.txt).

Bytes in, values out. A header is read as it arrives, a byte at a time if need be, and never guessed at: what does not
begin as one is malformed. Of version 2's up to 65,551 bytes at most 232 are kept; the TLVs behind the addresses are
passed over, whatever they hold (2.2: a receiver may ignore them), PP2_TYPE_SSL and PP2_TYPE_CRC32C too.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

from hostler.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_V1_SIZE", "ProxyHeader", "ProxyHeaderReader", "encode_proxy_header"]

Address: TypeAlias = tuple[str, int]
_IpAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""How version 2 begins (2.2)."""

MAX_V1_SIZE: Final = 107
"""Bytes of the longest line of version 1, CR LF included (2.1)."""

_V1: Final = b"PROXY "
_HEAD: Final = struct.Struct("!12sBBH")
_INET: Final = struct.Struct("!4s4sHH")
_INET6: Final = struct.Struct("!16s16sHH")
_UNIX_SIZE: Final = 216

_FAMILIES: Final[dict[bytes, Callable[[str], _IpAddress]]] = {
    b"TCP4": ipaddress.IPv4Address,
    b"TCP6": ipaddress.IPv6Address,
}
_LOCAL, _PROXY = 0x20, 0x21
_UNSPEC, _TCP4, _TCP6 = 0x00, 0x11, 0x21


@frozen
class ProxyHeader:
    """What a header says; a header that says nothing is `ProxyHeader()`."""

    client: Address | None = None
    """Whom the connection is from, ("", 0) for a client of a Unix socket; None where the sender speaks for itself.

    That is UNKNOWN in version 1, and LOCAL or UNSPEC in version 2: health checks.
    """

    server: Address | None = None
    """What the client connected to."""


class ProxyHeaderReader:
    """Reads one header off the front of a connection."""

    __slots__ = ("_buffer", "_header", "_skip")

    def __init__(self) -> None:
        self._buffer = b""
        self._header: ProxyHeader | None = None
        """Of version 2, while its TLVs are still on their way."""
        self._skip = 0

    def feed(self, data: bytes) -> tuple[ProxyHeader, bytes] | None:
        """Take bytes; returns the header and what followed it once it is complete, and must not be called again then.

        Raises ProtocolError for what is no header.
        """
        if self._header is None:
            self._buffer += data
            read = self._read_v1 if self._buffer[:1] == b"P" else self._read_v2
            data = b""
            if not read():
                return None
            data, self._buffer = self._buffer, b""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        if self._skip or self._header is None:
            return None
        return self._header, data[skipped:]

    def _read_v1(self) -> bool:
        """Take a line off the buffer; returns whether it was there."""
        buffer = self._buffer
        if buffer[: len(_V1)] != _V1[: len(buffer)]:
            raise _malformed(buffer)
        line, end, rest = buffer.partition(b"\r\n")
        if len(line) + 2 > MAX_V1_SIZE and (end or len(line) >= MAX_V1_SIZE):  # its CR may have come alone
            raise ProtocolError(f"a PROXY header without an end in its first {MAX_V1_SIZE} bytes")
        if not end:
            return False
        self._header, self._buffer = _parse_v1(line), rest
        return True

    def _read_v2(self) -> bool:
        """Take head and addresses off the buffer, and note how much is to be skipped; returns whether they were there."""
        buffer = self._buffer
        if buffer[:12] != SIGNATURE[: len(buffer)]:
            raise _malformed(buffer)
        if len(buffer) < _HEAD.size:
            return False
        _, command, family, length = _HEAD.unpack_from(buffer)
        needed = _needed(command, family, length)
        if len(buffer) < _HEAD.size + needed:
            return False
        block = buffer[_HEAD.size : _HEAD.size + needed]
        self._header = _parse_v2(family, block)
        self._skip = length - needed
        self._buffer = buffer[_HEAD.size + needed :]
        return True


def _malformed(data: bytes) -> ProtocolError:
    return ProtocolError(f"no PROXY header, but {data[:16]!r}")


def _parse_v1(line: bytes) -> ProxyHeader:
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader()
    words = line.split(b" ")
    parse = _FAMILIES.get(words[1]) if len(words) == 6 and b"%" not in line else None
    if parse is None:
        raise _malformed_line(line)
    _, _, client, server, client_port, server_port = words
    try:
        return ProxyHeader(
            (_text(parse(client.decode("ascii"))), _port(client_port)),
            (_text(parse(server.decode("ascii"))), _port(server_port)),
        )
    except ValueError:
        raise _malformed_line(line) from None


def _malformed_line(line: bytes) -> ProtocolError:
    return ProtocolError(f"a malformed PROXY header: {line!r}")


def _port(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 5 or (digits[:1] == b"0" and digits != b"0"):
        raise ValueError
    number = int(digits)
    if number > 0xFFFF:
        raise ValueError
    return number


def _needed(command: int, family: int, length: int) -> int:
    """Return how many bytes of addresses follow the head of version 2; raises ProtocolError."""
    if command not in {_LOCAL, _PROXY}:
        raise ProtocolError(f"a PROXY header with the version and command {command:#04x}")
    if command == _LOCAL:
        return 0  # its addresses are to be discarded
    if family >> 4 > 3 or family & 15 > 2:
        raise ProtocolError(f"a PROXY header with the address family {family:#04x}")
    # over datagrams, as QUIC is to a load balancer, clients have the same addresses
    needed = (0, _INET.size, _INET6.size, _UNIX_SIZE)[family >> 4] if family & 15 else 0
    if length < needed:
        raise ProtocolError(f"a PROXY header with {length} bytes of addresses, where {needed} are needed")
    return needed


def _parse_v2(family: int, block: bytes) -> ProxyHeader:
    if not block:
        return ProxyHeader()
    if len(block) == _UNIX_SIZE:
        return ProxyHeader(("", 0), (block[108:].partition(b"\0")[0].decode("utf-8", "backslashreplace"), 0))
    parse: Callable[[bytes], _IpAddress]
    layout, parse = (_INET, ipaddress.IPv4Address) if family >> 4 == 1 else (_INET6, ipaddress.IPv6Address)
    client, server, client_port, server_port = layout.unpack(block)
    return ProxyHeader((_text(parse(client)), client_port), (_text(parse(server)), server_port))


def _text(address: _IpAddress) -> str:
    """Write an address, an IPv4 one in IPv6 (::ffff:192.0.2.1) as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


# -- writing ----------------------------------------------------------------------------------------------------------


def encode_proxy_header(version: int, client: Address | None, server: Address | None) -> bytes:
    """Write a header of version 1 or 2; what has no address on both sides is UNKNOWN, or LOCAL.

    Addresses of two families are both written as IPv6. A zone is left out: it is known to this machine alone.
    """
    try:
        ends = [_parse(one) for one in (client, server)]
    except ValueError:
        return b"PROXY UNKNOWN\r\n" if version == 1 else _HEAD.pack(SIGNATURE, _LOCAL, _UNSPEC, 0)
    assert client is not None
    assert server is not None
    source, target = ends
    if source.version != target.version:
        source, target = _in_ipv6(source), _in_ipv6(target)
    ports = client[1], server[1]
    if version == 1:
        words = f"PROXY TCP{source.version} {source} {target} {ports[0]} {ports[1]}\r\n"
        return words.encode("ascii")
    layout, family = (_INET, _TCP4) if source.version == 4 else (_INET6, _TCP6)
    return _HEAD.pack(SIGNATURE, _PROXY, family, layout.size) + layout.pack(
        source.packed, target.packed, *ports
    )


def _parse(address: Address | None) -> _IpAddress:
    return ipaddress.ip_address("" if address is None else address[0].partition("%")[0])


def _in_ipv6(address: _IpAddress) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
