"""A connection whose two ends a test has: a `TlsTransport`, and OpenSSL driven by hand."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

from hostler.tls.engine import TlsEngine
from hostler.tls.transport import TlsTransport
from tests.certificates import certificate, client_context, server_context

PATIENCE = 15.0


class Recorder(asyncio.Protocol):
    """Notes what a transport calls it with."""

    def __init__(self):
        self.pieces = []
        self.events = []
        self.changed = asyncio.Event()
        self.on_data = lambda data: None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pieces.append(data)
        self.on_data(data)
        self.changed.set()

    def eof_received(self):
        self._note("eof")
        return True

    def connection_lost(self, exc):
        self._note("lost" if exc is None else f"lost: {type(exc).__name__}")

    def pause_writing(self):
        self._note("pause")

    def resume_writing(self):
        self._note("resume")

    def _note(self, event):
        self.events.append(event)
        self.changed.set()

    @property
    def is_lost(self):
        return any(event.startswith("lost") for event in self.events)

    @property
    def received(self):
        return b"".join(self.pieces)

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Peer:
    """The other end: records are made and read by hand, and cross a socket."""

    def __init__(self, sock, tls, incoming, outgoing):
        self.socket = sock
        self.tls, self.incoming, self.outgoing = tls, incoming, outgoing
        self._loop = asyncio.get_running_loop()

    def records(self, *pieces):
        """Encrypt each piece as a record of its own."""
        for piece in pieces:
            self.tls.write(piece)
        return self.outgoing.read()

    async def send(self, data):
        async with asyncio.timeout(PATIENCE):
            await self._loop.sock_sendall(self.socket, data)

    async def read(self, size):
        """Read a number of plain bytes, or what comes before the end."""
        data = bytearray()
        async with asyncio.timeout(PATIENCE):
            while len(data) < size:
                try:
                    piece = self.tls.read(size - len(data))
                except ssl.SSLWantReadError:
                    records = await self._loop.sock_recv(self.socket, 1 << 16)
                    self.incoming.write(records) if records else self.incoming.write_eof()
                    continue
                if not piece:
                    break
                data += piece
        return bytes(data)

    def goodbye(self):
        """Return a close_notify."""
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing.read()


def shake_hands(engine, peer):
    """Have two ends shake hands in memory."""
    tls, incoming, outgoing = peer
    complete = False
    while not complete:
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        engine.incoming.write(outgoing.read())
        complete = engine.shake_hands()
        incoming.write(engine.outgoing.read())


@asynccontextmanager
async def connected(folder, *, version=None, receive_buffer=None):
    """Give a protocol on a `TlsTransport`, and its peer."""
    loop = asyncio.get_running_loop()
    context, other = server_context(certificate(folder)), client_context()
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    if version is not None:
        other.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = other.wrap_bio(incoming, outgoing, server_hostname="localhost")
    engine = TlsEngine(context, server_side=True)
    shake_hands(engine, (tls, incoming, outgoing))
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    if receive_buffer is not None:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive_buffer)
    raw, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    recorder = Recorder()
    transport = TlsTransport(loop, raw, engine, recorder)
    try:
        yield recorder, Peer(theirs, tls, incoming, outgoing)
    finally:
        theirs.close()
        if not recorder.is_lost:
            transport.abort()
        await recorder.until(lambda: recorder.is_lost)
