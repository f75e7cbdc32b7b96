"""Responses as a client gets them: their framing, their headers, their trailers, and how few calls they take."""

import asyncio

import pytest

from hostler.answering import begin_response, finish_response
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Response
from hostler.outcome import Kind
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import RecordingPump, Way, every_way, every_way_in_any_order, serving, turns

HEAD, BODY = "HttpSendHttpResponse", "HttpSendResponseEntityBody"


def answering(status=200, raw=(), framing=CHUNKED, pieces=(), trailers=(), first=b""):
    """A handler that answers piece by piece, as a forwarder does."""

    async def handler(exchange):
        begin_response(exchange, Response(status, Headers(list(raw)), framing), first)
        for piece in pieces:
            exchange.stream.write(piece)
        finish_response(exchange, list(trailers))
        return exchange.outcome(Kind.RESPONDED)

    return handler


def sends(machine):
    return machine.count(HEAD), machine.count(BODY)


async def get(machine, method="GET", **options):
    return await machine.client().request(method, URL, **options).response()


# -- how the body is framed -------------------------------------------------------------------------------------------


@every_way
async def test_a_response_of_known_length_says_so(machine, way):
    async with serving(machine, answering(framing=6, pieces=[b"abc", b"def"]), way):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert (response.body, response.header("content-length")) == (b"abcdef", b"6")
            assert response.header("transfer-encoding") is None


@every_way
@pytest.mark.parametrize("framing", [CHUNKED, UNTIL_CLOSE])
async def test_a_response_of_unknown_length_comes_in_chunks(machine, way, framing):
    handler = answering(framing=framing, pieces=[b"abc", b"", b"x" * 100_000], trailers=[(b"x-sum", b"1")])
    async with serving(machine, handler, way):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert response.body == b"abc" + b"x" * 100_000
            assert response.header("transfer-encoding") == b"chunked"
            assert response.trailers == [(b"x-sum", b"1")]


@every_way
async def test_a_response_of_unknown_length_ends_an_http_1_0_connection(machine, way):
    handler = answering(pieces=[b"abc", b"def"], trailers=[(b"x-sum", b"1")])
    async with serving(machine, handler, way):
        response = await get(machine, version="1.0", headers=[("Connection", "keep-alive")])
        assert (response.body, response.header("connection")) == (b"abcdef", b"close")
        assert response.header("transfer-encoding") is None


async def test_a_response_of_known_length_does_not_end_an_http_1_0_connection(machine):
    async with serving(machine, answering(framing=3, pieces=[b"abc"])):
        client = machine.client()
        for _ in range(2):
            call = client.request("GET", URL, [("Connection", "keep-alive")], version="1.0")
            assert (await call.response()).body == b"abc"
        assert len(machine.connections) == 1


@every_way
@pytest.mark.parametrize("framing", [3, CHUNKED])
async def test_http_2_frames_bodies_itself(machine, way, framing):
    async with serving(machine, answering(framing=framing, pieces=[b"a", b"bc"]), way):
        client = machine.client(http2=True)
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert response.body == b"abc"
            assert response.header("transfer-encoding") is None
            assert response.header("connection") is None


@pytest.mark.parametrize("framing", [6, CHUNKED])
@pytest.mark.parametrize("http2", [False, True])
async def test_head_gets_the_head_alone(machine, framing, http2):
    handler = answering(framing=framing, pieces=[b"abc", b"def"], trailers=[(b"x-sum", b"1")])
    async with serving(machine, handler):
        client = machine.client(http2=http2)
        for _ in range(2):
            response = await client.request("HEAD", URL).response()
            assert response.body == b""
            assert response.header("transfer-encoding") is None
        if not http2:
            assert (await client.request("GET", URL).response()).body == b"abcdef"
            assert len(machine.connections) == 1


async def test_the_length_of_what_head_does_not_get_is_passed_on(machine):
    async with serving(machine, answering(raw=[(b"Content-Length", b"1000")], framing=0)):
        assert (await get(machine, "HEAD")).header("content-length") == b"1000"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("framing", [0, CHUNKED])
