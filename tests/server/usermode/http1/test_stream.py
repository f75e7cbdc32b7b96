from __future__ import annotations

import asyncio

import pytest

from hostler.answering import begin_response, finish_response
from hostler.errors import ProtocolError, Reason, Side
from hostler.http.headers import Headers
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Response
from hostler.outcome import Kind
from tests.server.usermode.peers import (
    Client,
    RecordingPump,
    chunked,
    connected,
    eventually,
    options,
    request,
    serving,
)


async def echo(exchange):
    return await exchange.respond(200, await exchange.read(1 << 26))


def answering(status=200, raw=(), framing=CHUNKED, pieces=(), trailers=()):
    """A handler that answers piece by piece, as a forwarder does."""

    async def handler(exchange):
        begin_response(exchange, Response(status, Headers(list(raw)), framing))
        for piece in pieces:
            exchange.stream.write(piece)
        finish_response(exchange, list(trailers))
        return exchange.outcome(Kind.RESPONDED)

    return handler


# -- the response's framing -------------------------------------------------------------------------------------------


async def test_a_response_of_known_length_says_so():
    async with connected(answering(framing=6, pieces=[b"abc", b"def"])) as client:
        for _ in range(2):
            answer = await client.get()
            assert (answer.body, answer.headers["content-length"]) == (b"abcdef", "6")
            assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("framing", [CHUNKED, UNTIL_CLOSE])
async def test_a_response_of_unknown_length_comes_in_chunks(framing):
    handler = answering(framing=framing, pieces=[b"abc", b"", b"x" * 100_000], trailers=[(b"x-sum", b"1")])
    async with connected(handler) as client:
        for _ in range(2):
            answer = await client.get()
            assert answer.body == b"abc" + b"x" * 100_000
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.trailers == [(b"x-sum", b"1")]


async def test_a_response_of_unknown_length_ends_an_http_1_0_connection():
    handler = answering(pieces=[b"abc", b"def"], trailers=[(b"x-sum", b"1")])
    async with connected(handler) as client:
        answer = await client.get("/", "Connection: keep-alive", version="1.0")
        assert (answer.body, answer.headers["connection"]) == (b"abcdef", "close")
        assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("framing", [6, CHUNKED])
async def test_head_gets_the_head_alone(framing):
    async with connected(answering(framing=framing, pieces=[b"abc", b"def"])) as client:
        for _ in range(2):
            answer = await client.get(method="HEAD")
            assert answer.body == b""
            assert answer.headers.get("content-length") in {"6", None}
        assert (await client.get()).body == b"abcdef"


async def test_the_length_of_what_head_does_not_get_is_passed_on():
    async with connected(answering(raw=[(b"Content-Length", b"1000")], framing=0)) as client:
        assert (await client.get(method="HEAD")).headers["content-length"] == "1000"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("framing", [0, CHUNKED])
async def test_a_status_without_a_body_has_none(status, framing):
    async with connected(
        answering(status, framing=framing, pieces=[b"ignored"] if framing else [])
    ) as client:
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer.body) == (status, b"")
            assert not {"content-length", "transfer-encoding"} & answer.headers.keys()


@pytest.mark.parametrize("pieces", [[b"short"], []])
@pytest.mark.logs_errors("failed in the handler")
async def test_a_body_shorter_than_its_length_is_a_broken_response(pieces):
    async with connected(answering(framing=10, pieces=pieces)) as client:
        await client.send(request("GET", "/"))
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


@pytest.mark.logs_errors("failed in the handler")
async def test_a_body_longer_than_its_length_is_a_broken_response():
    async with connected(answering(framing=10, pieces=[b"x" * 5, b"y" * 6])) as client:
        await client.send(request("GET", "/"))
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_the_handler_is_told_that_its_body_is_too_long():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        await exchange.start(200, length=3)
        try:
            await exchange.write(b"four")
        except ProtocolError as error:
            told.set_result(error.status)
        return exchange.outcome(Kind.FAILED)

    async with connected(handler) as client:
        await client.send(request("GET", "/"))
        assert await told == 500


