"""An encrypted connection: TLS records below, the bytes of a `ClientSocket` above, OpenSSL in between.

The transport of the event loop has this for its protocol, and the client's socket has this for its transport. Nothing
else knows that a connection is encrypted. OpenSSL reads and writes memory (`ssl.MemoryBIO`), so that it is the same on
every event loop, with neither a task nor a future.

States. A connection is `HANDSHAKE` from its first moment until OpenSSL says that the handshake is complete; the client's
socket learns of it then, and never of one that fails. It is `OPEN` until `write_eof`, `close` or `abort`; `SHUT` once our
side has ended (close_notify): what is written is discarded, and the client's bytes go on coming in; and `CLOSED` when the
transport below is closed, or about to be.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from hostler.server.usermode.tls.session import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.server.usermode.tls.session import Session

__all__ = ["TlsTransport"]

_log = logging.getLogger("hostler.server")

MAX_READ: Final = 1 << 16
"""Bytes that are asked of OpenSSL at once; it gives one record, at most 16 KiB (RFC 8446 5.1)."""

State = enum.Enum("State", "HANDSHAKE OPEN SHUT CLOSED")
_HANDSHAKE, _OPEN, _SHUT, _CLOSED = State


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """A transport for one client's socket, over the transport that has this for its protocol."""

    __slots__ = (
        "_deadline", "_decrypt", "_encrypt", "_incoming", "_loop", "_outgoing", "_paused", "_protocol", "_put", "_raw",
        "_send", "_state", "_take", "_tls",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        protocol: asyncio.Protocol,
        timeout: float,
    ) -> None:
        """Take part in a handshake by `context` that may last `timeout` seconds; then `protocol` is connected."""
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = cast("Session", context.wrap_bio(self._incoming, self._outgoing, server_side=True))
        self._put, self._take = self._incoming.write, self._outgoing.read
        self._decrypt, self._encrypt = self._tls.read, self._tls.write
        self._deadline: asyncio.TimerHandle | None = loop.call_later(timeout, self._on_deadline)
        self._paused = False
        self._state = _HANDSHAKE
        self._raw: asyncio.Transport
        self._send: Callable[[bytes], None]

    # -- asyncio.Protocol: what comes in below --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to begin."""
        self._raw = cast("asyncio.Transport", transport)
        self._send = self._raw.write

    def data_received(self, data: bytes) -> None:
        """Decrypt what has come, and pass it on."""
        self._put(data)
        if self._state is _HANDSHAKE and not self._shake_hands():
            return
        self._pass_on()

    def eof_received(self) -> bool:
        """Pass the end on, with or without a close_notify: the messages of HTTP say themselves where they end."""
        if self._state is _HANDSHAKE:
            self.abort()
        else:
            self._protocol.eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is gone."""
        began = self._deadline is None
        self._end()
        if began:
            self._protocol.connection_lost(exc)
        del self._protocol  # which knows us: the two would wait for the collector

    def pause_writing(self) -> None:
        """Hold back whoever writes."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        self._protocol.resume_writing()

    # -- the handshake --------------------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Go on with the handshake; returns whether it is complete."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()  # the alert that says why
            _log.info("no TLS connection with %s: %s", self._raw.get_extra_info("peername"), error)
            self._raw.close()
            return False
        self._flush()
        self._end_deadline()
        self._state = _OPEN
        self._protocol.connection_made(self)
        return True

    def _on_deadline(self) -> None:
        self.abort()

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- reading --------------------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        """Pass on what can be decrypted, until somebody pauses."""
        incoming, receive = self._incoming, self._protocol.data_received
        try:
            while not self._paused and self._state is not _CLOSED:
                data = self._decrypt(MAX_READ)
                if not data:
                    self._protocol.eof_received()
                    break
                receive(data)
                if not incoming.pending and not self._tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            _log.info("a TLS connection broke: %s", error)
            self._flush()
            self.abort()
            return
        if self._outgoing.pending:
            self._flush()

    def pause_reading(self) -> None:
        """Pass nothing on, and read nothing more."""
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again, beginning with what has come already."""
        self._paused = False
        self._raw.resume_reading()
        if self._incoming.pending or self._tls.pending():
            self._loop.call_soon(self._pass_on)

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
        self._state = _SHUT
        with suppress(ssl.SSLError):  # the client's own has not come
            self._tls.unwrap()
        self._flush()

    # -- ending ---------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether the descriptor is closed or about to be."""
        return self._raw.is_closing()

    def close(self) -> None:
        """End in order: send what was written, close_notify, close."""
        self._notify()
        self._raw.close()
        self._end()

    def abort(self) -> None:
        """End now."""
        self._raw.abort()
        self._end()

    def _end(self) -> None:
        self._state = _CLOSED
        self._end_deadline()

    # -- about it -------------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return how the connection is encrypted as `tls`, and what the transport below knows by any other name."""
        return describe(self._tls) if name == "tls" else self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Refuse: the connection has the protocol that it was made for."""
        raise TypeError("an encrypted connection keeps its protocol")

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the client's socket."""
        return self._protocol