async def test_a_status_without_a_body_has_none(machine, status, framing):
    async with serving(machine, answering(status, framing=framing, pieces=[b"ignored"] if framing else [])):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert (response.status, response.body) == (status, b"")
            assert response.header("content-length") is None
            assert response.header("transfer-encoding") is None
        assert len(machine.connections) == 1


@every_way
@pytest.mark.parametrize(("framing", "pieces"), [(0, []), (7, [b"ignored"]), (CHUNKED, [b"ignored"])])
async def test_a_205_has_no_body_and_says_so(machine, way, framing, pieces):
    async with serving(machine, answering(205, framing=framing, pieces=pieces), way):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert (response.status, response.body) == (205, b"")
            assert response.header("content-length") == b"0"
            assert response.header("transfer-encoding") is None
        assert len(machine.connections) == 1


async def test_a_205_that_announces_a_body_says_that_it_has_none(machine):
    handler = answering(205, raw=[(b"Content-Length", b"3")], framing=3, pieces=[b"abc"])
    async with serving(machine, handler):
        response = await get(machine)
        assert [value for name, value in response.headers if name.lower() == b"content-length"] == [b"0"]


@every_way
@pytest.mark.parametrize("framing", [3, CHUNKED])
@pytest.mark.parametrize("value", [b"close", b"Close, x"])
async def test_a_response_that_says_so_closes_the_connection(machine, way, framing, value):
    handler = answering(raw=[(b"Connection", value)], framing=framing, pieces=[b"abc"])
    async with serving(machine, handler, way):
        response = await get(machine)
        assert (response.body, response.header("connection")) == (b"abc", value)
        assert not machine.connections


@every_way
@pytest.mark.parametrize("pieces", [[b"short"], []])
@pytest.mark.logs_errors("failed in the handler")
async def test_a_body_shorter_than_its_length_is_a_broken_response(machine, way, pieces):
    async with serving(machine, answering(framing=10, pieces=pieces), way):
        with pytest.raises(ConnectionResetError):
            await get(machine)


@every_way
@pytest.mark.logs_errors("failed in the handler")
async def test_a_body_longer_than_its_length_is_a_broken_response(machine, way):
    async with serving(machine, answering(framing=10, pieces=[b"x" * 5, b"y" * 6]), way):
        with pytest.raises(ConnectionResetError):
            await get(machine)


async def test_the_handler_is_told_that_its_body_is_too_long(machine):
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        await exchange.start(200, length=3)
        try:
            await exchange.write(b"four")
        except ProtocolError as error:
            told.set_result(error.status)
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler):
        machine.client().request("GET", URL)
        assert await told == 500


