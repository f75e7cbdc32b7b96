r"""The packets of a named queue: bytes in, values out. No sockets, no event loop.

A proxy (the lender) and a member of a queue (the borrower) talk over one socket. What they send is a sequence of
packets, each behind its length (uint32); several travel in one message of the socket. The format is the same on every
machine: big-endian, this header in front:

    offset  size  what
    0       1     kind
    1       1     flags
    2       2     zero
    4       4     number: of the loan, or of the connection, or 0 where a packet is about the link

    kind         from      number      flags          payload
    HELLO 1      both      0           0              version: uint16; pid: uint32. The first packet each way
    OPEN 2       lender    connection  1 https,       two lengths: uint16 client, server, then the ports, uint16
                                       2 encrypted    each, then the two addresses in text, and how the connection is
                                                      encrypted, see below. A copy of the descriptor that leads to the
                                                      client travels with this packet, and is the borrower's
    LEND 3       lender    loan        1 whole        connection: uint32; lengths: uint16 prefix, uint32 headers; the
                                                      largest body: uint64, all ones for any; then the URL prefix, the
                                                      headers, and the data
    DATA 4       both      loan        0              bytes that belong in front of the next LEND's or DONE's data
    DONE 5       borrower  loan        1 keep alive,  status: uint16; reason: uint8 (1 + position in `Reason`, 0 none);
                                       2 failed       zero: uint8; bytes received, bytes sent, bytes written: uint64;
                                                      then the unread: bytes of the next request
    GIVE_BACK 6  borrower  loan        0              empty: the borrower has not begun and will not, because it leaves
                                                      or has no room for the connection's descriptor
    CLOSE 7      lender    connection  0              empty: the borrower closes its copy
    LEAVING 8    borrower  0           0              empty: lend nothing more, and do not connect again. What was lent is
                                                      answered or given back; then the lender closes the link
    DEPARTED 9   lender    connection  0              empty: the client is gone, or sends no more and waits for nothing
    BEGUN 10     borrower  loan        0              status: uint16, of an answer that has begun and is not over yet
    CLIENT 11    lender    connection  1 https        port: uint16; then the address in text: whom the next request on
                                                      the connection is from, where OPEN says another one

A LEND is whole when its data is all of the request: the lender then goes on reading from the client, and says when it
is gone.

How a connection is encrypted: four lengths, uint16 each, of the version, the cipher suite, the server's name and the
protocol (ALPN); the cipher suite's number, its bits, flags (1 resumed, 2 the client was asked for a certificate), and
how many certificates: uint16 each; then the four texts, and each certificate in DER behind its length, uint32, the
client's own first. There is room for them: OpenSSL takes 100 KiB of them from a client and no more.

`headers` is the header lines to add to the answer, as on the wire; `data` is the request's head and the bytes of its
body that were read with it.

A connection is opened once and lent as often as its requests come by. The borrower keeps its copy until CLOSE, until
it gives back, until it reports DONE without keep alive, or until it leaves.

Received and sent are bytes of the two bodies. Written is all that the borrower wrote to the client for this loan, heads
and chunks among it, so that the lender knows what the kernel will have counted.

LEND and DONE, which every delegated request takes, are in `loan_packets`.

A packet is at most MAX_PACKET bytes: a socket's default send buffer must hold it. Longer data goes ahead in DATA.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.server.usermode.queues.loan_packets import (
    DONE_KIND,
    LEND_KIND,
    MAX_PACKET,
    Done,
    Lend,
    PacketError,
    checked,
    decode_done,
    decode_lend,
    encode_done,
    encode_lend,
)
from hostler.server.usermode.queues.packed_tls import pack_tls, unpack_tls

if TYPE_CHECKING:
    from hostler.http.security import Tls

__all__ = [
    "MAX_DATA",
    "MAX_PACKET",
    "VERSION",
    "Begun",
    "Client",
    "Close",
    "Data",
    "Departed",
    "Done",
    "GiveBack",
    "Hello",
    "Leaving",
    "Lend",
    "Open",
    "Packet",
    "PacketError",
    "decode",
    "encode",
    "split",
]

VERSION: Final = 5
MAX_DATA: Final = 96 * 1024
"""Bytes of data that a packet has room for; `split` has what is longer go ahead."""

_HEADER: Final = struct.Struct("!BBHI")
_HELLO: Final = struct.Struct("!HI")
_BEGUN: Final = struct.Struct("!H")
_CLIENT: Final = struct.Struct("!H")
_OPEN: Final = struct.Struct("!HHHH")


class _Kind(enum.IntEnum):
    HELLO = 1
    OPEN = 2
    LEND = LEND_KIND
    DATA = 4
    DONE = DONE_KIND
    GIVE_BACK = 6
    CLOSE = 7
    LEAVING = 8
    DEPARTED = 9
    BEGUN = 10
    CLIENT = 11


@frozen
class Hello:
    """Who is there, and which version of this format it speaks."""

    pid: int
    version: int = VERSION


@frozen
class Open:
    """A connection that requests will be lent on; its descriptor comes with it."""

    connection: int
    client: tuple[str, int]
    server: tuple[str, int]
    https: bool = False
    tls: Tls | None = None
    """How it is encrypted, where it is, and by the lender itself."""


@frozen
class Data:
    """Bytes that did not fit in one packet."""

    loan: int
    data: bytes


@frozen
class GiveBack:
    """The borrower has not begun and will not."""

    loan: int


@frozen
class Close:
    """The connection is over, or will not be lent again."""

    connection: int


@frozen
class Departed:
    """The connection's client is gone: nobody waits for the answer to the request that was lent."""

    connection: int


