"""The handshake with a client, which is the protocol of its connection until that is encrypted."""

from __future__ import annotations

import asyncio
import enum
import logging
import ssl
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from hostler.contract import Rejection
from hostler.errors import ProtocolError
from hostler.http.encode import encode_rejection
from hostler.server.usermode.addresses import address_of
from hostler.tls.engine import TlsEngine
from hostler.tls.transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.server.usermode.tls.contexts import TlsContexts
    from hostler.server.usermode.tls.handshakes import Handshakes
    from hostler.server.usermode.tls.session import Session

__all__ = ["ServerHandshake"]

_log = logging.getLogger("hostler.server")

_HANDSHAKE_RECORD: Final = 0x16
"""ContentType `handshake` (RFC 8446 5.1), the first byte of every client that speaks TLS."""

_LETTERS: Final = range(ord("A"), ord("Z") + 1)
"""What a request begins with, as the names of all methods that are registered."""

_PLAIN_HTTP: Final = "The plain HTTP request was sent to an HTTPS port: ask for https:// instead."

_KINDS: Final = {
    "CALLBACK_FAILED": "host",  # which is not ASCII
    "UNSUPPORTED_PROTOCOL": "version",
    "NO_SHARED_CIPHER": "cipher",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "cipher",
    "NO_SUITABLE_KEY_SHARE": "cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client certificate",
    "CERTIFICATE_VERIFY_FAILED": "client certificate",
    "WRONG_VERSION_NUMBER": "not TLS",
}

State = enum.Enum("State", "SILENT BEGUN OVER")
_SILENT, _BEGUN, _OVER = State