@every_way_in_any_order
@pytest.mark.parametrize("size", [0, 32_769, 1_000_000])
@pytest.mark.parametrize("known", [True, False])
async def test_bodies_of_any_size_arrive_whole(machine, way, size, known):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    pieces = [body[: size // 2], body[size // 2 :]]
    async with serving(machine, answering(framing=size if known else CHUNKED, pieces=pieces), way):
        client = machine.client()
        for _ in range(2):
            assert (await client.request("GET", URL).response()).body == body


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_what_is_written_may_change_afterwards(machine, kind):
    async def handler(exchange):
        data = bytearray(b"first")
        begin_response(exchange, Response(200, Headers(), 10), kind(data))
        exchange.stream.write(kind(data))
        data[:] = b"later"
        finish_response(exchange)
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler):
        assert (await get(machine)).body == b"firstfirst"


# -- how many calls it takes ------------------------------------------------------------------------------------------


@every_way
async def test_a_complete_response_is_one_call(machine, way):
    async def handler(exchange):
        return await exchange.respond(200, "hello")

    async with serving(machine, handler, way):
        for _ in range(3):
            assert (await get(machine)).body == b"hello"
    assert sends(machine) == (3, 0)


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("framing", [6, CHUNKED])
@pytest.mark.parametrize("trailers", [[], [(b"x-sum", b"1")]])
async def test_what_is_complete_before_the_loop_turns_is_one_call(machine, http2, framing, trailers):
    handler = answering(framing=framing, first=b"ab", pieces=[b"c", b"def"], trailers=trailers)
    async with serving(machine, handler):
        call = machine.client(http2=http2).request("GET", URL)
        assert (await call.response()).body == b"abcdef"
    assert sends(machine) == (1, 0)


@pytest.mark.parametrize(("count", "calls"), [(98, 1), (99, 1), (100, 2), (101, 2), (5_000, 6)])
@pytest.mark.parametrize("trailers", [[], [(b"x-sum", b"1")]])
async def test_a_body_of_many_pieces_is_few_calls(machine, count, calls, trailers):
    """HTTP.sys takes 100 chunks with a head, the trailers among them."""
    pieces = [b"%05d" % number for number in range(count)]
    async with serving(machine, answering(pieces=pieces, trailers=trailers)):
        response = await machine.client(http2=True).request("GET", URL).response()
    assert (response.body, response.trailers) == (b"".join(pieces), trailers)
    assert sum(sends(machine)) == calls


async def test_a_response_that_is_not_complete_leaves_with_the_loops_next_turn(machine):
    go_on = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200, [("x-a", "b")])
        await exchange.write(b"one")
        await go_on.wait()
        await exchange.write(b"two")
        return await exchange.end()

    async with serving(machine, handler):
        call = machine.client().request("GET", URL)
        assert (await call.head()).header("x-a") == b"b"
        assert await call.read(3) == b"one"
        assert sends(machine) == (1, 0)
        go_on.set()
        assert (await call.response()).body == b"onetwo"
    assert sends(machine) == (1, 1)


async def test_a_head_alone_does_not_wait_for_its_body(machine):
    go_on = asyncio.Event()

    async def handler(exchange):
        await exchange.start(200)
        await go_on.wait()
        return await exchange.end()

    async with serving(machine, handler):
        call = machine.client().request("GET", URL)
        assert (await call.head()).status == 200
        go_on.set()
        assert (await call.response()).body == b""


# -- headers ----------------------------------------------------------------------------------------------------------


async def test_what_http_sys_adds_is_not_added_twice(machine):
    async with serving(machine, answering(framing=0)):
        response = await get(machine)
    names = [name.lower() for name, _ in response.headers]
    assert sorted(names) == [b"content-length", b"date", b"server"]


async def test_the_handlers_own_server_is_kept_and_its_date_is_http_sys(machine):
    async with serving(machine, answering(raw=[(b"DATE", b"then"), (b"Server", b"mine")], framing=0)):
        response = await get(machine)
    assert [value for name, value in response.headers if name.lower() == b"date"] != [b"then"]
    assert response.header("server").startswith(b"mine ")


@pytest.mark.parametrize("name", [b"Set-Cookie", b"X-Own", b"WWW-Authenticate", b"Via"])
async def test_lines_of_one_name_stay_apart_and_in_order(machine, name):
    lines = [(name, b"a=1; Path=/"), (name, b"b=2"), (name, b"c=3")]
    async with serving(machine, answering(raw=[(b"x", b"y"), *lines], framing=0)):
        response = await get(machine)
    found = [value for key, value in response.headers if key.lower() == name.lower()]
    assert found == [value for _, value in lines]


async def test_the_reason_phrase_is_the_registered_one(machine):
    async with serving(machine, answering(404, framing=0)):
        assert (await get(machine)).reason == b"Not Found"


@pytest.mark.parametrize("header", [(b"x", b"a\r\nset-cookie: b"), (b"x", b"a\nb: c"), (b"x", b"a\0"),
                                    (b"x\r\nb", b"c"), (b"x y", b"z"), (b"", b"z"), (b"x:", b"z"),
                                    (b"x", b"a" * 65_536)])  # fmt: skip
