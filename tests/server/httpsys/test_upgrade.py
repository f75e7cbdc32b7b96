"""Upgraded connections: raw bytes both ways (HTTP_SEND_RESPONSE_FLAG_OPAQUE), their ends, and WebSocket on top."""

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

from hostler.answering import begin_response
from hostler.asgi.application import Application
from hostler.errors import Reason
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind
from hostler.server.httpsys.constants import SendFlag
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import RecordingPump, every_way, every_way_in_any_order, serving, turns

HEAD, BODY, READ = "HttpSendHttpResponse", "HttpSendResponseEntityBody", "HttpReceiveRequestEntityBody"
UPGRADE = [("Connection", "upgrade"), ("Upgrade", "raw")]
SWITCH = [(b"Connection", b"upgrade"), (b"Upgrade", b"raw")]


class Echoing(RecordingPump):
    """The far end of a tunnel: sends back what comes, upper-cased, and ends when the client does."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.over = asyncio.Event()
        self.open = False

    def feed(self, data):
        super().feed(data)
        self.stream.write(data.upper())

    def feed_end(self, trailers):
        super().feed_end(trailers)
        if self.open:
            self.stream.end()
            self.over.set()

    def lost(self, failure):
        super().lost(failure)
        self.over.set()

    def going_away(self):
        super().going_away()
        self.stream.write(b"GOING AWAY")
        self.over.set()


def tunnelling(pumps):
    async def handler(exchange):
        pump = Echoing(exchange.stream)
        pumps.append(pump)
        exchange.stream.attach(pump)
        pump.open = True
        begin_response(exchange, Response(101, Headers(SWITCH)))
        await pump.over.wait()
        return exchange.outcome(Kind.RESPONDED)

    return handler


def letters(size):
    return (b"abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


@every_way_in_any_order
async def test_an_upgraded_connection_carries_raw_bytes_both_ways(machine, way):
    pumps = []
    async with serving(machine, tunnelling(pumps), way):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        head = await call.head()
        assert (head.status, head.header("upgrade"), head.header("connection")) == (101, b"raw", b"upgrade")
        assert head.header("transfer-encoding") is head.header("content-length") is None
        call.send(b"early ")
        assert await call.read(6) == b"EARLY "
        call.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await call.read(24) == b"EARLY GET / HTTP/1.1\r\n\r\n"
        client.close()
        await call.over()
        assert call.complete
        assert not call.reset
    (pump,) = pumps
    assert (pump.ends, pump.losses) == (2, 0)  # the request's own, empty body; and the tunnel


@every_way
async def test_what_the_client_sends_before_the_101_is_for_the_tunnel(machine, way):
    pumps, go_on = [], asyncio.Event()

    async def handler(exchange):
        await go_on.wait()
        return await tunnelling(pumps)(exchange)

    async with serving(machine, handler, way):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        client.send_raw(b"early bird")
        go_on.set()
        assert await call.read(10) == b"EARLY BIRD"
        client.close()
        await call.over()


async def test_nothing_is_read_before_the_101_is_out(machine):
    machine.pace = Pace.HELD
    pumps = []
    async with serving(machine, tunnelling(pumps)):
        machine.pace = Pace.HELD
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        await machine.until(lambda: machine.count(HEAD))
        await turns()
        assert machine.count(READ) == 0
        machine.pace = Pace.AT_ONCE
        machine.complete_sends()
        await machine.until(lambda: machine.count(READ))
        client.close()
        await call.over()


@every_way
async def test_an_upgraded_connection_moves_a_lot(machine, way):
    pumps, data = [], letters(500_000)
    async with serving(machine, tunnelling(pumps), way):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        await call.head()
        for at in range(0, len(data), 50_000):
            call.send(data[at : at + 50_000])
            await asyncio.sleep(0)
        assert await call.read(len(data)) == data.upper()
        client.close()
        await call.over()


@every_way
async def test_a_tunnels_far_end_is_held_back_by_a_client_that_reads_nothing(machine, way):
    pumps = []
    async with serving(machine, tunnelling(pumps), way):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        await call.head()
        client.paused = True
        (pump,) = pumps
        while pump.pauses == pump.resumes or client.unread <= 1 << 16:
            call.send(letters(30_000))
            await turns(50)
        had = pump.resumes
        client.paused = False
        await pump.until(lambda pump: pump.resumes > had)
        client.close()
        await call.over()


async def test_a_tunnel_that_is_paused_reads_nothing(machine):
    pumps = []
    async with serving(machine, tunnelling(pumps)):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        await call.head()
        (pump,) = pumps
        pump.stream.pause()
        call.send(b"one")
        await turns()
        call.send(b"two")
        await turns()
        assert pump.data == b""
        assert machine.count(READ) <= 2
        pump.stream.resume()
        assert await call.read(6) == b"ONETWO"
        client.close()
        await call.over()


# -- ends -------------------------------------------------------------------------------------------------------------


@every_way_in_any_order
async def test_a_reset_of_an_upgraded_connection_is_one_loss(machine, way):
    pumps = []
    async with serving(machine, tunnelling(pumps), way):
        client = machine.client()
        call = client.request("GET", URL, UPGRADE)
        await call.head()
        call.send(b"x")
        await call.read(1)
        client.disconnect()
        await pumps[0].until(lambda pump: pump.losses)
    assert (pumps[0].losses, pumps[0].failure.reason) == (1, Reason.UPGRADE_REQUEST_CLIENT)


@every_way
async def test_an_upgraded_connection_ends_with_its_handler(machine, way):
    windows = machine.process()

    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers(SWITCH)))
        exchange.stream.write(b"bye")
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler, way, windows=windows):
        call = machine.client().request("GET", URL, UPGRADE)
        await call.over()
        assert (call.status, bytes(call.body), call.complete) == (101, b"bye", True)
    sent = [call.arguments[2] for call in windows.calls if call.function in {HEAD, BODY}]
    assert sent[0] & SendFlag.OPAQUE
    assert sent[-1] & SendFlag.DISCONNECT


@every_way
async def test_a_tunnel_that_is_aborted_is_reset(machine, way):
    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers(SWITCH)))
        await opened.wait()
        exchange.stream.abort()
        return exchange.outcome(Kind.FAILED)

    opened = asyncio.Event()
    async with serving(machine, handler, way):
        call = machine.client().request("GET", URL, UPGRADE)
        await call.head()
        opened.set()
        await call.over()
        assert call.reset


async def test_an_end_while_the_101_is_under_way_leaves_after_it(machine):
    async def handler(exchange):
        machine.pace = Pace.HELD
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers(SWITCH)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        exchange.stream.write(b"bye")
        exchange.stream.end()
        machine.pace = Pace.AT_ONCE
        machine.complete_sends()
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler):
        call = machine.client().request("GET", URL, UPGRADE)
        await call.over()
        assert (call.status, bytes(call.body), call.complete) == (101, b"bye", True)
    assert machine.count(READ) == 0


@every_way
async def test_a_server_that_stops_tells_its_tunnels(machine, way):
    pumps = []
    async with serving(machine, tunnelling(pumps), way) as server:
        call = machine.client().request("GET", URL, UPGRADE)
        await call.head()
        await server.stop(5)
        await call.over()
        assert (bytes(call.body), call.complete) == (b"GOING AWAY", True)
    assert pumps[0].goings == 1


# -- what is no upgrade -----------------------------------------------------------------------------------------------


@pytest.mark.logs_errors("failed in the handler")
async def test_a_101_that_cannot_be_sent_leaves_no_tunnel_behind(machine):
    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers([(b"x", b"a\r\nb: c")])))

    async with serving(machine, handler):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL, UPGRADE).response()
            assert (response.status, response.body) == (500, b"500 Internal Server Error\n")


@pytest.mark.logs_errors("failed in the handler")
async def test_a_101_without_anybody_to_take_what_follows_is_a_500(machine):
    async def handler(exchange):
        begin_response(exchange, Response(101, Headers(SWITCH)))

    async with serving(machine, handler):
        client = machine.client()
        for _ in range(2):
            assert (await client.request("GET", URL, UPGRADE).response()).status == 500


# -- WebSocket --------------------------------------------------------------------------------------------------------


class WebSocket:
    """A WebSocket client on the fake's raw bytes."""

    def __init__(self, machine):
        self.client = machine.client()
        self._protocol = ClientProtocol(parse_uri("ws://localhost:8080/ws"))
        self._taken = 0

    async def open(self):
        request = self._protocol.connect()
        del request.headers["Host"]
        self.call = self.client.request("GET", URL + "ws", list(request.headers.raw_items()))
        head = await self.call.head()
        assert head.status == 101
        lines = [b"%s: %s\r\n" % pair for pair in head.headers]
        self._protocol.send_request(request)
        self._protocol.data_to_send()
        self._protocol.receive_data(b"HTTP/1.1 101 OK\r\n" + b"".join(lines) + b"\r\n")
        assert self._protocol.handshake_exc is None
        self._protocol.events_received()

    def send(self, text):
        self._protocol.send_text(text.encode())
        self._flush()

    def _flush(self):
        for data in self._protocol.data_to_send():
            if data:
                self.call.send(data)

    async def receive(self):
        """Return the next frame."""
        while not (events := self._protocol.events_received()):
            await self.call.read(self._taken + 1)
            data = bytes(self.call.body)[self._taken :]
            self._taken += len(data)
            self._protocol.receive_data(data)
            self._flush()
        (frame,) = events
        return frame

    def close(self):
        self._protocol.send_close(1000)
        self._flush()


