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
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.tls.engine import TlsEngine

__all__ = ["TlsTransport"]

MAX_READ: Final = 1 << 16
"""Bytes that are asked of OpenSSL at once; it gives one record, at most 16 KiB (RFC 8446 5.1)."""

State = enum.Enum("State", "OPEN SHUT CLOSED")
_OPEN, _SHUT, _CLOSED = State


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """A transport for a protocol, over the transport that has this for its protocol."""

    __slots__ = (
        "_decrypt", "_encrypt", "_ended", "_error", "_held", "_incoming", "_loop", "_outgoing", "_paused", "_protocol",
        "_put", "_raw", "_send", "_state", "_take", "_tls",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raw: asyncio.Transport,
        engine: TlsEngine,
        protocol: asyncio.Protocol,
    ) -> None:
        """Take over `raw` from a handshake that is complete, and connect `protocol`."""
        super().__init__()
        self._loop = loop
        self._raw = raw
        self._protocol = protocol
        self._tls, self._incoming, self._outgoing = engine.tls, engine.incoming, engine.outgoing
        self._put, self._take = self._incoming.write, self._outgoing.read
        self._decrypt, self._encrypt = self._tls.read, self._tls.write
        self._send: Callable[[bytes], None] = raw.write
        self._held: list[bytes] = []
        """What was decrypted while nobody wanted it."""
        self._paused = self._ended = False
        self._error: ssl.SSLError | None = None
        self._state = _OPEN
        raw.set_protocol(self)
        protocol.connection_made(self)
        self._pass_on()

    # -- asyncio.Protocol: what comes in below --------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Decrypt what has come, and pass it on."""
        self._put(data)
        self._pass_on()

    def eof_received(self) -> bool:
        """Pass the end on, behind what has come before it."""
        self._incoming.write_eof()
        self._pass_on()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is gone."""
        self._state = _CLOSED
        protocol = self._protocol
        del self._protocol  # which knows us: the two would wait for the collector
        protocol.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        """Hold back whoever writes."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        self._protocol.resume_writing()

    # -- reading --------------------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        """Pass on what can be decrypted, until somebody pauses."""
        incoming, receive = self._incoming, self._protocol.data_received
        try:
            while not self._paused and self._state is not _CLOSED:
                data = self._held.pop(0) if self._held else self._decrypt(MAX_READ)
                if not data:
                    self._note_end()
                    break
                receive(data)
                if not (incoming.pending or incoming.eof or self._tls.pending() or self._held):
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._error = error
            self._flush()  # the alert that says why
            self.abort()
            return
        if self._outgoing.pending:
            self._flush()

    def _note_end(self) -> None:
        """Pass on, once, that the peer sends no more."""
        if not self._ended:
            self._ended = True
            if not self._protocol.eof_received():
                self.close()

    def pause_reading(self) -> None:
        """Pass nothing on, and read nothing more."""
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again, beginning with what has come already."""
        self._paused = False
        self._raw.resume_reading()
        if self._held or self._incoming.pending or self._incoming.eof or self._tls.pending():
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._state is not _CLOSED:
            self._pass_on()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._raw.is_reading()

    # -- writing --------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._state is not _OPEN:
            return
        encrypt = self._encrypt
        sent = encrypt(data)
        if sent < len(data):  # a record at a time
            rest = memoryview(data)[sent:]
            while rest:
                rest = rest[encrypt(rest) :]
        self._send(self._take())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send several pieces."""
        self.write(b"".join(list_of_data))

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._send(self._take())

    def get_write_buffer_size(self) -> int:
        """Return how many bytes of records the system has not taken yet."""
        return self._raw.get_write_buffer_size()

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
        # OpenSSL looks for the peer's close_notify at the same time, and takes what else it finds for an error
        with suppress(ssl.SSLError):
            while data := self._decrypt(MAX_READ):
                self._held.append(data)
        self._state = _SHUT
        with suppress(ssl.SSLError):  # the peer's own has not come
            self._tls.unwrap()
        self._flush()

    # -- ending ---------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether the descriptor is closed or about to be."""
        return self._raw.is_closing()

    def close(self) -> None:
        """End in order: send what was written, close_notify, close."""
        self._notify()
        self._state = _CLOSED
        self._raw.close()

    def abort(self) -> None:
        """End now."""
        self._state = _CLOSED
        self._raw.abort()

    # -- about it -------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what `ssl` knows as `ssl_object`, and what the transport below knows by any other name."""
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass what comes to another protocol from now on."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return whoever uses it."""
        return self._protocol