@pytest.mark.parametrize("framing", [4, CHUNKED])
@pytest.mark.logs_errors("failed in the handler")
async def test_a_header_that_cannot_be_sent_is_a_500(machine, header, framing):
    async with serving(machine, answering(raw=[header], framing=framing, pieces=[b"body"])):
        client = machine.client()
        for _ in range(2):
            response = await client.request("GET", URL).response()
            assert (response.status, response.body) == (500, b"500 Internal Server Error\n")
            assert not {b"b", b"set-cookie", b"x"} & {name.lower() for name, _ in response.headers}
    assert sends(machine) == (2, 0)


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
async def test_headers_that_contradict_the_framing_are_a_500(machine, raw, framing):
    async with serving(machine, answering(raw=raw, framing=framing, pieces=[b"body"])):
        response = await get(machine)
        assert (response.status, response.body) == (500, b"500 Internal Server Error\n")


async def test_interim_responses_are_not_to_be_had(machine):
    async def handler(exchange):
        exchange.stream.inform(103, [(b"link", b"</x>")])
        return await exchange.respond(200)

    async with serving(machine, handler):
        call = machine.client().request("GET", URL)
        assert (await call.response()).status == 200
        assert call.informational == []


# -- trailers ---------------------------------------------------------------------------------------------------------


@every_way
async def test_trailers_over_http_2_go_where_windows_has_them(machine, way):
    handler = answering(pieces=[b"abc"], trailers=[(b"x-sum", b"1"), (b"x-sum", b"2")])
    async with serving(machine, handler, way):
        response = await machine.client(http2=True).request("GET", URL).response()
    assert (response.body, response.trailers) == (b"abc", [(b"x-sum", b"1"), (b"x-sum", b"2")])


async def test_trailers_over_http_2_are_dropped_where_windows_has_them_not():
    machine = Machine(version="2019")
    async with serving(machine, answering(pieces=[b"abc"], trailers=[(b"x-sum", b"1")])):
        response = await machine.client(http2=True).request("GET", URL).response()
    machine.close()
    assert (response.body, response.trailers) == (b"abc", [])
    assert machine.defects == []


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("trailer", [(b"x", b"a\r\nb: c"), (b"x y", b"z")])
@pytest.mark.logs_errors("failed in the handler")
async def test_trailers_that_cannot_be_sent_break_the_response(machine, http2, trailer):
    async with serving(machine, answering(pieces=[b"x"], trailers=[trailer])):
        with pytest.raises(ConnectionResetError):
            await machine.client(http2=http2).request("GET", URL).response()


# -- failures of the handler ------------------------------------------------------------------------------------------


@every_way
async def test_an_abort_before_the_response_resets_the_connection(machine, way):
    async def handler(exchange):
        exchange.stream.abort()
        exchange.stream.abort()
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler, way):
        with pytest.raises(ConnectionResetError):
            await get(machine)


@every_way
@pytest.mark.parametrize("framing", [100, CHUNKED])
async def test_an_abort_after_its_start_breaks_the_response(machine, way, framing):
    outcomes = []

    async def handler(exchange):
        begin_response(exchange, Response(200, Headers(), framing), b"first")
        await go_on.wait()
        outcomes.append(await exchange.fail(Failure(Reason.RESPONSE_BODY_DESTINATION)))
        return outcomes[0]

    go_on = asyncio.Event()
    async with serving(machine, handler, way):
        call = machine.client().request("GET", URL)
        assert b"first" in bytes(await call.read(5))
        go_on.set()
        with pytest.raises(ConnectionResetError):
            await call.response()
    assert (outcomes[0].kind, outcomes[0].status) == (Kind.FAILED, 200)


async def test_an_abort_over_http_2_resets_the_stream_and_not_its_neighbours(machine):
    go_on = asyncio.Event()

    async def handler(exchange):
        await go_on.wait()
        if exchange.path == "/bad":
            exchange.stream.abort()
            return exchange.outcome(Kind.FAILED)
        return await exchange.respond(200, "good")

    async with serving(machine, handler):
        client = machine.client(http2=True)
        bad, good = client.request("GET", URL + "bad"), client.request("GET", URL + "good")
        go_on.set()
        assert (await good.response()).body == b"good"
        with pytest.raises(ConnectionResetError):
            await bad.response()