async def chatting(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})
    chats.append(message["code"])


chats = []


@every_way
async def test_an_asgi_application_speaks_websocket(machine, way):
    chats.clear()
    async with serving(machine, Application(chatting), way):
        websocket = WebSocket(machine)
        await websocket.open()
        for word in ("one", "two", letters(100_000).decode()):
            websocket.send(word)
            assert (await websocket.receive()).data == word.upper().encode()
        websocket.close()
        assert (await websocket.receive()).opcode is Opcode.CLOSE
        await websocket.call.over()
    assert chats == [1000]


@every_way
async def test_an_asgi_application_learns_that_its_websocket_is_gone(machine, way):
    chats.clear()
    async with serving(machine, Application(chatting), way):
        websocket = WebSocket(machine)
        await websocket.open()
        websocket.client.disconnect()
    assert chats == [1006]


@every_way
async def test_a_websocket_is_closed_with_1012_when_the_server_stops(machine, way):
    chats.clear()
    async with serving(machine, Application(chatting), way) as server:
        websocket = WebSocket(machine)
        await websocket.open()
        websocket.send("hi")
        await websocket.receive()
        stopping = asyncio.create_task(server.stop(5))
        frame = await websocket.receive()
        assert (frame.opcode, int.from_bytes(frame.data[:2], "big")) == (Opcode.CLOSE, 1012)
        await stopping
        await websocket.call.over()
    assert chats == [1012]