@pytest.mark.parametrize("size", [0, 1, 32_768, 32_769, 5_000_000])
@pytest.mark.parametrize("known", [True, False])
async def test_bodies_of_any_size_arrive_whole(size, known):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with connected(answering(framing=size if known else CHUNKED, pieces=[body])) as client:
        for _ in range(2):
            assert (await client.get()).body == body


@pytest.mark.parametrize("framing", [5, 4, CHUNKED])
async def test_the_first_bytes_may_come_with_the_head(framing):
    async def handler(exchange):
        begin_response(exchange, Response(200, Headers(), framing), b"data")
        if framing == 5:
            exchange.stream.write(b"5")
        finish_response(exchange)
        return exchange.outcome(Kind.RESPONDED)

    async with connected(handler) as client:
        assert (await client.get()).body[:4] == b"data"
        assert (await client.get(method="HEAD")).body == b""
        assert (await client.get()).body[:4] == b"data"


# -- the response's headers -------------------------------------------------------------------------------------------


async def test_the_handlers_own_date_is_kept():
    async with connected(answering(raw=[(b"DATE", b"then")], framing=0)) as client:
        assert (await client.get()).headers["date"] == "then"


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x", b"a\nb: c"),
        (b"x", b"a\0"),
        (b"x\r\nb", b"c"),
        (b"x y", b"z"),
        (b"", b"z"),
        (b"x:", b"z"),
    ],
)
@pytest.mark.logs_errors("failed in the handler")
async def test_a_header_that_would_break_the_head_is_a_500(header):
    async with connected(answering(raw=[header], framing=0)) as client:
        for _ in range(2):
            answer = await client.get()
            assert answer.status == 500
            assert not {"b", "set-cookie", "x"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("raw", "framing"),
    [
        ([(b"Content-Length", b"3")], CHUNKED),
        ([(b"Content-Length", b"3")], 4),
        ([(b"Content-Length", b"4"), (b"Content-Length", b"4")], 4),
        ([(b"Content-Length", b"four")], 4),
        ([(b"Transfer-Encoding", b"chunked")], CHUNKED),
        ([(b"Transfer-Encoding", b"gzip, chunked")], 4),
    ],
)
@pytest.mark.logs_errors("failed in the handler")
async def test_headers_that_contradict_the_framing_are_a_500(raw, framing):
    async with connected(answering(raw=raw, framing=framing, pieces=[b"body"])) as client:
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")


@pytest.mark.logs_errors("failed in the handler")
async def test_trailers_that_would_break_the_body_break_the_response():
    async with connected(answering(pieces=[b"x"], trailers=[(b"x", b"a\r\nb: c")])) as client:
        await client.send(request("GET", "/"))
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.answer()


async def test_interim_responses_come_before_the_answer():
    async def handler(exchange):
        exchange.stream.inform(103, [(b"link", b"</x>")])
        exchange.stream.inform(103, [(b"link", b"</y>")])
        return await exchange.respond(200)

    async with connected(handler) as client:
        assert (await client.get()).interim == [103, 103]
        assert (await client.get(version="1.0")).interim == []


# -- the request's body -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
async def test_a_body_of_known_length_arrives_whole(size):
    body = b"x" * size
    async with connected(echo) as client:
        for _ in range(2):
            await client.send(request("POST", "/", *(["Content-Length: 0"] if not size else []), body=body))
            assert (await client.answer()).body == body


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
async def test_a_body_in_chunks_arrives_whole(size):
    body = b"x" * size
    async with connected(echo) as client:
        for _ in range(2):
            await client.send(
                request("POST", "/", "Transfer-Encoding: chunked")
                + chunked(body, b"y", trailers=b"X-Sum: 1\r\n")
            )
            assert (await client.answer()).body == body + b"y"


async def test_the_trailers_of_a_body_in_chunks_are_handed_over():
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.ends)
        return await exchange.respond(200)

    async with connected(handler) as client:
        head = request("POST", "/", "Transfer-Encoding: chunked")
        await client.send(head + chunked(b"a", b"b", trailers=b"X-Sum: 1\r\n"))
        await client.answer()
    assert (pump.data, pump.trailers, pump.ends) == (b"ab", [(b"X-Sum", b"1")], 1)


