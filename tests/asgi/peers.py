"""What stands on the other side of an application in these tests: a recording stream, and a WebSocket client on it."""

from __future__ import annotations

import asyncio

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.uri import parse_uri

from hostler.errors import Failure, Reason
from hostler.exchange import Exchange
from hostler.http.encode import encode_response
from hostler.http.h1 import RequestReader
from hostler.http.headers import Headers
from hostler.http.heads import read_request, split_lines
from hostler.http.limits import Limits
from hostler.http.message import Response
from hostler.http.plain_request import PlainRequest
from hostler.http.target import parse_target

plain = True
"""Whether heads are plain where they can be, as between hostler's own server and an application."""


class RecordingStream:
    """A PlainStream that keeps what it is given; the request's body is `pieces`, complete unless `ends` is false."""

    can_delegate = True
    takes_plain = False

    def __init__(self, pieces=(), *, ends=True):
        self.pieces, self.ends = list(pieces), ends
        self.started = self.closed = self.aborted = self.ended = self.held = False
        self.status = self.bytes_received = self.bytes_sent = 0
        self.pump = self.response = self.trailers = None
        self.calls = []
        self.body = b""
        self._changed = asyncio.Event()

    def _did(self, call):
        self.calls.append(call)
        self._changed.set()

    async def until(self, predicate):
        async with asyncio.timeout(10):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    # -- what the application's side calls

    def attach(self, pump):
        self.pump = pump
        for piece in self.pieces:
            pump.feed(piece)
        if self.ends:
            pump.feed_end([])
        self.pieces = []
        self._did("attach")

    def proceed(self):
        self._did("proceed")

    def pause(self):
        self.held = True
        self._did("pause")

    def resume(self):
        self.held = False
        self._did("resume")

    def start(self, response, data=b""):
        self.head = encode_response(response.status, response.headers.raw)
        self.response, self.started, self.status = response, True, response.status
        self.body += data
        self._did("start")

    def start_plain(self, status, block, has_date, framing, data, complete):
        assert self.takes_plain
        line, _, lines = block.partition(b"\r\n")
        assert line.startswith(b"HTTP/1.1 %d " % status)
        raw = split_lines(lines, False)
        assert has_date == any(name.lower() == b"date" for name, _ in raw)
        self.start(Response(status, Headers(raw), framing), data)
        if complete:
            self.end()

    def write(self, data):
        if not self.closed:
            self.body += data
        self._did("write")

    def end(self, trailers=None):
        self.ended, self.trailers = True, trailers
        self.closed = self.closed or self.status != 101
        self._did("end")

    def abort(self):
        self.aborted = self.closed = True
        self._did("abort")

    # -- what the client does

    def lose(self):
        self.closed = True
        if self.pump is not None:
            self.pump.lost(Failure(Reason.RESPONSE_BODY_CLIENT, "connection reset"))

    def header(self, name):
        return self.response.headers.get(name)


def exchange_for(head, stream=None, *, body=None, **more):
    """Make the exchange of a request head, which a server would have read."""
    limits = Limits()
    facts = read_request(head, limits.head, limits.request_line, limits.headers) if plain else None
    if facts is not None:
        request, target = PlainRequest(head, facts), None
    else:
        request = RequestReader().feed(head)
        assert request is not None
        target = parse_target(request.method, request.target)
    pieces = [body] if isinstance(body, bytes) else body or ()
    stream = stream or RecordingStream(pieces)
    stream.takes_plain = plain and request.method != "HEAD"
    return Exchange(
        request,
        stream,
        target,
        ("192.0.2.7", 50000),
        ("192.0.2.1", 80),
        "example.org",
        80,
        path=request.path if target is None else target.path,
        **more,
    )


def get(path="/", method="GET", headers=b"", **more):
    head = f"{method} {path} HTTP/1.1\r\nHost: example.org\r\n".encode() + headers + b"\r\n"
    return exchange_for(head, **more)


class WebSocketClient:
    """A client on a recording stream; `sync` exchanges what either side has to say."""

    def __init__(self, path="/", *, deflate=False, change=lambda head: head, **more):
        extensions = [ClientPerMessageDeflateFactory()] if deflate else None
        self.protocol = ClientProtocol(
            parse_uri(f"ws://example.org{path}"), extensions=extensions, max_size=None, **more
        )
        self.protocol.send_request(self.protocol.connect())
        head = change(b"".join(self.protocol.data_to_send()))
        self.stream = RecordingStream()
        self.exchange = exchange_for(head, self.stream)
        self.frames = []
        self._seen = 0
        self._opened = False
        self.task = None

    def connect(self, application):
        self.task = asyncio.create_task(application(self.exchange))
        self.task.add_done_callback(lambda _: self.stream._did("done"))

    async def opened(self):
        """Wait for the handshake's answer and take it."""
        await self.stream.until(lambda: self.stream.started or self.task.done())
        self.sync()

    def sync(self):
        if self.stream.started and not self._opened:
            self._opened = True
            self.protocol.receive_data(self.stream.head)
            assert self.protocol.handshake_exc is None, self.protocol.handshake_exc
            self.protocol.events_received()
        while True:
            data, self._seen = self.stream.body[self._seen :], len(self.stream.body)
            if data:
                self.protocol.receive_data(data)
            if self.stream.ended:
                self.protocol.receive_eof()
            self.frames += [event for event in self.protocol.events_received() if hasattr(event, "opcode")]
            out = self.protocol.data_to_send()
            for piece in out:
                if piece:
                    self.stream.pump.feed(piece)
                else:
                    self.stream.pump.feed_end([])
            if not out and len(self.stream.body) == self._seen:
                return

    async def until(self, predicate):
        """Exchange bytes until `predicate()` holds."""

        def check():
            self.sync()
            return predicate()

        await self.stream.until(check)

    async def next(self):
        """Return the next frame that is no pong."""
        await self.until(lambda: self.frames)
        return self.frames.pop(0)

    async def message(self):
        """Return the next whole message."""
        frame = await self.next()
        assert frame.opcode in {Opcode.TEXT, Opcode.BINARY}, frame
        data = bytes(frame.data)
        while not frame.fin:
            frame = await self.next()
            data += bytes(frame.data)
        return data

    async def finished(self):
        """Exchange bytes until the application is done; return the outcome."""
        await self.until(self.task.done)
        return self.task.result()


class Timers:
    """Stands in for `loop.call_later`: what is due is called when the test says so."""

    def __init__(self):
        self.now = 0.0
        self.pending = []

    def call_later(self, delay, callback):
        timer = Timer(self.now + delay, callback, self)
        self.pending.append(timer)
        return timer

    def advance(self, seconds):
        self.now += seconds
        for timer in sorted(self.pending, key=lambda timer: timer.when):
            if timer.when <= self.now and timer in self.pending:
                self.pending.remove(timer)
                timer.callback()


class Timer:
    def __init__(self, when, callback, timers):
        self.when, self.callback, self.timers = when, callback, timers

    def cancel(self):
        if self in self.timers.pending:
            self.timers.pending.remove(self)
