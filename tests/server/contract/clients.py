"""A client on a bare socket that reads HTTP with a parser of its own: what it accepts owes nothing to hostler's."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import cache
from urllib.parse import urlsplit

import httpx
from attrs import define, field

from hostler.tls.engine import TlsEngine
from hostler.tls.transport import TlsTransport
from tests.certificates import client_context

PATIENCE = 15.0
QUIET = 0.15
"""Seconds without progress after which a sender is taken to be held up."""

BROKEN = (EOFError, ConnectionError)
"""What a client sees of a response that was cut off."""

NO_BODY = {204, 304}


@define
class Answer:
    """One final response."""

    status: int
    headers: list[tuple[str, str]]
    """Names in lower case."""

    body: bytes = b""
    trailers: list[tuple[str, str]] = field(factory=list)
    interim: list[tuple[int, list[tuple[str, str]]]] = field(factory=list)

    def all(self, name):
        """Return the values of every line of that name."""
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        """Return the value of the one line of that name, or None."""
        (value,) = self.all(name) or (None,)
        return value


class Client:
    """A client's connection; every wait is bounded."""

    def __init__(self, reader, writer, authority):
        self._reader, self._writer = reader, writer
        self.authority = authority
        self.socket = writer.get_extra_info("socket")

    @classmethod
    async def connect(cls, url, *, receive_buffer=None):
        """Connect to the server of a URL."""
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname in {"localhost", "+", "*"} else parts.hostname
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setblocking(False)
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, (host, parts.port))
            opened = await (
                encrypted(sock, host) if parts.scheme == "https" else asyncio.open_connection(sock=sock)
            )
        except BaseException:
            sock.close()
            raise
        return cls(*opened, f"{parts.hostname}:{parts.port}")

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._writer.transport.abort()

    # -- sending ------------------------------------------------------------------------------------------------------

    def request(self, method, path, *lines, body=b"", version="1.1", host=None):
        """Write a request; a body gets its Content-Length."""
        head = [f"{method} {path} HTTP/{version}", f"Host: {host or self.authority}", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    async def send(self, data):
        """Send, and wait until the system has taken all of it."""
        async with asyncio.timeout(PATIENCE):
            self._writer.transport.set_write_buffer_limits(0)
            self._writer.write(data)
            await self._writer.drain()

    async def held_up(self):
        """Wait until the server has stopped taking what is being sent; whether there is something left to send."""
        transport = self._writer.transport
        async with asyncio.timeout(PATIENCE):
            left = -1
            while (now := transport.get_write_buffer_size()) and now != left:
                left = now
                await asyncio.sleep(QUIET)
        return bool(now)

    def shut(self):
        """Send no more."""
        self._writer.write_eof()

    def reset(self):
        """Go away with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    # -- receiving ----------------------------------------------------------------------------------------------------

    async def ask(self, method, path, *lines, body=b"", version="1.1", host=None):
        """Send a request and read its answer."""
        await self.send(self.request(method, path, *lines, body=body, version=version, host=host))
        return await self.answer(method)

    async def get(self, path, *lines, **options):
        """Send a GET and read its answer."""
        return await self.ask("GET", path, *lines, **options)

    async def head(self):
        """Read one head; gives its status and its headers."""
        async with asyncio.timeout(PATIENCE):
            block = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = block[:-4].decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        assert version == "HTTP/1.1", first
        return int(status), [_split(line) for line in lines]

    async def answer(self, method="GET"):
        """Read one whole response, interim ones before it; raises one of BROKEN when it is cut off."""
        interim = []
        while (head := await self.head())[0] < 200 and head[0] != 101:
            interim.append(head)
        found = Answer(*head, interim=interim)
        if method != "HEAD" and found.status >= 200 and found.status not in NO_BODY:
            async with asyncio.timeout(PATIENCE):
                await self._read_body(found)
        return found

    async def _read_body(self, found):
        length, coding = found.get("content-length"), found.get("transfer-encoding")
        assert length is None or coding is None
        if coding is not None:
            assert coding == "chunked"
            pieces = []
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                pieces.append(await self._reader.readexactly(size))
                assert await self._reader.readexactly(2) == b"\r\n"
            found.body = b"".join(pieces)
            while (line := await self._reader.readuntil(b"\r\n")) != b"\r\n":
                found.trailers.append(_split(line[:-2].decode("latin-1")))
        elif length is not None:
            found.body = await self._reader.readexactly(int(length))
        else:
            found.body = await self._reader.read()

    async def until(self, mark):
        """Read up to and including some bytes."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(mark)

    async def exactly(self, size):
        """Read a number of bytes."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(size)

    async def rest(self):
        """Read to the end of the connection; raises ConnectionError when it does not end in order."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read()


def visitor():
    """Return a client that others wrote, and that trusts the certificates of tests."""
    return httpx.AsyncClient(trust_env=False, verify=_trusting())


@cache
def _trusting():
    return client_context()


async def encrypted(sock, host):
    """Do what `asyncio.open_connection` does, over TLS with an end in each direction, which asyncio's has not."""
    loop = asyncio.get_running_loop()
    engine = TlsEngine(_trusting(), server_name=host)
    async with asyncio.timeout(PATIENCE):
        while not engine.shake_hands():
            await loop.sock_sendall(sock, engine.outgoing.read())
            engine.incoming.write(await loop.sock_recv(sock, 1 << 16) or b"-")
        await loop.sock_sendall(sock, engine.outgoing.read())
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        _, begun = await loop.create_connection(lambda: _Begun(loop, engine, protocol), sock=sock)
    return reader, asyncio.StreamWriter(begun.transport, protocol, reader, loop)


class _Begun(asyncio.Protocol):
    """Hands a connection over before the first byte can come behind the handshake."""

    def __init__(self, loop, engine, protocol):
        self._loop, self._engine, self._protocol = loop, engine, protocol

    def connection_made(self, transport):
        self.transport = TlsTransport(self._loop, transport, self._engine, self._protocol)


def chunked(*pieces, trailers=()):
    """Write a body in chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return body + b"0\r\n" + b"".join(b"%s\r\n" % line for line in trailers) + b"\r\n"


def _split(line):
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