async def test_what_is_counted_is_payload():
    outcomes = []

    async def handler(exchange):
        await exchange.read()
        await exchange.start(200)
        await exchange.write(b"abc")
        outcomes.append(await exchange.end())
        return outcomes[-1]

    async with connected(handler) as client:
        await client.send(request("POST", "/", "Transfer-Encoding: chunked") + chunked(b"12", b"345"))
        await client.answer()
        await client.get(method="HEAD")
    assert [(item.bytes_received, item.bytes_sent) for item in outcomes] == [(5, 3), (0, 0)]


@pytest.mark.parametrize("body", [b"zz\r\n", b"1\r\nab\r\n", b"5\nabcde\r\n0\r\n\r\n"])
async def test_broken_chunks_are_a_400_that_ends_the_connection(body):
    async with connected(echo) as client:
        await client.send(request("POST", "/", "Transfer-Encoding: chunked") + body + b"0\r\n\r\n" * 10)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        client.shut()
        assert await client.rest() == b""


async def test_broken_chunks_are_a_loss_and_nothing_follows():
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.losses)
        await go_on.wait()
        return await exchange.fail(pump.failure)

    go_on = asyncio.Event()
    async with connected(handler) as client:
        await client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"1\r\na\r\nzz\r\n")
        await pump.until(lambda pump: pump.losses)
        await client.send(b"1\r\nb\r\n0\r\n\r\n")
        go_on.set()
        assert (await client.answer()).status == 400
    assert (pump.losses, pump.ends) == (1, 0)
    assert (pump.failure.reason, pump.failure.side) == (Reason.REQUEST_BODY_CLIENT, Side.CLIENT)


async def test_trailers_over_the_limit_are_refused():
    async with connected(echo, settings=options(limits=Limits(trailers=100))) as client:
        body = chunked(b"a", trailers=b"X: " + b"x" * 200 + b"\r\n")
        await client.send(request("POST", "/", "Transfer-Encoding: chunked") + body)
        assert (await client.answer()).status == 431


@pytest.mark.parametrize("gone", ["reset", "shut"])
async def test_a_client_that_goes_away_in_its_body_is_a_loss(gone):
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.losses)
        return await exchange.fail(pump.failure)

    async with connected(handler) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"12345")
        await pump.until(lambda pump: len(pump.data) == 5)
        getattr(client, gone)()
        await pump.until(lambda pump: pump.losses)
    assert (pump.losses, pump.ends) == (1, 0)
    assert pump.failure.side is Side.CLIENT


async def test_an_answer_may_come_while_the_client_still_sends():
    async def handler(exchange):
        async for _ in exchange.chunks():
            break
        return await exchange.respond(200, "enough")

    async with connected(handler) as client:
        await client.send(request("POST", "/", "Content-Length: 1000000") + bytes(1000))
        assert (await client.answer()).body == b"enough"
        await client.send(bytes(999_000))
        assert (await client.get()).status == 200


async def test_both_directions_flow_at_once():
    async def handler(exchange):
        await exchange.start(200)
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    async with connected(handler) as client:
        body = bytes(range(256)) * 20_000
        sending = asyncio.create_task(client.send(request("POST", "/", body=body)))
        assert (await client.answer()).body == body
        await sending


# -- Expect: 100-continue ---------------------------------------------------------------------------------------------


async def test_the_client_is_asked_for_its_body_when_the_handler_wants_it():
    async with connected(echo) as client:
        await client.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 5"))
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"first")
        assert (await client.answer()).body == b"first"
        assert (await client.get()).status == 200


async def test_a_client_that_does_not_wait_is_not_asked():
    async with connected(echo) as client:
        await client.send(request("POST", "/", "Expect: 100-continue", body=b"first"))
        answer = await client.answer()
        assert answer.body == b"first"
        assert answer.interim in ([], [100])  # it may cross the body on the way
        assert (await client.get()).status == 200