async def test_what_is_written_after_the_end_is_discarded(machine):
    async def handler(exchange):
        outcome = await exchange.respond(200, "all")
        exchange.stream.write(b"more")
        exchange.stream.end()
        exchange.stream.abort()
        exchange.stream.inform(103, [])
        return outcome

    async with serving(machine, handler):
        client = machine.client()
        for _ in range(2):
            assert (await client.request("GET", URL).response()).body == b"all"


async def test_two_answers_are_a_mistake(machine):
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        outcome = await exchange.respond(200, "one")
        try:
            await exchange.respond(200, "two")
        except RuntimeError as error:
            told.set_result(error)
        return outcome

    async with serving(machine, handler):
        assert (await get(machine)).body == b"one"
        await told


# -- clients that go away ---------------------------------------------------------------------------------------------


@every_way_in_any_order
async def test_a_client_that_goes_away_before_the_answer_is_noticed(machine, way):
    pump, outcomes = RecordingPump(), []

    async def handler(exchange):
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.losses)
        outcomes.append(await exchange.fail(pump.failure))
        return outcomes[0]

    async with serving(machine, handler, way):
        client = machine.client()
        client.request("GET", URL)
        await machine.until(lambda: machine.count("HttpWaitForDisconnectEx"))
        client.disconnect()
        await pump.until(lambda pump: pump.losses)
    assert (pump.ends, pump.losses, pump.failure.reason) == (1, 1, Reason.REQUEST_CANCELED)
    assert outcomes[0].status == 0
    assert sends(machine) == (0, 0)


@every_way
async def test_a_handler_that_waits_for_the_disconnect_is_woken(machine, way):
    woken = asyncio.Event()

    async def handler(exchange):
        await exchange.channel().disconnected()
        woken.set()
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler, way):
        client = machine.client()
        client.request("GET", URL)
        await machine.until(lambda: machine.count("HttpWaitForDisconnectEx"))
        client.disconnect()
        async with asyncio.timeout(5):
            await woken.wait()


async def test_a_connection_is_watched_once_for_all_of_its_requests(machine):
    async def handler(exchange):
        return await exchange.respond(200, await exchange.read())

    async with serving(machine, handler):
        client = machine.client()
        for _ in range(5):
            await client.request("POST", URL, body=b"x").response()
        assert machine.count("HttpWaitForDisconnectEx") == 1
        await machine.client().request("POST", URL, body=b"x").response()
        assert machine.count("HttpWaitForDisconnectEx") == 2


async def test_nobody_watches_a_connection_whose_handler_does_not_read_or_stream(machine):
    async def handler(exchange):
        return await exchange.respond(200)

    async with serving(machine, handler):
        await get(machine)
    assert machine.count("HttpWaitForDisconnectEx") == 0


@every_way
async def test_all_requests_of_a_connection_that_breaks_are_lost(machine, way):
    pumps = [RecordingPump() for _ in range(3)]

    async def handler(exchange):
        pump = pumps[int(exchange.path[1:])]
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.losses)
        return await exchange.fail(pump.failure)

    async with serving(machine, handler, way):
        client = machine.client(http2=True)
        for number in range(3):
            client.request("GET", f"{URL}{number}")
        for pump in pumps:
            await pump.until(lambda pump: pump.ends)
        assert machine.count("HttpWaitForDisconnectEx") == 3  # each has a connection id of its own
        client.disconnect()
        for pump in pumps:
            await pump.until(lambda pump: pump.losses)
    assert [pump.losses for pump in pumps] == [1, 1, 1]