@frozen
class Begun:
    """The borrower has begun an answer; what its status is, should nothing more be heard of it."""

    loan: int
    status: int


@frozen
class Client:
    """Whom the next request that is lent on a connection is from, by the word of a proxy that the lender trusts."""

    connection: int
    address: tuple[str, int]
    https: bool = False


@frozen
class Leaving:
    """The borrower takes no more."""


Packet = Hello | Open | Lend | Data | Done | GiveBack | Close | Leaving | Departed | Begun | Client


def encode(packet: Packet) -> bytes:
    """Write one packet; raises PacketError when it would be larger than MAX_PACKET, or a number is out of range."""
    if isinstance(packet, Lend):
        return encode_lend(
            packet.loan,
            packet.connection,
            packet.prefix,
            packet.headers,
            packet.data,
            packet.whole,
            packet.body_limit,
        )
    if isinstance(packet, Done):
        return encode_done(
            packet.loan, packet.status, packet.bytes_received, packet.bytes_sent, packet.keep_alive, packet.reason,
            packet.unread, packet.bytes_written,
        )  # fmt: skip
    try:
        return checked(_encode(packet))
    except struct.error as error:
        raise PacketError(f"{type(packet).__name__} does not fit a packet: {error}") from error


def _encode(packet: Packet) -> bytes:
    match packet:
        case Open():
            client, server = packet.client[0].encode(), packet.server[0].encode()
            sizes = _OPEN.pack(len(client), len(server), packet.client[1], packet.server[1])
            flags, facts = (
                (packet.https, b"") if packet.tls is None else (packet.https | 2, pack_tls(packet.tls))
            )
            return _HEADER.pack(_Kind.OPEN, flags, 0, packet.connection) + sizes + client + server + facts
        case Data():
            return _HEADER.pack(_Kind.DATA, 0, 0, packet.loan) + packet.data
        case GiveBack():
            return _HEADER.pack(_Kind.GIVE_BACK, 0, 0, packet.loan)
        case Close():
            return _HEADER.pack(_Kind.CLOSE, 0, 0, packet.connection)
        case Begun():
            return _HEADER.pack(_Kind.BEGUN, 0, 0, packet.loan) + _BEGUN.pack(packet.status)
        case Client():
            host, port = packet.address
            return (
                _HEADER.pack(_Kind.CLIENT, packet.https, 0, packet.connection)
                + _CLIENT.pack(port)
                + host.encode()
            )
        case Departed():
            return _HEADER.pack(_Kind.DEPARTED, 0, 0, packet.connection)
        case Hello():
            return _HEADER.pack(_Kind.HELLO, 0, 0, 0) + _HELLO.pack(packet.version, packet.pid)
        case _:
            return _HEADER.pack(_Kind.LEAVING, 0, 0, 0)


def split(loan: int, data: bytes) -> tuple[list[Data], bytes]:
    """Cut data that is too long for one packet: what goes ahead, and what is left for the packet itself."""
    if len(data) <= MAX_DATA:
        return [], data
    cuts = range(0, len(data) - MAX_DATA, MAX_DATA)
    ahead = [Data(loan, data[cut : cut + MAX_DATA]) for cut in cuts]
    return ahead, data[len(ahead) * MAX_DATA :]


def decode(block: bytes) -> Packet:
    """Read one packet; raises PacketError for anything that `encode` does not write."""
    try:
        if len(block) > MAX_PACKET or block[2] or block[3]:
            raise PacketError("not a packet of this format")
        kind = block[0]
        if kind == DONE_KIND:
            return decode_done(block)
        if kind == LEND_KIND:
            return decode_lend(block)
        return _decode(block)
    except (struct.error, ValueError, IndexError) as error:
        raise PacketError(f"a broken packet: {error}") from error


def _decode(block: bytes) -> Packet:
    kind, flags, _, number = _HEADER.unpack_from(block)
    if kind == _Kind.OPEN and flags <= 3:
        return _decode_open(block, number, flags)
    if kind == _Kind.CLIENT and flags <= 1:
        (port,) = _CLIENT.unpack_from(block, _HEADER.size)
        return Client(number, (block[_HEADER.size + _CLIENT.size :].decode(), port), bool(flags))
    if flags:
        raise PacketError(f"kind {kind} has no flags {flags}")
    if kind == _Kind.DATA:
        return Data(number, block[_HEADER.size :])
    rest = len(block) - _HEADER.size
    if kind == _Kind.GIVE_BACK and not rest:
        return GiveBack(number)
    if kind == _Kind.CLOSE and not rest:
        return Close(number)
    if kind == _Kind.DEPARTED and not rest:
        return Departed(number)
    if kind == _Kind.BEGUN and rest == _BEGUN.size:
        return Begun(number, *_BEGUN.unpack_from(block, _HEADER.size))
    if kind == _Kind.LEAVING and not rest and not number:
        return Leaving()
    if kind == _Kind.HELLO and rest == _HELLO.size and not number:
        version, pid = _HELLO.unpack_from(block, _HEADER.size)
        return Hello(pid, version)
    raise PacketError(f"no packet of kind {kind} looks like this")


def _decode_open(block: bytes, connection: int, flags: int) -> Open:
    client, server, client_port, server_port = _OPEN.unpack_from(block, _HEADER.size)
    at = _HEADER.size + _OPEN.size
    middle, end = at + client, at + client + server
    encrypted = bool(flags & 2)
    if end > len(block) or (end < len(block) and not encrypted):
        raise PacketError("the lengths in OPEN do not add up")
    addresses = block[at:middle].decode(), block[middle:end].decode()
    tls = unpack_tls(block[end:]) if encrypted else None
    return Open(connection, (addresses[0], client_port), (addresses[1], server_port), bool(flags & 1), tls)
