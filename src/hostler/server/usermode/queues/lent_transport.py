"""A lent connection in the process that answers on it: a transport, and the way back.

The descriptor is a copy of the lender's: closing it closes nothing, what is read from it is gone for the lender, and
it is non-blocking for both or for none. So the transport here is our own, and small: it writes at once, reads only
when a body is wanted, watches for the client's departure without taking a byte, and knows when it is flushed.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hostler.server.usermode.client_socket import HIGH_WATER
from hostler.server.usermode.queues.tcp_info import has_ended, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.server.usermode.client_socket import ClientSocket

__all__ = ["LentTransport"]

_READ: Final = 1 << 16
_PEEK: Final = int(socket.MSG_PEEK)
_MAX_PIECES: Final = 64
"""Pieces that one system call sends."""

LOOK_INTERVAL: Final = 1.0
"""Seconds between two looks at whether a client is gone that has sent what is not ours to read."""


if sys.platform == "win32":

    def _send_pieces(sock: socket.socket, pieces: deque[memoryview]) -> int:
        """Send the first of several pieces; returns how many bytes the system took."""
        return sock.send(pieces[0])

else:

    def _send_pieces(sock: socket.socket, pieces: deque[memoryview]) -> int:
        """Send several pieces with one system call; returns how many bytes the system took."""
        return sock.sendmsg(islice(pieces, _MAX_PIECES))


class LentTransport(asyncio.Transport):
    """An asyncio transport on a descriptor that goes back when the exchange is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: ClientSocket) -> None:
        super().__init__()
        self._loop = loop
        self._socket = sock
        self._protocol = protocol
        self._pieces: deque[memoryview] = deque()
        """What the system has not taken yet."""
        self._unsent = 0
        self.is_flushed = True
        """Everything written is with the system."""
        self._high = HIGH_WATER
        self._low = HIGH_WATER // 4
        self.readable: int | None = None
        """Bytes that may still be taken from the client; None where nobody knows. Behind them is the lender's."""
        self.on_first_write: Callable[[], None] | None = None
        """Called once, before the next bytes are written."""
        self.bytes_written = 0
        """Bytes that the system took since whoever is interested set this to 0."""
        self.is_at_rest = True
        """Nothing has been read or watched since its owner set this."""
        self._reading = False
        self._watching = False
        self._look_timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._lost = False
        self._broken = False
        self._paused = False

    # -- reading --------------------------------------------------------------------------------------------------

    def resume_reading(self) -> None:
        """Read what the client sends, up to the last byte that is ours."""
        self.is_at_rest = False
        if self.readable == 0:
            self.watch()
        elif not self._reading and not self._closing:
            self._look_no_more()
            self._reading, self._watching = True, False
            self._loop.add_reader(self._socket, self._on_readable)

    def pause_reading(self) -> None:
        """Read no more."""
        self._look_no_more()
        if self._reading or self._watching:
            self._reading = self._watching = False
            self._loop.remove_reader(self._socket)

    def is_reading(self) -> bool:
        """Whether bytes are read."""
        return self._reading

    def watch(self) -> None:
        """Notice when the client goes away, and take nothing."""
        self.is_at_rest = False
        if not self._reading and not self._watching and not self._closing and self._look_timer is None:
            self._watching = True
            self._loop.add_reader(self._socket, self._on_sign)

    def peek(self) -> bytes:
        """Return what has arrived, and take none of it."""
        try:
            return self._socket.recv(_READ, _PEEK)
        except OSError:
            return b""

    def _on_sign(self) -> None:
        try:
            sign = self._socket.recv(1, _PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fatal(error)
            return
        self.pause_reading()
        if sign:  # a next request stays where it is, and the loop would tell of it again and again
            self._look_timer = self._loop.call_later(LOOK_INTERVAL, self._look)
        else:
            self._on_end()

    def _look(self) -> None:
        """See whether the client is gone that has sent something behind the request."""
        self._look_timer = None
        if has_ended(self._socket):
            self._on_end()
        else:
            self._look_timer = self._loop.call_later(LOOK_INTERVAL, self._look)

    def _look_no_more(self) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_READ if self.readable is None else min(_READ, self.readable))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fatal(error)
            return
        if data:
            if self.readable is not None:
                self.readable -= len(data)
                if not self.readable:
                    self.pause_reading()
            self._protocol.data_received(data)
        else:
            self.pause_reading()
            self._on_end()

    def _on_end(self) -> None:
        """Tell a client that sends no more from one that is gone: the error of a reset may be the lender's already."""
        if is_gone(self._socket):
            self._fatal(ConnectionResetError("the client reset the connection"))
        else:
            self._protocol.eof_received()

    # -- writing --------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now what the socket takes, keep the rest."""
        if self._broken or self._lost:
            return
        if self.on_first_write is not None:
            callback, self.on_first_write = self.on_first_write, None
            callback()
        sent = 0
        if self.is_flushed:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._fatal(error)
                return
            self.bytes_written += sent
            if sent == len(data):
                return
            self._loop.add_writer(self._socket, self._on_writable)
            self.is_flushed = False
        rest = memoryview(data if isinstance(data, bytes) else bytes(data))[sent:]
        self._pieces.append(rest)
        self._unsent += len(rest)
        self._pause_if_full()

    def writelines(self, list_of_data: Any) -> None:
        """Send several pieces with one system call."""
        self.write(b"".join(list_of_data))

    def _on_writable(self) -> None:
        pieces = self._pieces
        try:
            sent = _send_pieces(self._socket, pieces)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fatal(error)
            return
        self.bytes_written += sent
        self._unsent -= sent
        while sent:
            size = len(pieces[0])
            if sent < size:
                pieces[0] = pieces[0][sent:]
                break
            pieces.popleft()
            sent -= size
        if not pieces:
            self.is_flushed = True
            self._loop.remove_writer(self._socket)
            if self._closing:
                self._end(None)
                return
        if self._paused and self._unsent <= self._low:
            self._paused = False
            self._protocol.resume_writing()

    def _pause_if_full(self) -> None:
        if not self._paused and self._unsent > self._high:
            self._paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Return False: whoever owns the socket shuts it."""
        return False

    def get_write_buffer_size(self) -> int:
        """Bytes written and not yet with the system."""
        return self._unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return (low, high)."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when writers are paused and resumed."""
        self._high = HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low
        self._pause_if_full()

    # -- ending ---------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Let go of the connection once everything is flushed."""
        if not self._closing:
            self._closing = True
            self.pause_reading()
            if self.is_flushed:
                self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        """Let go of the connection now."""
        self._fatal(None)

    def _fatal(self, error: OSError | None) -> None:
        if self._lost:
            return
        self._closing = self._broken = True
        self._pieces.clear()
        self._unsent = 0
        self.pause_reading()
        self._loop.remove_writer(self._socket)
        self._loop.call_soon(self._end, error)

    def _end(self, error: OSError | None) -> None:
        if not self._lost:
            self._lost = True
            protocol = self._protocol
            self.release()
            protocol.connection_lost(error)

    def release(self) -> None:
        """Close our copy of the descriptor without a word to the protocol: the connection goes back."""
        self._lost = self._closing = True
        self.pause_reading()
        self.on_first_write = None
        self._socket.close()
        self._protocol = None  # type: ignore[assignment] # it knows us: the two would wait for the collector

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket."""
        return self._socket if name == "socket" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Refuse: a lent connection has the protocol that it was made for."""
        raise TypeError("a lent connection keeps its protocol")

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the connection."""
        return self._protocol
