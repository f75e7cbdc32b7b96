"""A link between a lender and a member: packets and descriptors over one Unix socket, on the event loop.

`SOCK_SEQPACKET` keeps messages apart where the system has it (Linux): a message holds whole packets. Elsewhere (macOS)
it is a `SOCK_STREAM`. The peer must be a process of this user, or of root.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from hostler.errors import QueueAccessError, UnsupportedError
from hostler.server.usermode.queues.packets import (
    MAX_PACKET,
    VERSION,
    Hello,
    Open,
    Packet,
    PacketError,
    decode,
    encode,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["KIND", "Link", "check_peer"]

_log = logging.getLogger("hostler.queues")

KIND: Final[socket.SocketKind] = (
    socket.SOCK_SEQPACKET if sys.platform.startswith("linux") else socket.SOCK_STREAM
)
"""The kind of socket that members listen on."""

_LENGTH: Final = struct.Struct("!I")
_LENGTH_SIZE: Final = _LENGTH.size
_CREDENTIALS: Final = struct.Struct("3i")


def check_peer(sock: socket.socket) -> None:
    """Raise QueueAccessError unless the process at the other end runs as this user or as root."""
    if sys.platform != "win32":
        user: int | None = None
        if sys.platform.startswith("linux"):
            packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            user = _CREDENTIALS.unpack(packed)[1]
        elif sys.platform == "darwin":
            # struct xucred at level SOL_LOCAL (0), option LOCAL_PEERCRED (1): version, user, ...
            user = struct.unpack_from("=II", sock.getsockopt(0, 1, 76))[1]
        if user is not None and user not in {os.geteuid(), 0}:
            raise QueueAccessError(
                f"a process of user {user} is at the other end of a queue of user {os.geteuid()}"
            )


class Link:
    """One end of a link.

    `on_packet(packet, descriptor)` and `on_lost()` are called from the event loop; an OPEN's descriptor belongs to
    whoever is called, and is -1 when this process had no room for it; other packets come with -1. `on_packet` may
    raise PacketError: the link is closed then. `take_common(block)` is shown each packet first, as it was sent; what it
    takes, and returns True of, is not decoded. Packets that are sent while the event loop handles one batch of events
    leave together, and so do those that are sent while packets are taken.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_packet: Callable[[Packet, int], None],
        on_lost: Callable[[], None],
        take_common: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        """Take over a connected socket and greet; raises QueueAccessError when the peer is another user's."""
        check_peer(sock)
        sock.setblocking(False)
        self._loop = loop
        self._socket = sock
        self._on_packet = on_packet
        self._on_lost = on_lost
        self._take_common = take_common
        self._keeps_apart = sock.type != socket.SOCK_STREAM
        self._batch: list[bytes] = []
        self._batched = 0
        self._outgoing: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._incoming = bytearray(MAX_PACKET + _LENGTH_SIZE)
        self._partial = b""
        self._descriptors: list[int] = []
        self._no_room = False
        self._later: asyncio.TimerHandle | None = None
        self._greeted = False
        self._taking = False
        """Packets are being taken; what is sent meanwhile leaves as soon as the last of them was."""
        self._turns = _TURNS
        """Turns of the event loop before it is looked whether there is more than one message."""
        self._cut_off = False
        """The peer takes nothing more; what it had sent is still to be taken."""
        self.peer = 0
        """The process id at the other end, once it has said hello."""
        self.closed = False
        self.broken = False
        """The peer broke the rules, and was hung up on."""
        loop.add_reader(sock, self._on_readable)
        self.send(Hello(os.getpid()))
        self.flush()

    # -- sending --------------------------------------------------------------------------------------------------

    def send(self, packet: Packet) -> None:
        """Send a packet with the others of this turn of the event loop; raises PacketError when it is too large."""
        self.write(encode(packet))

    def write(self, block: bytes) -> None:
        """Send a packet as `encode` has written it."""
        if self.closed or self._cut_off:
            return
        size = len(block)
        if self._batched + size > MAX_PACKET:
            self.flush()
        batch = self._batch
        if not batch and not self._taking:
            self._loop.call_soon(self.flush)
        batch.append(_LENGTH.pack(size))
        batch.append(block)
        self._batched += size + _LENGTH_SIZE

    def open(self, packet: Open, descriptor: int, following: bytes = b"") -> None:
        """Send an OPEN with a copy of a descriptor, now, and in the same message the packet that follows, as written.

        Raises OSError when it must wait and there is no room for the copy.
        """
        if self.closed or self._cut_off:
            return
        self.flush()
        block = encode(packet)
        pieces = [_LENGTH.pack(len(block)), block]
        together = len(block) + _LENGTH_SIZE + len(following) <= MAX_PACKET
        if following and together:
            pieces += (_LENGTH.pack(len(following)), following)
        self._send(b"".join(pieces), (descriptor,))
        if following and not together:
            self.write(following)

    def flush(self) -> None:
        """Send now what waits for the end of this turn."""
        if not self._batch or self.closed:
            return
        block = b"".join(self._batch)
        self._batch.clear()
        self._batched = 0
        self._send(block, ())

    def _send(self, block: bytes, descriptors: tuple[int, ...]) -> None:
        if not self._outgoing:
            sent = self._try(block, descriptors)
            if sent == len(block) or self._cut_off:
                return
            if sent:
                block, descriptors = block[sent:], ()
            if self._later is None:
                self._loop.add_writer(self._socket, self._on_writable)
        self._outgoing.append((block, tuple(os.dup(descriptor) for descriptor in descriptors)))

    def _try(self, block: bytes, descriptors: tuple[int, ...]) -> int:
        """Send what the socket takes now."""
        try:
            if descriptors:
                return _send_with(self._socket, block, descriptors)
            return self._socket.send(block)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if error.errno in _SHORTAGES:
                # the peer lives, and may be answering: closing would have its requests answered twice
                self._later = self._loop.call_later(_RETRY, self._retry)
            else:
                self._cut_off = True
                self._loop.call_soon(self._drain)  # not now: whoever sends is in the middle of something
            return 0

    def _retry(self) -> None:
        self._later = None
        self._loop.add_writer(self._socket, self._on_writable)

    def _on_writable(self) -> None:
        while self._outgoing:
            block, descriptors = self._outgoing[0]
            sent = self._try(block, descriptors)
            if not sent:
                if self._later is not None or self._cut_off:
                    self._loop.remove_writer(self._socket)
                return
            for descriptor in descriptors:
                os.close(descriptor)
            if sent < len(block):
                self._outgoing[0] = (block[sent:], ())
                return
            self._outgoing.popleft()
        self._loop.remove_writer(self._socket)

    # -- receiving ------------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        """Take a message, or several where the peer is ahead of us; then send what is said to them."""
        self._taking = True
        try:
            self._receive()
            self._turns -= 1
            if self._turns <= 0:
                self._turns = _TURNS
                self._catch_up()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drain()
        finally:
            self._taking = False
        self.flush()

    def _catch_up(self) -> None:
        """Take more messages, up to so many that others have their turn, and do so in the next turn too if there are some.

        A peer that sends more messages than we have turns would else be ever further ahead. In vain this costs as much as
        a loan, so that it is tried now and then only.
        """
        for _ in range(_MAX_MESSAGES):
            if self.closed:
                break
            self._receive()
            self._turns = 0

    def _drain(self) -> None:
        """Take what the peer had sent before it closed, and close.

        A peer that closes with packets of ours unread resets the link, and Linux reports that in front of what the
        peer sent. It does so once, to whichever call comes first.
        """
        errors = 0
        while not self.closed and errors < 2:
            try:
                self._receive()
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                errors += 1
        self._close()

    def _receive(self) -> None:
        """Take one message, or the end; raises OSError."""
        size, descriptors, flags = _receive_with(self._socket, self._incoming)
        self._descriptors += descriptors
        if not size:
            self.close()
            return
        try:
            if flags & _DATA_CUT:
                raise PacketError("a message is larger than any")  # noqa: TRY301 - one door out
            if flags & _DESCRIPTORS_CUT:
                if descriptors:
                    raise PacketError("too many descriptors came at once")  # noqa: TRY301
                self._no_room = True
            self._take(bytes(memoryview(self._incoming)[:size]))
        except PacketError as error:
            _log.error("the link with process %d is closed: %s", self.peer, error)
            self.broken = True
            self.close()

    def _take(self, block: bytes) -> None:
        """Take the packets in what was received; a stream may cut one in two."""
        if self._partial:
            block, self._partial = self._partial + block, b""
        at, size, take = 0, len(block), self._take_common
        while at < size and not self.closed:
            start = at + _LENGTH_SIZE
            length = int.from_bytes(block[at:start], "big")
            end = start + length
            if end > size or length > MAX_PACKET:
                if start <= size and length > MAX_PACKET:
                    raise PacketError(f"a packet of {length} bytes")
                if self._keeps_apart:
                    raise PacketError("a packet is cut off")
                self._partial = block[at:]
                break
            packet = block[start:end]
            if not (self._greeted and take(packet)):
                self._take_packet(decode(packet))
            at = end
        # where a packet is cut in two, its descriptor came with the first half
        if len(self._descriptors) > bool(self._partial):
            raise PacketError("a descriptor came without OPEN")

    def _take_packet(self, packet: Packet) -> None:
        if not self._greeted:
            if not isinstance(packet, Hello):
                raise PacketError("the first packet is not HELLO")
            if packet.version != VERSION:
                raise PacketError(f"version {packet.version} is spoken there, {VERSION} here")
            self._greeted, self.peer = True, packet.pid
        elif isinstance(packet, Open):
            self._take_opening(packet)
        elif isinstance(packet, Hello):
            raise PacketError("HELLO came twice")
        else:
            self._on_packet(packet, -1)

    def _take_opening(self, packet: Open) -> None:
        if self._descriptors:
            self._on_packet(packet, self._descriptors.pop(0))
        elif self._no_room:
            self._no_room = False
            self._on_packet(packet, -1)
        else:
            raise PacketError("OPEN came without a descriptor")

    def close(self) -> None:
        """Close; descriptors that were not taken are closed too. `on_lost` is called once."""
        if not self.closed:
            self.flush()
            self._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, descriptors in self._outgoing:
            self._descriptors += descriptors
        self._outgoing.clear()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self._incoming = bytearray()
        self._on_lost()


