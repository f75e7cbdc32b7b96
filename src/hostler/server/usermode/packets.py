r"""The packets of a named queue: bytes in, values out. No sockets, no event loop.

A proxy (the lender) and a member of a queue (the borrower) talk over one packet-preserving socket. The format is
the same on every machine: big-endian, one packet a message, this header in front:

    offset  size  what
    0       1     kind
    1       1     flags
    2       2     zero
    4       4     loan: the number that the lender gave the exchange; 0 where a packet is about the link

    kind     from      flags            payload
    HELLO 1  both      0                version: uint16; pid: uint32. The first packet in each direction
    LEND  2  lender    1 https          six lengths: uint16 client, server, prefix, uint32 headers, data, uint16 ports
                                        (2 x); then the five texts. The client's descriptor travels with this packet
    DATA  3  both      0                bytes that belong in front of the next LEND's or DONE's data of this loan
    DONE  4  borrower  1 keep alive,    status: uint16; reason: uint8 (1 + position in `Reason`, 0 none); zero: uint8;
                       2 failed         bytes received, bytes sent: uint64; then the surplus: bytes of the next request
    GIVE_BACK 5  borrower  0            empty: the borrower has not begun and will not
    LEAVING 6  borrower  0              empty: lend nothing more; what was lent will be answered

`client` and `server` are IP addresses in text; `headers` is the header lines to add to the answer, as on the wire;
`data` is the request's head and the bytes of its body that were read with it.

A packet is at most MAX_PACKET bytes: a socket's default send buffer must hold it. Longer data goes ahead in DATA.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from attrs import frozen

from hostler.errors import HostlerError, Reason

__all__ = [
    "MAX_PACKET",
    "VERSION",
    "Data",
    "Done",
    "GiveBack",
    "Hello",
    "Leaving",
    "Lend",
    "Packet",
    "PacketError",
    "decode",
    "encode",
    "split",
]

VERSION: Final = 1
MAX_PACKET: Final = 128 * 1024
_MAX_DATA: Final = 96 * 1024

_HEADER: Final = struct.Struct("!BBHI")
_HELLO: Final = struct.Struct("!HI")
_LEND: Final = struct.Struct("!HHHIIHH")
_DONE: Final = struct.Struct("!HBBQQ")
_REASONS: Final = tuple(Reason)


class PacketError(HostlerError):
    """Bytes that are not a packet of this version."""


class _Kind(enum.IntEnum):
    HELLO = 1
    LEND = 2
    DATA = 3
    DONE = 4
    GIVE_BACK = 5
    LEAVING = 6


@frozen
class Hello:
    """Who is there, and which version of this format it speaks."""

    pid: int
    version: int = VERSION


@frozen
class Lend:
    """A request for the borrower to answer on the descriptor that comes with it."""

    loan: int
    client: tuple[str, int]
    server: tuple[str, int]
    prefix: str
    headers: bytes
    data: bytes
    https: bool = False


@frozen
class Data:
    """Bytes that did not fit in one packet."""

    loan: int
    data: bytes


@frozen
class Done:
    """What became of a loan; the lender has its connection back."""

    loan: int
    status: int
    bytes_received: int = 0
    bytes_sent: int = 0
    keep_alive: bool = True
    reason: Reason | None = None
    surplus: bytes = b""


@frozen
class GiveBack:
    """The borrower has not begun and will not."""

    loan: int


@frozen
class Leaving:
    """The borrower takes no more."""


Packet = Hello | Lend | Data | Done | GiveBack | Leaving


def encode(packet: Packet) -> bytes:
    """Write one packet; raises PacketError when it would be larger than MAX_PACKET."""
    match packet:
        case Lend():
            client, server = packet.client[0].encode(), packet.server[0].encode()
            prefix = packet.prefix.encode()
            sizes = _LEND.pack(
                len(client), len(server), len(prefix), len(packet.headers), len(packet.data),
                packet.client[1], packet.server[1],
            )  # fmt: skip
            parts = (_HEADER.pack(_Kind.LEND, packet.https, 0, packet.loan), sizes, client, server, prefix,
                     packet.headers, packet.data)  # fmt: skip
            block = b"".join(parts)
        case Done():
            flags = packet.keep_alive | (packet.reason is not None) << 1
            reason = 0 if packet.reason is None else 1 + _REASONS.index(packet.reason)
            numbers = _DONE.pack(packet.status, reason, 0, packet.bytes_received, packet.bytes_sent)
            block = _HEADER.pack(_Kind.DONE, flags, 0, packet.loan) + numbers + packet.surplus
        case Data():
            block = _HEADER.pack(_Kind.DATA, 0, 0, packet.loan) + packet.data
        case GiveBack():
            block = _HEADER.pack(_Kind.GIVE_BACK, 0, 0, packet.loan)
        case Hello():
            block = _HEADER.pack(_Kind.HELLO, 0, 0, 0) + _HELLO.pack(packet.version, packet.pid)
        case Leaving():
            block = _HEADER.pack(_Kind.LEAVING, 0, 0, 0)
    if len(block) > MAX_PACKET:
        raise PacketError(f"a packet of {len(block)} bytes is larger than {MAX_PACKET}")
    return block


def split(loan: int, data: bytes) -> tuple[list[Data], bytes]:
    """Cut data that is too long for one packet: what goes ahead, and what is left for the packet itself."""
    if len(data) <= _MAX_DATA:
        return [], data
    cuts = range(0, len(data) - _MAX_DATA, _MAX_DATA)
    ahead = [Data(loan, data[cut : cut + _MAX_DATA]) for cut in cuts]
    return ahead, data[len(ahead) * _MAX_DATA :]


def decode(block: bytes) -> Packet:
    """Read one packet; raises PacketError for anything that `encode` does not write."""
    try:
        return _decode(block)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise PacketError(f"a broken packet: {error}") from error


def _decode(block: bytes) -> Packet:
    kind, flags, zero, loan = _HEADER.unpack_from(block)
    if zero or len(block) > MAX_PACKET:
        raise PacketError("not a packet of this format")
    if kind == _Kind.LEND and flags <= 1:
        return _decode_lend(block, loan, https=bool(flags))
    if kind == _Kind.DONE and flags <= 3:
        status, reason, zero, received, sent = _DONE.unpack_from(block, _HEADER.size)
        if zero:
            raise PacketError("not a packet of this format")
        if bool(flags & 2) != bool(reason):
            raise PacketError("DONE says that it failed, and not why")
        why = _REASONS[reason - 1] if reason else None
        return Done(loan, status, received, sent, bool(flags & 1), why, block[_HEADER.size + _DONE.size :])
    if flags:
        raise PacketError(f"kind {kind} has no flags {flags}")
    if kind == _Kind.DATA:
        return Data(loan, block[_HEADER.size :])
    rest = len(block) - _HEADER.size
    if kind == _Kind.GIVE_BACK and not rest:
        return GiveBack(loan)
    if kind == _Kind.LEAVING and not rest and not loan:
        return Leaving()
    if kind == _Kind.HELLO and rest == _HELLO.size and not loan:
        version, pid = _HELLO.unpack_from(block, _HEADER.size)
        return Hello(pid, version)
    raise PacketError(f"no packet of kind {kind} looks like this")


def _decode_lend(block: bytes, loan: int, *, https: bool) -> Lend:
    client, server, prefix, headers, data, client_port, server_port = _LEND.unpack_from(block, _HEADER.size)
    at = _HEADER.size + _LEND.size
    if at + client + server + prefix + headers + data != len(block):
        raise PacketError("the lengths in LEND do not add up")
    end = at + client
    client_address = block[at:end].decode()
    at, end = end, end + server
    server_address = block[at:end].decode()
    at, end = end, end + prefix
    url_prefix = block[at:end].decode()
    at, end = end, end + headers
    return Lend(
        loan, (client_address, client_port), (server_address, server_port), url_prefix, block[at:end], block[end:],
        https,
    )  # fmt: skip
