"""An encrypted connection: TLS records below, the bytes of whoever uses it above, OpenSSL in between.

The transport of the event loop has this for its protocol, once the handshake is complete, and a client's socket or a
connection to a destination has this for its transport. Nothing else knows that a connection is encrypted.

States. A connection is `OPEN` until `write_eof`, `close` or `abort`; `SHUT` once our side has ended (close_notify): what
is written is discarded, and the peer's bytes go on coming in; and `CLOSED` when the transport below is closed, or about
to be. The peer's side ends with its close_notify. Whether it may also end without, is its context's: one with
`ssl.OP_IGNORE_UNEXPECTED_EOF` takes that for the same, and with one without it the connection is lost then.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import ssl
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

from hostler.reading import LARGE_READ, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.tls.engine import TlsEngine

__all__ = ["TlsTransport"]

MAX_RECORD: Final = 1 << 14
"""Bytes that one record can carry (RFC 8446 5.1)."""

_SLICE: Final = 1 << 15
"""Bytes that OpenSSL is given at once: its memory grows to what it is given, and never shrinks."""

_FIRST_SLICE: Final = 1 << 12
"""Bytes that it is given first of more: in the smallest records, each with a new key, they take it 10 ms."""

SHARE: Final = 0.005
"""Seconds of a turn of the event loop that one connection's records may take."""

MAX_BARREN: Final = 2 * MAX_RECORD
"""Bytes without any data in them that a peer may send at once, in records that change keys, or are empty."""

LARGE_WRITE: Final = 1 << 18
"""Bytes that are encrypted ahead of what the system has taken."""