_RETRY: Final = 0.05
"""Seconds to wait for the system to have room for one more packet."""

_SHORTAGES: Final = {
    getattr(errno, name)
    for name in ("ENOBUFS", "ENOMEM", "EMFILE", "ENFILE", "ETOOMANYREFS")
    if hasattr(errno, name)
}
_TURNS: Final = 8
"""Turns of the event loop from one look at whether there is more than one message to the next."""

_MAX_MESSAGES: Final = 32
"""Messages that are taken in a turn of the event loop; of large ones a socket's buffer never holds as many."""

_MAX_DESCRIPTORS: Final = 4
# numbers, not members of an enumeration: `&` on those runs Python code
_DATA_CUT: Final = int(getattr(socket, "MSG_TRUNC", 0))
_DESCRIPTORS_CUT: Final = int(getattr(socket, "MSG_CTRUNC", 0))

if sys.platform == "win32":

    def _send_with(sock: socket.socket, block: bytes, descriptors: tuple[int, ...]) -> int:
        raise UnsupportedError("descriptors travel over Unix sockets")

    def _receive_with(sock: socket.socket, buffer: bytearray) -> tuple[int, list[int], int]:
        raise UnsupportedError("descriptors travel over Unix sockets")

else:
    _ANCILLARY: Final = socket.CMSG_SPACE(4 * _MAX_DESCRIPTORS)
    _CLOEXEC: Final = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))

    def _send_with(sock: socket.socket, block: bytes, descriptors: tuple[int, ...]) -> int:
        """Send bytes and copies of descriptors with the first of them; returns how many bytes."""
        rights = struct.pack(f"={len(descriptors)}i", *descriptors)
        return sock.sendmsg((block,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights),))

    def _receive_with(sock: socket.socket, buffer: bytearray) -> tuple[int, list[int], int]:
        """Receive into `buffer`; returns how many bytes, the descriptors that came along, and the message's flags."""
        size, ancillary, flags, _ = sock.recvmsg_into([buffer], _ANCILLARY, _CLOEXEC)
        descriptors: list[int] = []
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                count = len(data) // 4
                descriptors += struct.unpack(f"={count}i", data[: count * 4])
        if not _CLOEXEC:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
        return size, descriptors, flags
