"""What stands on the other side of the user-mode server in these tests: clients on bare sockets, and processes."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from attrs import define, evolve, field

from hostler.http.body import body_reader
from hostler.http.h1 import ResponseReader
from hostler.server.base import QueueMode
from hostler.server.options import ServerOptions, Timeouts, TlsOptions
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.server.usermode.queues.lent_socket import SharedSocket
from hostler.server.usermode.queues.link import KIND, Link
from hostler.server.usermode.queues.packets import Begun
from hostler.server.usermode.server import UserModeServer
from hostler.testing import FakeClock
from tests.certificates import certificate, client_context

WORKER = Path(__file__).with_name("queue_process.py")
HOST = b"Host: localhost\r\n"


@define
class Answer:
    """One response, as a client reads it."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(factory=list)
    interim: list[int] = field(factory=list)


class Client:
    """A client on a bare socket; every wait is bounded."""

    scheme = "http"

    def __init__(self, sock):
        self.socket = sock
        self.unread = b""
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, port, *, host="127.0.0.1", receive_buffer=None, **details):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        return cls(sock, **details)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()

    async def send(self, data):
        async with asyncio.timeout(20):
            await self._loop.sock_sendall(self.socket, data)

    async def get(self, path="/", *lines, method="GET", version="1.1"):
        """Send a request without a body and read its answer."""
        await self.send(request(method, path, *lines, version=version))
        return await self.answer(method)

    async def receive(self):
        """Read something; b"" at the end. Raises ConnectionResetError."""
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        async with asyncio.timeout(20):
            return await self._loop.sock_recv(self.socket, 1 << 18)

    async def until(self, mark):
        """Read up to and including `mark`."""
        data = b""
        while mark not in data:
            more = await self.receive()
            if not more:
                raise EOFError(data)
            data += more
        head, mark, self.unread = data.partition(mark)
        return head + mark

    async def rest(self):
        """Read to the end of the connection. Raises ConnectionResetError when it does not end in order."""
        pieces = []
        while data := await self.receive():
            pieces.append(data)
        return b"".join(pieces)

    async def head(self, method="GET"):
        reader = ResponseReader(method)
        response = None
        while response is None:
            data = await self.receive()
            if not data:
                raise EOFError("no response")
            response = reader.feed(data)
        self.unread = reader.unread
        return response

    async def answer(self, method="GET"):
        """Read one whole response, interim ones before it."""
        interim = []
        while (response := await self.head(method)).status < 200 and response.status != 101:
            interim.append(response.status)
        headers = {name.decode().lower(): value.decode() for name, value in response.headers.raw}
        assert len(headers) == len(response.headers.raw), "a header is repeated"
        answer = Answer(response.status, headers, interim=interim)
        if response.status == 101:
            return answer
        body = body_reader(response.framing)
        pieces = []
        while not body.complete:
            data = await self.receive()
            if not data:
                if response.framing == -2:
                    break
                raise EOFError(b"".join(pieces))
            pieces.append(body.feed(data))
            self.unread = body.unread
        answer.body, answer.trailers = b"".join(pieces), body.trailers
        return answer

    def shut(self):
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Go away with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class TlsClient(Client):
    """The same over TLS."""

    scheme = "https"

    def __init__(self, sock, context=None):
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or client_context()).wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    @classmethod
    async def connect(cls, port, *, host="127.0.0.1", receive_buffer=None, context=None):
        client = await super().connect(port, host=host, receive_buffer=receive_buffer, context=context)
        async with asyncio.timeout(20):
            while True:
                try:
                    client.tls.do_handshake()
                except ssl.SSLWantReadError:
                    await client._flush()
                    client._incoming.write(await client._loop.sock_recv(client.socket, 1 << 18))
                else:
                    await client._flush()
                    return client

    async def _flush(self):
        await self._loop.sock_sendall(self.socket, self._outgoing.read())

    async def send(self, data):
        async with asyncio.timeout(20):
            for at in range(0, len(data), 1 << 18):
                self.tls.write(data[at : at + (1 << 18)])
                await self._flush()

    async def receive(self):
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        async with asyncio.timeout(20):
            while True:
                try:
                    return self.tls.read(1 << 18)
                except ssl.SSLWantReadError:
                    data = await self._loop.sock_recv(self.socket, 1 << 18)
                    if not data:
                        raise EOFError("the connection ended without a close_notify") from None
                    self._incoming.write(data)
                except ssl.SSLZeroReturnError:
                    return b""

    def shut(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.socket.send(self._outgoing.read())
        super().shut()


def over_tls(settings=None):
    """Return the options of a server that answers `TlsClient`s."""
    return evolve(settings or options(), tls=TlsOptions(certificate=_certificate()))


@cache
def _certificate():
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return certificate(Path(folder.name))


def request(method, path, *lines, body=b"", version="1.1"):
    """Write a request; a body gets its Content-Length."""
    head = [f"{method} {path} HTTP/{version}", "Host: localhost", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def chunked(*pieces, trailers=b""):
    """Write a body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def options(*, limits=None, queue_limit=1000, **timeouts):
    """Options with the given timeouts, in seconds; a queue is not waited for, all else long enough never to matter."""
    timeouts.setdefault("queue_restart", 0)
    kept = {} if limits is None else {"limits": limits}
    return ServerOptions(timeouts=Timeouts(**timeouts), request_queue_limit=queue_limit, **kept)


@contextlib.asynccontextmanager
async def serving(handler, *, urls=("http://127.0.0.1:0/",), grace=0.0, settings=None):
    """A server, stopped at the end; `port` is that of its first prefix."""
    server = UserModeServer(handler, settings or options())
    try:
        settled = await server.listen([UrlPrefix.parse(url) for url in urls])
        server.port = settled[0].port if settled else 0
        yield server
    finally:
        await server.stop(grace)
        await eventually(lambda: not server._context.connections)


@contextlib.asynccontextmanager
async def working(handler, queue="q", *, settings=None, grace=0.0):
    """A member of a queue on this loop."""
    server = UserModeServer(handler, settings)
    try:
        server.queue = await server.join(queue, QueueMode.CREATE_OR_ATTACH)
        yield server
    finally:
        await server.stop(grace)


@contextlib.asynccontextmanager
async def connected(handler, *, receive_buffer=None, **kwargs):
    """A client on a connection to a server with this handler."""
    async with (
        serving(handler, **kwargs) as server,
        await Client.connect(server.port, receive_buffer=receive_buffer) as client,
    ):
        yield client


async def eventually(predicate):
    """Let the loop run until `predicate()` holds; bounded."""
    async with asyncio.timeout(10):
        while not predicate():  # noqa: ASYNC110 - what is watched has no event
            await asyncio.sleep(0.001)


class RecordingPump:
    """A Pump that keeps what it is told."""

    def __init__(self):
        self.data = b""
        self.trailers = self.failure = None
        self.ends = self.losses = self.pauses = self.resumes = 0
        self.changed = asyncio.Event()

    def feed(self, data):
        assert not self.losses, "nothing follows a loss"
        self.data += data
        self.changed.set()

    def feed_end(self, trailers):
        assert not self.losses, "nothing follows a loss"
        self.trailers = trailers
        self.ends += 1
        self.changed.set()

    def lost(self, failure):
        self.failure = failure
        self.losses += 1
        self.changed.set()

    def pause(self):
        self.pauses += 1
        self.changed.set()

    def resume(self):
        self.resumes += 1
        self.changed.set()

    def going_away(self):
        self.changed.set()

    async def until(self, predicate):
        async with asyncio.timeout(10):
            while not predicate(self):
                self.changed.clear()
                await self.changed.wait()


class TimedLoop:
    """The running loop, but for its clock, which a test moves."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self.clock = FakeClock(1000.0)

    def time(self):
        return self.clock()

    def call_at(self, when, callback, context=None):
        return self.clock.call_later(when - self.clock(), callback)

    def __getattr__(self, name):
        return getattr(self._loop, name)


class BodyCounter:
    """A handler that reads the whole body, and answers with its size; `size` is that of what has come."""

    def __init__(self):
        self.size = 0
        self.called = False

    async def __call__(self, exchange):
        self.called = True
        async for piece in exchange.chunks():
            self.size += len(piece)
        return await exchange.respond(200, b"%d" % self.size)

    async def has(self, size):
        await eventually(lambda: self.called and self.size == size)


async def drip(client, clock, reader, seconds):
    """Send a byte of a body a second to a `BodyCounter`."""
    for _ in range(seconds):
        before = reader.size
        await client.send(b"x")
        await reader.has(before + 1)
        clock.advance(1)


class Process:
    """A process of these tests: `queue_process.py` with arguments; it writes a line for everything that happens."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    @property
    def pid(self):
        return self.process.pid

    async def line(self):
        """Wait for its next line."""
        async with asyncio.timeout(20):
            return (await asyncio.to_thread(self.process.stdout.readline)).strip()

    async def kill(self):
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def terminate(self):
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.kill()
        self.process.stdout.close()


class Peer:
    """One end of a link, and what it got; what was said of answers that had begun is in `begun`."""

    def __init__(self, sock):
        self.packets, self.begun, self.descriptors, self.losses = [], [], [], 0
        self.link = Link(asyncio.get_running_loop(), sock, self._on_packet, self._on_lost)

    def _on_packet(self, packet, descriptor):
        (self.begun if isinstance(packet, Begun) else self.packets).append(packet)
        if descriptor >= 0:
            self.descriptors.append(descriptor)

    def _on_lost(self):
        self.losses += 1

    async def next(self):
        """Wait for the next packet."""
        await eventually(lambda: self.packets or self.losses)
        return self.packets.pop(0) if self.packets else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


@contextlib.asynccontextmanager
async def lendable():
    """A client, and its connection as a lender has it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = await Client.connect(listener.getsockname()[1])
        sock, _ = listener.accept()
    sock.setblocking(False)
    with sock:
        async with client:
            yield client, sock


class _Owner:
    """What a `SharedSocket` asks of a client's socket."""

    def __init__(self, sock):
        self._socket = sock

    def raw(self):
        return self._socket

    def lend(self):
        """Do nothing."""

    def regain(self):
        """Do nothing."""


def shared(sock, written=None):
    """A socket as a lender lends it."""
    return SharedSocket(_Owner(sock), written)


@contextlib.contextmanager
def bare_member(queue="q"):
    """A member that does what the test says, once the lender has connected."""
    handle = QueueDirectory(queue).open(QueueMode.CREATE_OR_ATTACH)
    listener, path = handle.directory.bind_member(KIND)
    listener.setblocking(False)
    peers = []

    async def connected():
        await eventually(lambda: _accepted(listener, peers))
        return peers[0]

    try:
        yield connected
    finally:
        for peer in peers:
            peer.__exit__()
        listener.close()
        handle.directory.leave(path)
        handle.release()


def _accepted(listener, peers):
    with contextlib.suppress(BlockingIOError):
        peers.append(Peer(listener.accept()[0]))
    return peers