class ServerHandshake(asyncio.Protocol):
    """A handshake with one client.

    Once it is complete, what `make_protocol` makes is connected with a `TlsTransport`; when it fails, nothing is made.

    It is `SILENT` until the first byte comes, and costs little as long; `BEGUN` while OpenSSL works on it; and `OVER` when
    it is complete or has failed. A client whose handshake failed is told why, and what it still sends is discarded until
    it closes, or its time is over: a reset would destroy what it was told.
    """

    __slots__ = (
        "_address", "_contexts", "_deadline", "_engine", "_handshakes", "_hello", "_make_protocol", "_raw", "_received",
        "_state", "_waits",
    )  # fmt: skip

    def __init__(
        self,
        handshakes: Handshakes,
        contexts: TlsContexts,
        make_protocol: Callable[[], asyncio.Protocol],
        address: Address | None = None,
    ) -> None:
        """Take part in a handshake by `contexts`; `address` is the client's, where that is known."""
        self._handshakes = handshakes
        self._contexts = contexts
        self._make_protocol = make_protocol
        self._address = address
        self._engine: TlsEngine | None = None
        self._received = b""
        """What waits for its turn."""
        self._hello: bytes | None = None
        """What has come before the client's host was known, where the handshake may have to begin anew."""
        self._waits = False
        self._state = _SILENT
        self._raw: asyncio.Transport
        self._deadline: asyncio.TimerHandle

    # -- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to begin."""
        self._raw = cast("asyncio.Transport", transport)
        timeout = self._contexts.options.handshake_timeout
        self._deadline = self._handshakes.loop.call_later(timeout, self.drop, "too slow")
        self._handshakes.begin(self)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake."""
        if self._state is _OVER or self._raw.is_closing():
            return
        if self._state is _SILENT:
            if data[0] != _HANDSHAKE_RECORD:
                self._refuse(data[0] in _LETTERS)
                return
            self._state = _BEGUN
        self._received += data
        if not self._waits:
            self._handshakes.take_turn(self)

    def eof_received(self) -> bool:
        """Give up: a handshake needs both sides."""
        self._fail("left", logging.DEBUG, "it ended the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Be done with it."""
        self._fail("left", logging.DEBUG, "the connection is gone")
        self._deadline.cancel()
        self._handshakes.end(self)

    # -- turns ----------------------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Read no more until it is this handshake's turn."""
        self._waits = True
        self._raw.pause_reading()

    def go_on(self) -> None:
        """Go on with what has come."""
        raw = self._raw
        if self._state is not _BEGUN or raw.is_closing():
            return
        if self._waits:
            self._waits = False
            raw.resume_reading()
        received, self._received = self._received, b""
        engine = self._engine
        if engine is None:
            engine = self._engine = self._contexts.begin()
            self._hello = received if self._contexts.begins_anew else None
        elif self._hello is not None:
            self._hello += received
        engine.incoming.write(received)
        self._shake_hands(engine)

    def _shake_hands(self, engine: TlsEngine) -> None:
        session = cast("Session", engine.tls)
        hook = sys.unraisablehook
        sys.unraisablehook = partial(_on_unraisable, hook)
        try:
            complete = engine.shake_hands()
        except ssl.SSLError as error:
            if session.anew is not None:
                self._begin_anew(session.anew)
            else:
                self._on_error(error, session)
            return
        finally:
            sys.unraisablehook = hook
        if self._flush():
            self._handshakes.got_on(self)
        if complete:
            self._complete(engine, session)

    def _begin_anew(self, context: ssl.SSLContext) -> None:
        """Have the context of the host that the client names read what it has sent."""
        engine = self._engine = TlsEngine(context, server_side=True)
        hello, self._hello = self._hello, None
        assert hello is not None
        engine.incoming.write(hello)
        self._shake_hands(engine)

    def _complete(self, engine: TlsEngine, session: Session) -> None:
        self._state = _OVER
        self._deadline.cancel()
        self._handshakes.end(self)
        counts = self._handshakes.counts
        counts.completed += 1
        if session.session_reused:
            counts.resumed += 1
        TlsTransport(self._handshakes.loop, self._raw, engine, self._make_protocol())

    # -- failing --------------------------------------------------------------------------------------------------

    def drop(self, kind: str) -> None:
        """End it now."""
        self._fail(kind, logging.INFO, "it was dropped")
        self._handshakes.end(self)
        self._raw.abort()

    def _on_error(self, error: ssl.SSLError, session: Session) -> None:
        reason = error.reason or ""
        kind = "host" if session.is_unknown else _KINDS.get(reason, "other")
        if "_ALERT_" in reason:
            kind = "refused by the client"
        text = f"it named {session.named or 'none'}" if session.is_unknown else str(error)
        self._flush()  # the alert that says why
        self._end_in_order()
        self._fail(kind, logging.INFO, text)

    def _refuse(self, is_http: bool) -> None:
        """Turn away a client that does not speak TLS; one that speaks HTTP is told what was wrong."""
        if not is_http:
            self._fail("not TLS", logging.INFO, "what it sent is no handshake")
            self._raw.abort()
            return
        self._raw.write(encode_rejection(400, _PLAIN_HTTP))
        self._end_in_order()
        self._fail("plain HTTP", logging.DEBUG, "it sent a plain request")
        error = ProtocolError("a plain HTTP request was sent to an HTTPS port")
        peer = address_of(self._raw.get_extra_info("peername"))
        self._handshakes.on_reject(Rejection(self._client(), error, None, peer, _PLAIN_HTTP))

    def _fail(self, kind: str, level: int, text: str) -> None:
        if self._state is _OVER:
            return
        self._state = _OVER
        self._engine, self._hello, self._received = None, None, b""
        self._handshakes.counts.failed[kind] += 1
        _log.log(level, "%s:%d: no TLS connection (%s): %s", *self._client(), kind, text)

    def _end_in_order(self) -> None:
        raw = self._raw
        if not raw.is_closing():
            raw.write_eof()

    def _flush(self) -> bool:
        """Send what OpenSSL has to say; returns whether there was anything."""
        engine = self._engine
        if engine is None or not engine.outgoing.pending:
            return False
        self._raw.write(engine.outgoing.read())
        return True

    def _client(self) -> Address:
        return self._address or address_of(self._raw.get_extra_info("peername"))


def _on_unraisable(hook: Callable[[sys.UnraisableHookArgs], object], raised: sys.UnraisableHookArgs) -> None:
    """Keep to ourselves that a client named a host that is not ASCII.

    Python cannot decode it, writes that to stderr, and OpenSSL sends an alert.
    """
    if not (type(raised.object) is bytes and issubclass(raised.exc_type, UnicodeDecodeError)):
        hook(raised)