@every_way
async def test_a_stream_that_the_client_cancels_is_lost_and_the_others_are_not(machine, way):
    """HTTP/2: a wait for a disconnect is for one request (HttpSysServer#442)."""
    pumps = [RecordingPump() for _ in range(2)]
    go_on = asyncio.Event()

    async def handler(exchange):
        pump = pumps[int(exchange.path[1:])]
        exchange.stream.attach(pump)
        await go_on.wait()
        if pump.losses:
            return await exchange.fail(pump.failure)
        exchange.stream.detach()
        return await exchange.respond(200, "good")

    async with serving(machine, handler, way) as server:
        client = machine.client(http2=True)
        bad, good = (client.request("GET", f"{URL}{number}") for number in range(2))
        for pump in pumps:
            await pump.until(lambda pump: pump.ends)
        client.cancel(bad)
        await pumps[0].until(lambda pump: pump.losses)
        assert pumps[0].failure.reason is Reason.REQUEST_CANCELED
        go_on.set()
        assert (await good.response()).body == b"good"
        async with asyncio.timeout(5):
            while server._context.connections._known:  # the packets of the waits are on their way
                await turns(1)
    assert pumps[1].losses == 0


@pytest.mark.parametrize("code", [0, 1229, 1236, 64, 87, 50, 31])
async def test_a_connection_that_is_gone_when_it_is_to_be_watched(machine, code):
    """Whatever says that it cannot be watched: it is taken to be gone, and the next one is watched all the same."""
    windows, pump = machine.process(), RecordingPump()
    windows.fail("HttpWaitForDisconnectEx", code)

    async def handler(exchange):
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.losses)
        return await exchange.fail(pump.failure)

    async with serving(machine, handler, windows=windows):
        client = machine.client()
        call = client.request("GET", URL)
        await pump.until(lambda pump: pump.losses)
        assert pump.failure.reason is Reason.REQUEST_CANCELED
        if code in {0, 1229}:
            client.disconnect()
        else:  # it may be there yet, and must not wait for ever
            with pytest.raises(ConnectionResetError):
                await call.response()
        pump.losses = 0
        client = machine.client()
        client.request("GET", URL)
        await machine.until(lambda: machine.count("HttpWaitForDisconnectEx") == 2)
        client.disconnect()
        await pump.until(lambda pump: pump.losses)


@pytest.mark.parametrize("how", [120, 127, "missing"])
async def test_where_nobody_can_be_watched_a_client_that_is_gone_is_noticed_when_sending(machine, how):
    missing = {"HttpWaitForDisconnectEx"} if how == "missing" else set()
    windows, go_on = machine.process(missing=missing), asyncio.Event()
    pumps = []
    if how != "missing":
        windows.fail("HttpWaitForDisconnectEx", how)

    async def handler(exchange):
        pumps.append(RecordingPump())
        exchange.stream.attach(pumps[-1])
        await go_on.wait()
        begin_response(exchange, Response(200, Headers(), CHUNKED), b"data")
        await pumps[-1].until(lambda pump: pump.losses)
        return await exchange.fail(pumps[-1].failure)

    async with serving(machine, handler, windows=windows):
        clients = [machine.client() for _ in range(2)]
        for client in clients:
            client.request("GET", URL)
        await machine.until(lambda: machine.alive().get("request") == 2)
        for client in clients:
            client.disconnect()
        await turns()
        assert [pump.losses for pump in pumps] == [0, 0]
        go_on.set()
        for pump in pumps:
            await pump.until(lambda pump: pump.losses)
    assert machine.count("HttpWaitForDisconnectEx") == (how != "missing")
    assert [pump.failure.reason for pump in pumps] == [Reason.RESPONSE_BODY_CLIENT] * 2


@pytest.mark.parametrize("completion", ["thread", "proactor"])
async def test_a_stream_that_the_client_cancels_is_noticed_when_sending(machine, completion):
    """HttpWaitForDisconnectEx is about connections; what HTTP/2 cancels is told by the next call."""
    pump, go_on = RecordingPump(), asyncio.Event()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await go_on.wait()
        begin_response(exchange, Response(200, Headers(), CHUNKED), b"data")
        await pump.until(lambda pump: pump.losses)
        return await exchange.fail(pump.failure)

    async with serving(machine, handler, Way(completion)):
        client = machine.client(http2=True)
        call = client.request("GET", URL)
        await pump.until(lambda pump: pump.ends)
        client.cancel(call)
        go_on.set()
        await pump.until(lambda pump: pump.losses)
    assert pump.failure.reason is Reason.RESPONSE_BODY_CLIENT
