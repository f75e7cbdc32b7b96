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

A packet is at most MAX_PACKET bytes: a socket's default send buffer must hold it. Longer data goes ahead in DATA.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from hostler.errors import HostlerError, Reason
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
    "encode_done",
    "encode_lend",
    "read_done",
    "read_lend",
    "split",
]

VERSION: Final = 5
MAX_PACKET: Final = 128 * 1024
MAX_DATA: Final = 96 * 1024
"""Bytes of data that a packet has room for; `split` has what is longer go ahead."""

_HEADER: Final = struct.Struct("!BBHI")
_HELLO: Final = struct.Struct("!HI")
_BEGUN: Final = struct.Struct("!H")
_CLIENT: Final = struct.Struct("!H")
_OPEN: Final = struct.Struct("!HHHH")
_LEND: Final = struct.Struct("!BBHIIHIQ")
_ANY_SIZE: Final = 0xFFFF_FFFF_FFFF_FFFF
_DONE: Final = struct.Struct("!BBHIHBBQQQ")
_REASONS: Final = tuple(Reason)


class PacketError(HostlerError):
    """Bytes that are not a packet of this version."""


class _Kind(enum.IntEnum):
    HELLO = 1
    OPEN = 2
    LEND = 3
    DATA = 4
    DONE = 5
    GIVE_BACK = 6
    CLOSE = 7
    LEAVING = 8
    DEPARTED = 9
    BEGUN = 10
    CLIENT = 11


_LEND_KIND: Final = int(_Kind.LEND)
_DONE_KIND: Final = int(_Kind.DONE)
_LEND_MARK: Final = bytes([_LEND_KIND])
_DONE_MARK: Final = bytes([_DONE_KIND])
_LEND_SIZE: Final = _LEND.size
_DONE_SIZE: Final = _DONE.size


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


@define  # as Done: one is made for every request, and a frozen one costs three times as much
class Lend:
    """A request for the borrower to answer on a connection that was opened before."""

    loan: int
    connection: int
    prefix: str
    headers: bytes
    data: bytes
    whole: bool = False
    """The data is all of the request."""

    body_limit: int | None = None
    """Bytes that the request's body may have; None for any number."""


@frozen
class Data:
    """Bytes that did not fit in one packet."""

    loan: int
    data: bytes


@define
class Done:
    """What became of a loan; the lender has its connection back."""

    loan: int
    status: int
    bytes_received: int = 0
    bytes_sent: int = 0
    keep_alive: bool = True
    reason: Reason | None = None
    unread: bytes = b""
    bytes_written: int = 0


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
        return _checked(_encode(packet))
    except struct.error as error:
        raise PacketError(f"{type(packet).__name__} does not fit a packet: {error}") from error


def _checked(block: bytes) -> bytes:
    if len(block) > MAX_PACKET:
        raise PacketError(f"a packet of {len(block)} bytes is larger than {MAX_PACKET}")
    return block


def encode_lend(
    loan: int, connection: int, prefix: str, headers: bytes, data: bytes, whole: bool, body_limit: int | None
) -> bytes:
    """Write a LEND without making one; see `encode`."""
    place = prefix.encode()
    limit = _ANY_SIZE if body_limit is None else body_limit
    try:
        head = _LEND.pack(_LEND_KIND, whole, 0, loan, connection, len(place), len(headers), limit)
    except struct.error as error:
        raise PacketError(f"Lend does not fit a packet: {error}") from error
    return _checked(b"".join((head, place, headers, data)))


def encode_done(
    loan: int,
    status: int,
    received: int,
    sent: int,
    keep_alive: bool,
    reason: Reason | None,
    unread: bytes,
    written: int,
) -> bytes:
    """Write a DONE without making one; see `encode`."""
    flags, why = (keep_alive, 0) if reason is None else (keep_alive | 2, 1 + _REASONS.index(reason))
    try:
        numbers = _DONE.pack(_DONE_KIND, flags, 0, loan, status, why, 0, received, sent, written)
    except struct.error as error:
        raise PacketError(f"Done does not fit a packet: {error}") from error
    return _checked(numbers + unread) if unread else numbers


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
        if kind == _DONE_KIND:
            return _decode_done(block)
        if kind == _LEND_KIND:
            return _decode_lend(block)
        return _decode(block)
    except (struct.error, ValueError, IndexError) as error:
        raise PacketError(f"a broken packet: {error}") from error


def read_done(block: bytes) -> tuple[int, int, int, int, bool, bytes, int] | None:
    """Return what a DONE without a failure says, without making one; None for anything else, which is to be decoded.

    That is: loan, status, bytes received, bytes sent, keep alive, unread, bytes written.
    """
    if block[:1] != _DONE_MARK or not _DONE_SIZE <= len(block) <= MAX_PACKET:
        return None
    _, flags, zero, loan, status, reason, nil, received, sent, written = _DONE.unpack_from(block)
    if zero or reason or nil or flags > 1:
        return None
    return loan, status, received, sent, flags == 1, block[_DONE_SIZE:], written


def read_lend(block: bytes) -> tuple[int, int, bytes, bytes, bytes, bool, int | None] | None:
    """Return what a LEND says, without making one; None for anything else, which is to be decoded.

    That is: loan, connection, URL prefix in UTF-8, headers, data, whether they are the whole request, the largest body.
    """
    if block[:1] != _LEND_MARK or not _LEND_SIZE <= len(block) <= MAX_PACKET:
        return None
    _, flags, zero, loan, connection, prefix, headers, limit = _LEND.unpack_from(block)
    middle = _LEND_SIZE + prefix
    end = middle + headers
    if zero or flags > 1 or end > len(block):
        return None
    largest = None if limit == _ANY_SIZE else limit
    return loan, connection, block[_LEND_SIZE:middle], block[middle:end], block[end:], flags == 1, largest


def _decode_done(block: bytes) -> Done:
    _, flags, _, loan, status, reason, zero, received, sent, written = _DONE.unpack_from(block)
    if flags > 3 or bool(flags & 2) != bool(reason) or zero:
        raise PacketError("DONE says that it failed, and not why")
    why = _REASONS[reason - 1] if reason else None
    return Done(loan, status, received, sent, bool(flags & 1), why, block[_DONE.size :], written)


def _decode_lend(block: bytes) -> Lend:
    _, flags, _, loan, connection, prefix, headers, limit = _LEND.unpack_from(block)
    at = _LEND.size
    middle = at + prefix
    end = middle + headers
    if flags > 1 or end > len(block):
        raise PacketError("the lengths in LEND do not add up")
    largest = None if limit == _ANY_SIZE else limit
    return Lend(
        loan, connection, block[at:middle].decode(), block[middle:end], block[end:], bool(flags), largest
    )


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
