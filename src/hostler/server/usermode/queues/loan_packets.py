"""LEND and DONE, the packets that every delegated request takes; `packets` has the format, and the other kinds.

Members and lenders write and read them without making a value of them.
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import define

from hostler.errors import HostlerError, Reason

__all__ = [
    "DONE_KIND",
    "LEND_KIND",
    "MAX_PACKET",
    "Done",
    "Lend",
    "PacketError",
    "checked",
    "decode_done",
    "decode_lend",
    "encode_done",
    "encode_lend",
    "read_done",
    "read_lend",
]

MAX_PACKET: Final = 128 * 1024

_LEND: Final = struct.Struct("!BBHIIHIQ")
_ANY_SIZE: Final = 0xFFFF_FFFF_FFFF_FFFF
_DONE: Final = struct.Struct("!BBHIHBBQQQ")
_REASONS: Final = tuple(Reason)
LEND_KIND: Final = 3
DONE_KIND: Final = 5
_LEND_MARK: Final = bytes([LEND_KIND])
_DONE_MARK: Final = bytes([DONE_KIND])
_LEND_SIZE: Final = _LEND.size
_DONE_SIZE: Final = _DONE.size


class PacketError(HostlerError):
    """Bytes that are not a packet of this version."""


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


def checked(block: bytes) -> bytes:
    """Return a packet; raises PacketError for one that is larger than MAX_PACKET."""
    if len(block) > MAX_PACKET:
        raise PacketError(f"a packet of {len(block)} bytes is larger than {MAX_PACKET}")
    return block


def encode_lend(
    loan: int, connection: int, prefix: str, headers: bytes, data: bytes, whole: bool, body_limit: int | None
) -> bytes:
    """Write a LEND without making one; raises PacketError for one that does not fit a packet."""
    place = prefix.encode()
    limit = _ANY_SIZE if body_limit is None else body_limit
    try:
        head = _LEND.pack(LEND_KIND, whole, 0, loan, connection, len(place), len(headers), limit)
    except struct.error as error:
        raise PacketError(f"Lend does not fit a packet: {error}") from error
    return checked(b"".join((head, place, headers, data)))


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
    """Write a DONE without making one; raises PacketError for one that does not fit a packet."""
    flags, why = (keep_alive, 0) if reason is None else (keep_alive | 2, 1 + _REASONS.index(reason))
    try:
        numbers = _DONE.pack(DONE_KIND, flags, 0, loan, status, why, 0, received, sent, written)
    except struct.error as error:
        raise PacketError(f"Done does not fit a packet: {error}") from error
    return checked(numbers + unread) if unread else numbers


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


def decode_done(block: bytes) -> Done:
    """Read a DONE; raises PacketError for one that contradicts itself, struct.error or IndexError for a broken one."""
    _, flags, _, loan, status, reason, zero, received, sent, written = _DONE.unpack_from(block)
    if flags > 3 or bool(flags & 2) != bool(reason) or zero:
        raise PacketError("DONE says that it failed, and not why")
    why = _REASONS[reason - 1] if reason else None
    return Done(loan, status, received, sent, bool(flags & 1), why, block[_DONE.size :], written)


def decode_lend(block: bytes) -> Lend:
    """Read a LEND; raises as `decode_done` does, and ValueError for a URL prefix that is not UTF-8."""
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
