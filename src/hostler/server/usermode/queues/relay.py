"""A relay: the passing of bytes between a client and one end of a socket pair, of which members have copies.

It is for clients whose connection nobody else can write on, because the bytes on it are records that we make (TLS), and
for those that no kernel counts for (a Unix socket). To the lender it is a `LentSocket`; to the client's socket, while a
request is lent, the `SocketReader` in front of the connection. It is made with the first request of a connection that is
lent, and kept for its life: then the connection has three descriptors here.

States. The relay is `at rest` between loans: what a member writes then is nobody's answer, and breaks the connection. It
is `lent` from `lend` to `regain`: what comes out of the pair goes to the client, held back while the client does not keep
up. After `lend_reading` it is `feeding` too: what the client sends goes into the pair, held back while the member does
not read. `close`, when the client is gone, is for good.

We keep a copy of the member's end. So the next member can get one, and what the last one left unread can be taken back
in its order. What has come out of our end was written, and what is no more in the other was read: that is all that
there is to count, and it is exact.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hostler.errors import Failure, Reason
from hostler.server.usermode.queues.tcp_info import bytes_waiting

if TYPE_CHECKING:
    import asyncio
    from contextvars import Context

    from hostler.server.usermode.client_socket import ClientSocket, SocketReader

__all__ = ["Relay"]

_log = logging.getLogger("hostler.queues")
_READ: Final = 1 << 16


class Relay:
    """Passes on what members write to a client, and what it sends to them; `LentSocket` and `SocketReader`."""

    __slots__ = (
        "_client", "_context", "_far", "_is_feeding", "_is_held_back", "_is_lent", "_loop", "_near", "_pending", "_put", "_reader",
        "_room", "_taken", "fileno", "written", "written_by_member",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, context: Context, client: ClientSocket, reader: SocketReader
    ) -> None:
        """Have what comes out of the pair taken in copies of `context`. Raises OSError where there is no room for a pair.

        `reader` reads from the client while nothing is lent, and hears of it all the time.
        """
        self._loop = loop
        self._context = context
        self._client = client
        self._reader = reader
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._room = 2 * self._far.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        """More bytes than the pair holds: the last piece that is put in may reach beyond the buffer."""
        self.fileno = self._far.fileno
        self.written: int | None = 0
        self.written_by_member: int | None = None
        self._taken = 0
        """Bytes that members have written, all told."""
        self._put = 0
        """Bytes that went into the pair for the request that is lent."""
        self._pending = b""
        """What the client has sent and the pair had no room for."""
        self._is_lent = self._is_feeding = self._is_held_back = False
        self._watch()

    # -- LentSocket -----------------------------------------------------------------------------------------------

    def lend(self) -> None:
        """Pass on what a member writes from now on."""
        client = self._client
        self._is_lent = True
        client.read_by(self)
        if client.write_paused is not self._is_held_back:
            self._hold_back(held_back=client.write_paused)
        if client.ended:
            self._end()

    def lend_reading(self) -> int:
        """Pass on what the client sends, too."""
        self._is_feeding = True
        if not self._client.ended:
            self._client.resume_reading()
        return 0

    def answered(self, written: int) -> Failure | None:
        """Take the rest of what the member has written, which was all in the pair before it reported."""
        before = self.written or 0
        self._take_up_to(before + written)
        self.written_by_member = self._taken
        if self._taken == before + written or self._is_closed:
            return None
        why = f"the worker wrote {self._taken - before} bytes to the client, and reported {written}"
        _log.error("%s; its connection is reset", why)
        self._loop.remove_reader(self._near)
        return Failure(Reason.RESPONSE_BODY_DESTINATION, why)

    def regain(self) -> bytes | None:
        """Rest; returns what the client has sent and the member did not read, where it was to read."""
        self._is_lent = False
        if self._is_closed:
            return None
        self._client.read_by(self._reader)
        if not self._is_feeding:
            return None
        self._is_feeding = False
        self._client.pause_reading()  # as the connection left it
        return self._take_back()

    def bytes_written(self) -> int:
        """Return how many bytes members have written, those that are still in the pair among them."""
        self._take_up_to(self._taken + self._room)
        return self._taken

    def bytes_read(self) -> int:
        """Return how many bytes members have read for the request that is lent."""
        return self._put if self._is_closed else self._put - bytes_waiting(self._far)

    def close(self) -> None:
        """Reset the pair, and be done."""
        if self._is_closed:
            return
        self._loop.remove_reader(self._near)
        self._loop.remove_writer(self._near)
        with suppress(OSError):
            self._far.send(b"\0")  # bytes that nobody reads make the end a reset for the other side (Linux)
        self._near.close()
        self._far.close()
        del self._reader  # which knows us: the two would wait for the collector

    @property
    def _is_closed(self) -> bool:
        return self._near.fileno() < 0

    # -- from members to the client -------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._context.copy().run(self._loop.add_reader, self._near, self._take)

    def _take(self) -> bool:
        """Take of what a member has written, and pass it on; returns whether there was any."""
        try:
            data = self._near.recv(_READ)
        except OSError:  # there is nothing, or the client is gone
            return False
        if not data:
            self._on_member_ended()
        elif self._is_lent:
            self._taken += len(data)
            self._client.write(data)
        else:
            self._break("wrote between two requests")
        return bool(data) and self._is_lent

    def _take_up_to(self, taken: int) -> None:
        """Take what is in the pair now, until so much is `taken`: of a member that goes on writing there is always more."""
        most = min(taken, self._taken + self._room)
        while self._taken < most and self._take():
            pass

    def _on_member_ended(self) -> None:
        """End our side towards the client, as of an upgraded connection, and go on with the other direction."""
        self._loop.remove_reader(self._near)
        if self._is_lent:
            self._client.shut()

    def _break(self, what: str) -> None:
        _log.error("a worker %s; its client's connection is reset", what)
        self._loop.remove_reader(self._near)
        self._client.reset()

    def _hold_back(self, *, held_back: bool) -> None:
        self._is_held_back = held_back
        if held_back:
            self._loop.remove_reader(self._near)
        elif not self._is_closed:
            self._watch()

    # -- from the client to members -------------------------------------------------------------------------------

    def _put_in(self, data: bytes) -> bytes:
        """Put into the pair what it has room for; returns the rest."""
        try:
            sent = self._near.send(data)
        except (BlockingIOError, InterruptedError):
            return data
        except OSError:  # the member has shut a direction that is not its own
            self._break("reads no more")
            return b""
        self._put += sent
        return data[sent:]

    def _on_room(self) -> None:
        """Go on with what there was no room for, then with reading."""
        self._pending = self._put_in(self._pending)
        if not self._pending:
            self._loop.remove_writer(self._near)
            if self._client.ended:
                self._end()
            else:
                self._client.resume_reading()

    def _end(self) -> None:
        """Let members see that the client sends no more."""
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_WR)

    def _take_back(self) -> bytes:
        """Take what the member has left unread, and what there was no room for."""
        pieces = []
        with suppress(BlockingIOError, InterruptedError):
            while data := self._far.recv(_READ):
                pieces.append(data)
        self._put = 0
        if self._pending:
            self._loop.remove_writer(self._near)
            pieces.append(self._pending)
            self._pending = b""
        return b"".join(pieces)

    # -- SocketReader, while a request is lent --------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Pass on what the member is to read; what is behind its request is the connection's."""
        if not self._is_feeding:
            self._reader.received(data)
        elif self._pending:
            self._pending += data
        elif rest := self._put_in(data):
            self._pending = rest
            self._client.pause_reading()
            self._context.copy().run(self._loop.add_writer, self._near, self._on_room)

    def ended(self) -> None:
        """Let the member see the end behind all else; where it does not read, the connection judges what it means."""
        if not self._pending:
            self._end()
        if not self._is_feeding:
            self._reader.ended()

    def lost(self, error: Exception | None) -> None:
        """Let the connection know."""
        self._reader.lost(error)

    def writing_paused(self) -> None:
        """Take nothing from members until the client keeps up."""
        self._hold_back(held_back=True)

    def writing_resumed(self) -> None:
        """Take again what members write."""
        self._hold_back(held_back=False)

    def timed_out(self) -> None:
        """Let the connection know."""
        self._reader.timed_out()