async def test_a_client_whose_body_is_not_wanted_need_not_send_it():
    async def handler(exchange):
        return await exchange.respond(413)

    async with connected(handler) as client:
        await client.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 5"))
        answer = await client.answer()
        assert (answer.status, answer.interim, answer.headers["connection"]) == (413, [], "close")
        client.shut()
        assert await client.rest() == b""


async def test_a_body_of_nothing_is_not_waited_for():
    async with connected(echo) as client:
        await client.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 0"))
        answer = await client.answer()
        assert (answer.interim, "connection" in answer.headers) == ([], False)
        assert (await client.get()).status == 200


async def test_http_1_0_expects_nothing():
    async with connected(echo) as client:
        await client.send(
            request("POST", "/", "Expect: 100-continue", "Content-Length: 5", version="1.0") + b"first"
        )
        answer = await client.answer()
        assert (answer.body, answer.interim) == (b"first", [])


# -- back-pressure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", [CHUNKED, 1 << 26])
async def test_a_fast_producer_is_held_back_by_a_slow_client(framing):
    written = 0

    async def handler(exchange):
        nonlocal written
        await exchange.start(200, length=None if framing < 0 else framing)
        while written < 1 << 26:
            await exchange.write(bytes(1 << 17))
            written += 1 << 17
        return await exchange.end()

    async with (
        serving(handler) as server,
        await Client.connect(server.port, receive_buffer=8192) as client,
    ):
        await client.send(request("GET", "/"))
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket.write_paused)
        before = written
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert written == before
        assert written < 1 << 24
        assert connection.socket.unsent < 1 << 20
        assert len((await client.answer()).body) == 1 << 26


async def test_a_fast_client_is_held_back_by_a_slow_handler():
    go_on = asyncio.Event()

    async def handler(exchange):
        exchange.channel()
        await go_on.wait()
        return await exchange.respond(200, b"%d" % len(await exchange.read(1 << 26)))

    async with serving(handler) as server, await Client.connect(server.port) as client:
        sending = asyncio.create_task(client.send(request("POST", "/", body=bytes(1 << 25))))
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket._reading.paused)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert connection.connection._stream.bytes_received < 1 << 20
        assert not sending.done()
        go_on.set()
        assert (await client.answer()).body == b"%d" % (1 << 25)
        await sending


async def test_a_writer_that_waits_for_a_client_that_leaves_does_not_wait_for_ever():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(bytes(1 << 17))
        told.set_result(exchange.channel().failure)
        return exchange.outcome(Kind.FAILED)

    async with (
        serving(handler) as server,
        await Client.connect(server.port, receive_buffer=8192) as client,
    ):
        await client.send(request("GET", "/"))
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket.write_paused)
        client.reset()
        async with asyncio.timeout(5):
            assert (await told).reason is Reason.RESPONSE_BODY_CLIENT


async def test_a_writer_is_let_go_when_the_client_leaves_after_it_broke_its_body():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        try:
            await exchange.read()
        except ConnectionError:
            await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(bytes(1 << 17))
        told.set_result(True)
        return exchange.outcome(Kind.FAILED)

    async with (
        serving(handler) as server,
        await Client.connect(server.port, receive_buffer=8192) as client,
    ):
        await client.send(request("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n")
        await eventually(lambda: server._context.connections)
        (connection,) = server._context.connections
        await eventually(lambda: connection.socket.write_paused)
        client.reset()
        async with asyncio.timeout(5):
            assert await told


# -- upgrades ---------------------------------------------------------------------------------------------------------

UPGRADE = ["Connection: upgrade", "Upgrade: raw"]
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


async def test_an_upgraded_connection_carries_raw_bytes_both_ways():
    pumps = []
    async with connected(tunnelling(pumps)) as client:
        # what comes with the request is for the tunnel too
        await client.send(request("GET", "/", *UPGRADE) + b"early ")
        answer = await client.answer()
        assert (answer.status, answer.headers["upgrade"]) == (101, "raw")
        assert "date" not in answer.headers
        await client.send(b"bird")
        assert await client.until(b"BIRD") == b"EARLY BIRD"
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"GET / HTTP/1.1\r\n\r\n"
        client.shut()
        assert await client.rest() == b""
    (pump,) = pumps
    assert (pump.ends, pump.losses) == (2, 0)  # the request's own, empty body; and the tunnel


async def test_an_upgraded_connection_moves_a_lot():
    pumps = []
    data = bytes(range(97, 123)) * 100_000
    async with connected(tunnelling(pumps)) as client:
        await client.send(request("GET", "/", *UPGRADE))
        await client.answer()
        sending = asyncio.create_task(client.send(data))
        received = b""
        while len(received) < len(data):
            received += await client.receive()
        await sending
        assert received == data.upper()


async def test_a_reset_of_an_upgraded_connection_is_a_loss():
    pumps = []
    async with connected(tunnelling(pumps)) as client:
        await client.send(request("GET", "/", *UPGRADE))
        await client.answer()
        client.reset()
        await pumps[0].until(lambda pump: pump.losses)
        assert pumps[0].failure.reason is Reason.UPGRADE_REQUEST_CLIENT


async def test_an_upgraded_connection_ends_with_its_handler():
    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers(SWITCH)))
        exchange.stream.write(b"bye")
        return exchange.outcome(Kind.RESPONDED)

    async with connected(handler) as client:
        await client.send(request("GET", "/", *UPGRADE))
        await client.answer()
        assert await client.rest() == b"bye"


