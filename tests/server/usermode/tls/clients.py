"""A server on https, and clients of it that test what a handshake comes to."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress

from hostler.server.options import ServerOptions, TlsOptions
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.server import UserModeServer
from tests.certificates import certificate, client_context

PATIENCE = 15.0


async def tell(exchange):
    """Answer with what is known of the encryption."""
    tls = exchange.tls
    text = f"{tls.version} {tls.server_name} {tls.alpn} {tls.resumed} {tls.client_certificate is not None}"
    return await exchange.respond(200, text)


@asynccontextmanager
async def listening(tls, handler=tell, *, on_reject=None, **options):
    """Give a server that listens on https, and its port."""
    server = UserModeServer(handler, ServerOptions(tls=tls, **options), on_reject=on_reject)
    (prefix,) = await server.listen([UrlPrefix.parse("https://+:0/")])
    try:
        yield server, prefix.port
    finally:
        await server.stop(1.0)


def single(folder, **options):
    """Return the options of an endpoint with one certificate, for localhost."""
    return TlsOptions(certificate=certificate(folder), **options)


class TlsClient:
    """A client whose records are made and read by hand, so that it can send what it likes when it likes."""

    def __init__(self, reader, writer, tls, incoming, outgoing):
        self.reader, self.writer = reader, writer
        self.tls, self.incoming, self.outgoing = tls, incoming, outgoing

    @classmethod
    async def connect(cls, port, context=None, name="localhost", session=None):
        """Connect, and send nothing yet."""
        context = context or client_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name, session=session)
        return cls(*await asyncio.open_connection("127.0.0.1", port), tls, incoming, outgoing)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.writer.transport.abort()

    def hello(self):
        """Return the ClientHello."""
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    async def shake_hands(self):
        """Shake hands; raises what OpenSSL raises."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    self.tls.do_handshake()
                except ssl.SSLWantReadError:
                    self.flush()
                    await self._receive()
                except ssl.SSLError:
                    self.flush()
                    raise
                else:
                    self.flush()
                    return

    def flush(self):
        self.writer.write(self.outgoing.read())

    async def _receive(self):
        data = await self.reader.read(1 << 16)
        self.incoming.write(data) if data else self.incoming.write_eof()

    async def ask(self, host="localhost", path="/"):
        """Send a request and read its answer, which has a Content-Length; gives its status and its body."""
        self.tls.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        self.flush()
        data = b""
        async with asyncio.timeout(PATIENCE):
            while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < _length(data):
                try:
                    piece = self.tls.read(1 << 14)
                except ssl.SSLWantReadError:
                    await self._receive()
                    continue
                if not piece:
                    raise EOFError(data)
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


def _length(data):
    for line in data.lower().partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def visit(port, *, name="localhost", host=None, context=None, session=None):
    """Connect and ask; gives status, body and session."""
    async with await TlsClient.connect(port, context, name, session) as client:
        await client.shake_hands()
        status, body = await client.ask(host or name or "localhost")
        return status, body, client.tls.session
