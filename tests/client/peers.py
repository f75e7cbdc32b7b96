"""Both ends of a proxy under a test's control, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from attrs import define, field

from hostler import Forwarder, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BLOCK = b"0123456789abcdef" * (1 << 14)
UPGRADE = "Connection: Upgrade, X-Hop\r\nUpgrade: echo/1\r\nX-Hop: 1\r\nTE: trailers\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\n"
PATIENCE = 10.0


@define
class Answer:
    """A response as it stood on the wire."""

    line: bytes
    headers: list
    body: bytes = b""
    trailers: list = field(factory=list)
    complete: bool = True

    @property
    def status(self):
        return int(self.line.split()[1])

    def get(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return b", ".join(values) if values else None


def lines(block):
    """Take header lines apart; each must be `name: value`."""
    found = []
    for line in block.split(b"\r\n"):
        if line:
            name, colon, value = line.partition(b":")
            assert name, line
            assert colon, line
            found.append((name, value.strip(b" ")))
    return found


async def until(condition):
    """Wait for what no event tells of: that something arrived at the other end, say."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the other end's doing
            await asyncio.sleep(0.002)


class Peer:
    """One end of a connection; every wait is bounded."""

    def __init__(self, reader, writer, number=0):
        self.reader, self.writer, self.number = reader, writer, number

    # -- reading

    async def _bounded(self, awaitable):
        async with asyncio.timeout(PATIENCE):
            return await awaitable

    async def head(self):
        """Return the next head, with its empty line."""
        return await self._bounded(self.reader.readuntil(b"\r\n\r\n"))

    async def exactly(self, size):
        return await self._bounded(self.reader.readexactly(size))

    async def some(self, size=1 << 16):
        return await self._bounded(self.reader.read(size))

    async def until(self, end):
        return await self._bounded(self.reader.readuntil(end))

    async def rest(self):
        """Return what comes up to the end of the connection, however that ends."""
        pieces = []
        try:
            while piece := await self.some():
                pieces.append(piece)
        except ConnectionError:
            pass
        return b"".join(pieces)

    async def gone(self):
        """Wait until the other end has closed; return whether it was orderly and nothing came."""
        try:
            return await self.some() == b""
        except ConnectionError:
            return False

    async def chunked(self):
        """Return a chunked body and its trailers."""
        body = b""
        while size := int((await self.until(b"\r\n"))[:-2], 16):
            body += (await self.exactly(size + 2))[:-2]
        block = b""
        while (line := await self.until(b"\r\n")) != b"\r\n":
            block += line
        return body, lines(block)

    async def answer(self, method="GET"):
        """Return the next final response, whole or as far as it came."""
        head = await self.head()
        line, _, block = head.partition(b"\r\n")
        answer = Answer(line, lines(block))
        length = answer.get(b"content-length")
        try:
            if method == "HEAD" or answer.status in {204, 304} or answer.status < 200:
                pass
            elif answer.get(b"transfer-encoding") is not None:
                answer.body, answer.trailers = await self.chunked()
            elif length is not None:
                answer.body = await self.exactly(int(length))
            else:
                while piece := await self.some():
                    answer.body += piece
        except asyncio.IncompleteReadError as error:
            answer.complete = False
            answer.body += error.partial
        except ConnectionError:
            answer.complete = False
        return answer

    # -- writing

    def send(self, data):
        self.writer.write(data)

    async def drain(self):
        await self._bounded(self.writer.drain())

    def end(self):
        """Send no more."""
        self.writer.write_eof()

    def close(self):
        self.writer.close()

    def reset(self):
        """Vanish, as a killed process with unread data does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Destination:
    """A destination: each connection runs `script(peer)`; what goes wrong in it fails the test."""

    def __init__(self, script):
        self._script = script
        self.connections = 0
        self.peers = []
        self._tasks = []
        self.port = 0

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def _accept(self, reader, writer):
        peer = Peer(reader, writer, self.connections)
        self.connections += 1
        self.peers.append(peer)
        self._tasks.append(asyncio.create_task(self._run(peer)))

    async def _run(self, peer):
        try:
            await self._script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the proxy was done with the connection first
        finally:
            peer.close()


async def closed(writers):
    """Have the ends of connections noted: asyncio would log those that were resets, whenever they are collected."""
    waiting = [asyncio.ensure_future(writer.wait_closed()) for writer in writers]
    if waiting:
        done, late = await asyncio.wait(waiting, timeout=1)
        for task in late:
            task.cancel()
        for task in done:
            task.exception()


@asynccontextmanager
async def destination(script, *, context=None, limit=1 << 16):
    """Run a destination for as long as the context lasts."""
    made = Destination(script)
    server = await asyncio.start_server(made._accept, "127.0.0.1", 0, ssl=context, limit=limit)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        broken = [task.exception() for task in made._tasks if task.done() and not task.cancelled()]
        for task in made._tasks:
            task.cancel()
        await asyncio.gather(*made._tasks, return_exceptions=True)
        for peer in made.peers:
            peer.close()
        await closed(peer.writer for peer in made.peers)
    for error in broken:
        if error is not None:
            raise error


def answering(*answers):
    """Make a script that answers each request without a body: with the next of `answers`, the last one for ever."""
    left = list(answers)

    async def script(peer):
        while True:
            await peer.head()
            peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


@asynccontextmanager
async def connected(url, *, limit=1 << 16):
    """Connect as a client."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=limit)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        await closed([writer])


@define(eq=False)
class Front:
    """A proxy in front of one address."""

    url: str
    forwarder: Forwarder
    outcomes: list
    seen: list
    ended: asyncio.Condition

    @property
    def host(self):
        return urlsplit(self.url).netloc

    @property
    def failure(self):
        """The reason of the last exchange's failure."""
        failure = self.outcomes[-1].failure
        return None if failure is None else failure.reason

    def connect(self, **options):
        return connected(self.url, **options)

    def request(self, method="GET", path="/", headers="", body=b""):
        """Write a request to this proxy."""
        return f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode("latin-1") + body

    async def fetch(self, method="GET", path="/", headers="", body=b""):
        """Ask on a connection of its own."""
        async with self.connect() as client:
            client.send(self.request(method, path, headers, body))
            return await client.answer(method)

    async def over(self, count=1):
        """Wait until so many exchanges are over; return the last one's outcome."""
        async with asyncio.timeout(PATIENCE), self.ended:
            await self.ended.wait_for(lambda: len(self.outcomes) >= count)
        return self.outcomes[-1]


@asynccontextmanager
async def front(
    address, *, client=None, request=None, context=None, options=None, url="http://127.0.0.1:0/", grace=5
):
    """Serve a forwarder to one address, or destination."""
    forwarder = Forwarder(client, request, context)
    ended = asyncio.Condition()
    outcomes, seen = [], []

    async def handler(exchange):
        seen.append(exchange)
        outcome = await forwarder.send(exchange, address)
        outcomes.append(outcome)
        async with ended:
            ended.notify_all()
        return outcome

    async with serving(handler, [url], options=options, grace=grace) as served:
        try:
            yield Front(served.url, forwarder, outcomes, seen, ended)
        finally:
            forwarder.close()