async def test_an_upgraded_connection_does_not_idle():
    pumps = []
    settings = options(idle_connection=0.02, header_wait=0.02, entity_body=0.02, drain_entity_body=0.02)
    async with connected(tunnelling(pumps), settings=settings) as client:
        await client.send(request("GET", "/", *UPGRADE))
        await client.answer()
        await asyncio.sleep(0.1)
        await client.send(b"still there")
        assert await client.until(b"THERE") == b"STILL THERE"


@pytest.mark.logs_errors("failed in the handler")
async def test_a_101_that_cannot_be_sent_leaves_no_tunnel_behind():
    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        begin_response(exchange, Response(101, Headers([(b"x", b"a\r\nb: c")])))

    async with connected(handler) as client:
        for _ in range(2):
            answer = await client.get("/", *UPGRADE)
            assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")


@pytest.mark.logs_errors("failed in the handler")
async def test_a_101_without_anybody_to_take_what_follows_is_a_500():
    async def handler(exchange):
        begin_response(exchange, Response(101, Headers(SWITCH)))

    async with connected(handler) as client:
        assert (await client.get("/", *UPGRADE)).status == 500
        assert (await client.get("/", *UPGRADE)).status == 500


async def test_a_half_closed_client_may_upgrade():
    pumps = []
    async with connected(tunnelling(pumps)) as client:
        await client.send(request("GET", "/", *UPGRADE) + b"all of it")
        client.shut()
        assert (await client.answer()).status == 101
        assert await client.rest() == b"ALL OF IT"


# -- over -------------------------------------------------------------------------------------------------------------


async def test_what_is_written_after_the_end_is_discarded():
    async def handler(exchange):
        outcome = await exchange.respond(200, "all")
        exchange.stream.write(b"more")
        exchange.stream.end()
        exchange.stream.abort()
        exchange.stream.inform(103, [])
        return outcome

    async with connected(handler) as client:
        for _ in range(2):
            assert (await client.get()).body == b"all"


async def test_a_body_that_is_asked_for_after_the_answer_is_gone():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        outcome = await exchange.respond(200)
        try:
            await exchange.read()
        except ConnectionError as error:
            told.set_result(error)
        return outcome

    async with connected(handler) as client:
        await client.send(request("POST", "/", "Content-Length: 10") + b"12345")
        assert (await client.answer()).status == 200
        async with asyncio.timeout(5):
            await told
        await client.send(b"67890")
        await client.send(request("GET", "/"))
        assert (await client.answer()).status == 200


async def test_two_answers_are_a_mistake():
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        outcome = await exchange.respond(200, "one")
        try:
            await exchange.respond(200, "two")
        except RuntimeError as error:
            told.set_result(error)
        return outcome

    async with connected(handler) as client:
        assert (await client.get()).body == b"one"
        await told