State = enum.Enum("State", "OPEN SHUT CLOSED")
_OPEN, _SHUT, _CLOSED = State


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """A transport for a protocol, over the transport that has this for its protocol."""

    __slots__ = (
        "_at_end", "_barren", "_decrypt", "_encrypt", "_error", "_explain", "_full", "_held", "_holds_back", "_incoming", "_loop", "_outgoing", "_paused",
        "_protocol", "_put", "_raw", "_reading", "_receive", "_send", "_state", "_take", "_tls", "_unread",
        "_waiting", "is_closing",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raw: asyncio.Transport,
        engine: TlsEngine,
        protocol: asyncio.Protocol,
        explain: Callable[[ssl.SSLError], Exception] | None = None,
    ) -> None:
        """Take over `raw` from a handshake that is complete, and connect `protocol`.

        `explain` makes what `protocol` is told of an error of OpenSSL's; without it, that is the error.
        """
        super().__init__()
        self._loop = loop
        self._raw = raw
        self._protocol = protocol
        self._tls, self._incoming, self._outgoing = engine.tls, engine.incoming, engine.outgoing
        self._put, self._take = self._incoming.write, self._outgoing.read
        self._decrypt, self._encrypt = self._tls.read, self._tls.write
        self._send: Callable[[bytes], None] = raw.write
        self.is_closing: Callable[[], bool] = raw.is_closing
        """Whether the descriptor is closed or about to be."""
        self._reading = Reading(loop, raw)
        self._held: list[bytes] = []
        """What was decrypted while nobody wanted it."""
        self._unread: list[memoryview] = []
        """What has come, and OpenSSL was not given yet."""
        self._barren = 0
        """How many bytes of that held no data, up to where OpenSSL is."""
        self._waiting: list[memoryview] = []
        """What is to be encrypted once the system has taken what is in front of it."""
        self._full = False
        """The system has not taken what was sent."""
        self._holds_back = False
        """Whoever writes was told so."""
        self._paused = False
        self._at_end: bool | None = False
        """Whether the peer has ended its side; None once the protocol knows."""
        self._error: Exception | None = None
        self._explain = explain
        self._state = _OPEN
        raw.set_protocol(self)
        protocol.connection_made(self)
        self._receive = protocol.data_received
        self._pass_on()

    # -- asyncio.Protocol: what comes in below --------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Decrypt what has come, and pass it on."""
        if len(data) <= _FIRST_SLICE and not self._unread:
            self._put(data)
            self._pass_on()
            return
        self._unread.append(memoryview(data))
        self._pass_on()
        if len(data) > LARGE_READ:
            self._reading.rest()

    def eof_received(self) -> bool:
        """Pass the end on, behind what has come before it."""
        while self._unread:
            self._put(self._unread.pop(0))
        self._incoming.write_eof()
        self._pass_on()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is gone."""
        if exc is not None and self._error is None and self._explain is not None:
            self._hear_out()
        self._end()
        protocol = self._protocol
        del self._protocol, self._receive  # which know us: we would wait for the collector
        protocol.connection_lost(self._error or exc)

    def _hear_out(self) -> None:
        """Note what the peer said before it reset the connection: a write may have met the reset before that was read.

        A server of TLS 1.3 refuses the client's certificate when the client is writing already (RFC 8446 4.4.2.4).
        """
        with (
            suppress(OSError, ValueError),
            socket.socket(fileno=self._raw.get_extra_info("socket").fileno()) as sock,
        ):
            try:
                self._put(sock.recv(_SLICE))
            finally:
                sock.detach()  # it is the transport's
        self._decrypt_all(self._held)

    def pause_writing(self) -> None:
        """Hold back whoever writes."""
        self._full = True
        if not self._holds_back:
            self._holds_back = True
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Send more of what waits, or let whoever writes go on."""
        self._full = False
        if self._waiting:
            self._send_waiting()
        if not self._full:
            self._holds_back = False
            self._protocol.resume_writing()

    # -- reading --------------------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        """Pass on what can be decrypted, in one piece, unless somebody has paused."""
        if self._paused or self._state is _CLOSED:
            return
        pieces = self._held
        if self._unread:
            self._decrypt_in_turn(pieces)
        else:
            self._decrypt_all(pieces)
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._receive(data)
        if self._outgoing.pending:
            self._flush()  # a new key, or the alert that says what is wrong
        if self._error is not None:
            self.abort()
        elif self._at_end and not self._paused:
            self._at_end = None
            if not self._protocol.eof_received():
                self.close()

    def _decrypt_in_turn(self, pieces: list[bytes]) -> None:
        """Decrypt slice by slice for `SHARE` seconds, and leave the rest for the next turn of the event loop."""
        unread, size, until = self._unread, _FIRST_SLICE, perf_counter() + SHARE
        while unread and self._error is None:
            data, before = unread[0], len(pieces)
            self._put(data[:size])
            if len(data) > size:
                unread[0] = data[size:]
            else:
                unread.pop(0)
            self._decrypt_all(pieces)
            self._barren = 0 if len(pieces) > before or not unread else self._barren + size
            if self._barren > MAX_BARREN:
                self._error = ConnectionAbortedError("the peer sends records without any data in them")
            elif unread and perf_counter() > until:
                self._reading.rest()
                self._loop.call_soon(self._resume)
                return
            size = min(2 * size, _SLICE)

    def _decrypt_all(self, pieces: list[bytes]) -> None:
        """Decrypt what has come, and note what ends it."""
        incoming, decrypt = self._incoming, self._decrypt
        try:
            while data := decrypt(MAX_RECORD):
                pieces.append(data)
                if not (incoming.pending or incoming.eof):
                    return
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:  # both sides have ended
            pass
        except ssl.SSLError as error:
            self._error = error if self._explain is None else self._explain(error)
            return
        if self._at_end is False:
            self._at_end = True

    def pause_reading(self) -> None:
        """Pass nothing on, and read nothing more."""
        self._paused = True
        self._reading.pause()

    def resume_reading(self) -> None:
        """Read again, beginning with what has come already."""
        self._paused = False
        self._reading.resume()
        if self._held or self._unread or self._incoming.pending or self._incoming.eof or self._at_end:
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._state is not _CLOSED:
            self._pass_on()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._raw.is_reading()

    # -- writing --------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send; of much, a part at a time as the system takes it."""
        if self._state is not _OPEN:
            return
        size = len(data)
        if size > MAX_RECORD:
            if size > LARGE_WRITE or self._waiting:
                self._waiting.append(memoryview(bytes(data)))
                self._send_waiting()
            else:
                self._send_records(memoryview(data))
        elif self._waiting:
            self._waiting.append(memoryview(bytes(data)))
        else:
            self._encrypt(data)
            self._send(self._take())

    def _send_records(self, data: memoryview) -> None:
        """Encrypt and send what takes several records."""
        encrypt, take, records = self._encrypt, self._take, []
        while data:
            data = data[encrypt(data) :]
            records.append(take())
        self._send(b"".join(records))

    def _send_waiting(self) -> None:
        """Encrypt and send until the system takes no more."""
        waiting = self._waiting
        while waiting and not self._full:
            data = waiting[0]
            if len(data) > LARGE_WRITE:
                waiting[0] = data[LARGE_WRITE:]
            else:
                waiting.pop(0)
            self._send_records(data[:LARGE_WRITE])

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send several pieces."""
        self.write(b"".join(list_of_data))

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._send(self._take())

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the system has not taken yet."""
        size = self._raw.get_write_buffer_size()
        return size + sum(map(len, self._waiting)) if self._waiting else size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return when writing is resumed and paused."""
        return self._raw.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when writing is to be paused and resumed."""
        self._raw.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        """Return True: close_notify ends our side alone (RFC 8446 6.1)."""
        return True

    def write_eof(self) -> None:
        """End our side: close_notify, then FIN."""
        self._notify()
        if not self._raw.is_closing():
            self._raw.write_eof()

    def _notify(self) -> None:
        """Send close_notify, once."""
        if self._state is not _OPEN:
            return
        while self._waiting:
            self._send_records(self._waiting.pop(0))
        # OpenSSL looks for the peer's close_notify at the same time, and takes what else it finds for an error
        if self._incoming.pending:
            self._decrypt_all(self._held)
        self._state = _SHUT
        with suppress(ssl.SSLError):  # the peer's own has not come
            self._tls.unwrap()
        self._flush()

    # -- ending ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End in order: send what was written, close_notify, close."""
        self._notify()
        self._end()
        self._raw.close()

    def abort(self) -> None:
        """End now."""
        self._end()
        self._raw.abort()

    def _end(self) -> None:
        self._state = _CLOSED
        self._waiting.clear()
        self._held.clear()
        self._unread.clear()

    # -- about it -------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what `ssl` knows as `ssl_object`, and what the transport below knows by any other name."""
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass what comes to another protocol from now on."""
        self._protocol = cast("asyncio.Protocol", protocol)
        self._receive = self._protocol.data_received

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return whoever uses it."""
        return self._protocol
