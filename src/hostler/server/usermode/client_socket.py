"""A client's socket: moves bytes, holds back whoever is too fast, and ends in one of three manners.

It knows no HTTP; whoever reads from it is a `SocketReader`. States:

    OPEN       bytes move both ways
    LENT       another process may read and write on its copy of the descriptor; we write nothing
    LINGERING  our side is shut behind what was written, and what still comes is discarded, until the client shuts its
               side or for LINGER seconds: a reset would destroy the answer's tail (RFC 9112 9.6)
    CLOSING    what was written is being sent; then our side is shut and the descriptor closed
    CLOSED     the reader was told that the connection is gone, once; or it went back to its owner

The reader lends and regains (OPEN, LENT), and ends: `close` goes to CLOSING, `linger` to LINGERING and from there to
CLOSING, `reset` to CLOSING with nothing left to send. The event loop goes to CLOSED from anywhere. An end never raises,
whatever the peer has done by then, and a second one changes nothing, except that a reset always cuts short.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from hostler.deadline import Deadline
from hostler.reading import LARGE_READ, Reading
from hostler.server.usermode.addresses import address_of, borrow_socket, own_address_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.http.security import Tls

__all__ = ["HIGH_WATER", "LINGER", "ClientSocket", "SocketReader"]

_log = logging.getLogger("hostler.server")

HIGH_WATER: Final = 1 << 16
"""Bytes that may wait to be sent before whoever writes them is paused."""

LINGER: Final = 5.0
"""Seconds that a client has to stop sending after our side was shut."""

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing resets."""


class SocketReader(Protocol):
    """Whoever reads what a client sends, and is told about its socket."""

    def received(self, data: bytes) -> None:
        """Take bytes."""

    def ended(self) -> None:
        """The client sends no more (FIN); it may still read."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; nothing follows."""

    def writing_paused(self) -> None:
        """The client does not keep up with what is written."""

    def writing_resumed(self) -> None:
        """The client keeps up again."""

    def timed_out(self) -> None:
        """The receive deadline is over."""


class State(enum.Enum):
    """What a client's socket is doing."""

    OPEN = enum.auto()
    LENT = enum.auto()
    LINGERING = enum.auto()
    CLOSING = enum.auto()
    CLOSED = enum.auto()


# an enum's member costs a look-up in its class, each time; a module's constant does not
_OPEN, _LENT, _LINGERING, _CLOSING, _CLOSED = State


class ClientSocket(asyncio.Protocol):
    """One client's socket, on a transport of the event loop or one for a descriptor that was lent to us."""

    __slots__ = (
        "_accepted", "_addresses", "_flushed", "_is_shared", "_loop", "_make_reader", "_raw", "_reader", "_reading", "_receive", "_send_deadline", "_send_timeout", "_state",
        "_transport", "_unsent", "deadline", "ended", "is_closing", "is_encrypted", "write", "write_paused", "writelines",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make_reader: Callable[[ClientSocket], SocketReader],
        send_timeout: float,
        accepted: socket.socket | None = None,
        addresses: tuple[Address, Address] | None = None,
        *,
        is_encrypted: bool = False,
    ) -> None:
        """Call `make_reader` once connected. A client that takes nothing for `send_timeout` seconds is reset.

        `accepted` is what the transport is made of, and belongs to it, `addresses` the client's and ours; both where
        they are known.
        """
        self._loop = loop
        self._accepted = accepted
        self._addresses = addresses
        self.is_encrypted = is_encrypted
        """Whether its transport makes records of what is written, so that nobody else can write on the descriptor."""
        self._is_shared = accepted is None
        """Whether another process may have a copy of the descriptor."""
        self._make_reader = make_reader
        self._send_timeout = send_timeout
        self._state = _OPEN
        self._transport: asyncio.Transport
        self._reading: Reading
        self._reader: SocketReader
        self._receive: Callable[[bytes], None]
        self._send_deadline: Deadline | None = None
        """There once something waits to be sent."""
        self._unsent = 0
        self._flushed: list[Callable[[], None]] = []
        self._raw: socket.socket | None = None
        self.deadline = Deadline(loop, self._on_deadline)
        """The receive deadline: for what the client is to send next."""
        self.write: Callable[[bytes], None]
        """Send bytes: the transport's own method, until nothing is to be written any more."""
        self.writelines: Callable[[Any], None]
        self.is_closing: Callable[[], bool]
        """Whether the descriptor is closed or about to be: the transport's own method."""
        self.ended = False
        """The client sends no more."""
        self.write_paused = False

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        made = self._transport = cast("asyncio.Transport", transport)
        self.write, self.writelines, self.is_closing = made.write, made.writelines, made.is_closing
        self._reading = Reading(self._loop, made)
        self._reader = self._make_reader(self)
        self._receive = self._reader.received
        del self._make_reader

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, or discard them after the end."""
        # the Proactor of Python 3.11 gives bytearrays
        self._receive(data if type(data) is bytes else bytes(data))
        if len(data) > LARGE_READ:
            self._reading.rest()

    def eof_received(self) -> bool:
        """Note that the client sends no more; it may still be waiting for its answers."""
        if not self.ended:  # reading that was resumed finds the end once more
            self.ended = True
            if self._state is _LINGERING:
                self.close()
            elif self._state in _IN_USE:
                self._reader.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader that the connection is gone."""
        if self._state is not _CLOSED:
            reader = self._reader
            self.let_go()
            reader.lost(exc)

    def pause_writing(self) -> None:
        """Hold back whoever writes."""
        self.write_paused = True
        self._watch_sending()
        self._reader.writing_paused()

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        if self._state in _IN_USE:
            self.write_paused = False
        if self._send_deadline is not None and not self.is_closing():
            self._send_deadline.clear()
        if self._flushed:
            # asyncio's transport goes on after this call with a look at itself, and must not be closed in it
            self._loop.call_soon(self._on_flushed)
        self._reader.writing_resumed()

    # -- flow -----------------------------------------------------------------------------------------------------

    def addresses(self) -> tuple[Address, Address]:
        """Return the client's address and ours."""
        if self._addresses is None:
            info = self._transport.get_extra_info
            self._addresses = address_of(info("peername")), own_address_of(info("sockname"))
        return self._addresses

    def security(self) -> Tls | None:
        """Return how the connection is encrypted, where it is."""
        if not self.is_encrypted:
            return None
        from hostler.server.usermode.tls.session import describe  # noqa: PLC0415 - for https alone

        return describe(self._transport.get_extra_info("ssl_object"))

    def raw(self) -> socket.socket:
        """Return a socket object for the descriptor, which stays the transport's; detached once that is gone."""
        if self._raw is None:
            owner = self._accepted or self._transport.get_extra_info("socket")
            descriptor = owner.fileno()
            self._raw = borrow_socket(descriptor, self.addresses()[1][0])
        return self._raw

    @property
    def unsent(self) -> int:
        """Bytes written and not yet with the system."""
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Read no more from the client for now."""
        self._reading.pause()

    def resume_reading(self) -> None:
        """Read from the client again."""
        self._reading.resume()

    def when_flushed(self, callback: Callable[[], None]) -> None:
        """Call back once everything written is with the system, at once if it is; or when the connection is gone."""
        if self._state is _CLOSED or self.is_closing() or not self.unsent:
            callback()
            return
        self._flushed.append(callback)
        self._transport.set_write_buffer_limits(0)  # to be told when nothing is left
        self._watch_sending()

    async def flushed(self) -> bool:
        """Wait until everything written is with the system; returns whether the connection is still there then."""
        if self.unsent:
            waiter = asyncio.get_running_loop().create_future()
            self.when_flushed(lambda: None if waiter.done() else waiter.set_result(None))
            await waiter
        return self._state in _IN_USE and not self.is_closing()

    def _on_flushed(self) -> None:
        if self._state is not _CLOSED and not self.unsent:
            if not self.is_closing():
                self._transport.set_write_buffer_limits(HIGH_WATER)
            self._call_flushed()

    def _call_flushed(self) -> None:
        callbacks, self._flushed = self._flushed, []
        for callback in callbacks:
            callback()

    def _watch_sending(self) -> None:
        """Give the client its time to take some of what is written and not yet with the system."""
        self._unsent = self.unsent
        if self._unsent:
            if self._send_deadline is None:
                self._send_deadline = Deadline(self._loop, self._on_send_deadline)
            self._send_deadline.set(self._send_timeout)

    def _on_send_deadline(self) -> None:
        unsent = self.unsent
        if unsent < self._unsent:
            self._watch_sending()
        elif unsent:
            self.reset()

    def _on_deadline(self) -> None:
        if self._state is not _LINGERING:
            self._reader.timed_out()
        elif self.unsent:
            self.deadline.set(LINGER)
        else:
            self.close()

    # -- lending --------------------------------------------------------------------------------------------------

    @property
    def is_relayed(self) -> bool:
        """Whether it is lent through a relay: nobody else can make its records, or it has no TCP that counts its bytes."""
        sock = self._accepted or self._transport.get_extra_info("socket")
        return self.is_encrypted or sock.family not in _TCP

    def read_by(self, reader: SocketReader) -> None:
        """Have somebody else read from now on, and hear what becomes of the socket."""
        if self._state is not _CLOSED:
            self._reader = reader
            if self._state in _IN_USE:
                self._receive = reader.received

    def lend(self) -> None:
        """Write nothing more: another process may. An end from now on is for every copy of the descriptor."""
        self._state = _LENT
        self._is_shared = True

    def regain(self) -> None:
        """Have the socket to ourselves again."""
        if self._state is _LENT:
            self._state = _OPEN

    # -- ending ---------------------------------------------------------------------------------------------------

    def shut(self) -> None:
        """Send no more, behind what was written, and go on reading."""
        self.write = self.writelines = _discard
        self.when_flushed(self._shut)

    def close(self) -> None:
        """End in order: send what was written, shut our side, close."""
        if self._state in _CAN_CLOSE:
            self._end(_CLOSING)
            if self.unsent:
                self.pause_reading()
                self.when_flushed(self._close)
            else:
                self._close()

    def linger(self) -> None:
        """End in order, with a client that may still be sending: shut our side, and discard what comes for a moment."""
        if self._state not in _IN_USE:
            return
        if self.ended:
            self.close()
            return
        self._end(_LINGERING)
        self.resume_reading()
        self.deadline.set(LINGER)
        self.when_flushed(self._shut)

    def reset(self) -> None:
        """End at once, with a reset, so that a client cannot take what it got for all there is."""
        if self._state is _CLOSED or (self.is_closing() and not self.unsent):
            return
        lent = self._state is _LENT
        self._end(_CLOSING)
        try:
            (self._accepted or self.raw()).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if lent:
                from hostler.server.usermode.cutting import cut_off  # noqa: PLC0415 - what is never lent does without

                cut_off(self.raw())
        except OSError as error:
            _log.debug("no reset: %s", error)
        self._transport.abort()

    def let_go(self) -> None:
        """Be done with the socket, without a word to the reader: it is gone, or its owner has it back."""
        if self._state is _CLOSED:
            return
        self._end(_CLOSED)
        del self._reader  # which knows us: the two would wait for the collector
        self.deadline.close()
        if self._send_deadline is not None:
            self._send_deadline.close()
        self._accepted = None
        if self._raw is not None:
            self._raw.detach()
            self._raw = None
        self._call_flushed()

    def _end(self, state: State) -> None:
        self._state = state
        self.write = self.writelines = self._receive = _discard
        self.write_paused = True
        self.deadline.clear()

    def _close(self) -> None:
        if not self.is_closing():
            if self._is_shared:
                self._shut()  # closing our copy says nothing to the client while another process has one
            self._transport.close()

    def _shut(self) -> None:
        if self._state is _CLOSED or self.is_closing():
            return
        if self.is_encrypted:
            self._transport.write_eof()
            return
        try:
            (self._accepted or self.raw()).shutdown(socket.SHUT_WR)
        except OSError as error:
            # the client reset the connection, and the loop has not seen it yet
            _log.debug("the connection is gone already: %s", error)
            self._transport.abort()


_TCP: Final = {socket.AF_INET, socket.AF_INET6}
_IN_USE: Final = {_OPEN, _LENT}
_CAN_CLOSE: Final = {_OPEN, _LENT, _LINGERING}


def _discard(data: object) -> None:
    """Take what nobody wants any more."""
