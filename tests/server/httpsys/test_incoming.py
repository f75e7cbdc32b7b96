"""Requests' bodies: whole, in order, no faster than they are taken, and what becomes of those that break off."""

import asyncio

import pytest

from hostler.errors import Reason, Side
from hostler.outcome import Kind
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import RecordingPump, Way, every_way, every_way_in_any_order, serving, turns

READ = "HttpReceiveRequestEntityBody"
PIECE = 1 << 16
"""Bytes of a body that one call reads at most."""


async def echo(exchange):
    return await exchange.respond(200, await exchange.read(1 << 24))


def pumping(pump, *, status=200):
    """A handler that gives the body to a pump, and answers at its end."""

    async def handler(exchange):
        pump.stream = exchange.stream
        exchange.stream.attach(pump)
        await pump.until(lambda pump: pump.ends or pump.losses)
        if pump.losses:
            return await exchange.fail(pump.failure)
        return await exchange.respond(status)

    return handler


def numbered(size):
    return b"".join(b"%07d " % number for number in range(-(-size // 8)))[:size]


# -- whole ------------------------------------------------------------------------------------------------------------


@every_way_in_any_order
@pytest.mark.parametrize("size", [1, 3 * PIECE + 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_arrives_whole(machine, way, size, chunked):
    async with serving(machine, echo, way):
        client = machine.client()
        for _ in range(2):
            response = await client.request("POST", URL, body=numbered(size), chunked=chunked).response()
            assert response.body == numbered(size)


@every_way_in_any_order
@pytest.mark.parametrize("size", [0, 1, 3 * PIECE + 1])
async def test_a_body_whose_end_is_success_without_bytes_is_read_once_to_its_end(machine, way, size):
    machine.empty_ends = True
    async with serving(machine, echo, way):
        client = machine.client()
        for _ in range(2):
            response = await client.request("POST", URL, body=numbered(size), chunked=True).response()
            assert response.body == numbered(size)


@every_way
async def test_a_body_arrives_as_it_is_sent(machine, way):
    pump = RecordingPump()
    async with serving(machine, pumping(pump), way):
        call = machine.client().request("POST", URL, chunked=True)
        for number in range(5):
            call.send(b"%d" % number)
            await pump.until(lambda pump, number=number: len(pump.data) == number + 1)
        call.finish()
        assert (await call.response()).status == 200
    assert (pump.data, pump.ends, pump.losses) == (b"01234", 1, 0)


@every_way_in_any_order
async def test_many_bodies_at_once_do_not_mix(machine, way):
    async with serving(machine, echo, way):
        bodies = [bytes([65 + number]) * (PIECE + number) for number in range(8)]
        calls = [machine.client().request("POST", URL, length=len(body)) for body in bodies]
        for at in range(0, 2 * PIECE, 20_000):
            for call, body in zip(calls, bodies, strict=True):
                call.send(body[at : at + 20_000])
            await asyncio.sleep(0)
        for call, body in zip(calls, bodies, strict=True):
            assert (await call.response()).body == body


async def test_no_body_is_not_asked_for(machine):
    pump = RecordingPump()
    async with serving(machine, pumping(pump)):
        assert (await machine.client().request("GET", URL).response()).status == 200
        assert (await machine.client().request("POST", URL, length=0).response()).status == 200
    assert (pump.data, pump.ends) == (b"", 2)
    assert machine.count(READ) == 0


@pytest.mark.parametrize("more", [False, True])
async def test_a_body_of_http_2_has_no_announced_end(machine, more):
    async with serving(machine, echo):
        call = machine.client(http2=True).request("POST", URL, body=b"first ", more=more)
        if more:
            await machine.until(lambda: machine.count(READ) > 1)
            call.send(b"second")
            call.finish()
        assert (await call.response()).body == (b"first second" if more else b"first ")


async def test_what_is_counted_is_what_was_taken(machine):
    outcomes = []

    async def handler(exchange):
        await exchange.read()
        outcomes.append(await exchange.respond(200, "abc"))
        return outcomes[-1]

    async with serving(machine, handler):
        await machine.client().request("POST", URL, body=b"12345", chunked=True).response()
    assert (outcomes[0].bytes_received, outcomes[0].bytes_sent) == (5, 3)


# -- no faster than it is taken ---------------------------------------------------------------------------------------


class Pausing(RecordingPump):
    """Pauses with every piece, in the midst of `feed`."""

    def feed(self, data):
        super().feed(data)
        self.stream.pause()


@every_way
async def test_what_is_not_taken_is_not_read(machine, way):
    pump = Pausing()
    async with serving(machine, pumping(pump), way):
        call = machine.client().request("POST", URL, length=40 * PIECE)
        call.send(numbered(40 * PIECE))
        await pump.until(lambda pump: pump.pieces)
        await turns()
        for _ in range(3):
            before, had = machine.count(READ), len(pump.pieces)
            pump.stream.resume()
            await pump.until(lambda pump, had=had: len(pump.pieces) > had)
            await turns()
            assert len(pump.pieces) == had + 1
            assert machine.count(READ) <= before + 2
        pump.feed = lambda data: RecordingPump.feed(pump, data)
        pump.stream.resume()
        assert (await call.response()).status == 200
    assert pump.data == numbered(40 * PIECE)
    assert pump.ends == 1


@every_way
async def test_a_slow_handler_reads_little_ahead(machine, way):
    go_on = asyncio.Event()

    async def handler(exchange):
        exchange.channel()
        await go_on.wait()
        return await exchange.respond(200, b"%d" % len(await exchange.read(1 << 24)))

    async with serving(machine, handler, way):
        call = machine.client().request("POST", URL, length=30 * PIECE)
        call.send(bytes(30 * PIECE))
        await machine.until(lambda: machine.count(READ))
        for _ in range(5):
            await turns()
        assert machine.count(READ) <= 3
        go_on.set()
        assert (await call.response()).body == b"%d" % (30 * PIECE)


async def test_a_long_body_leaves_the_loop_its_turns(machine):
    pump, steps = RecordingPump(), []
    async with serving(machine, pumping(pump)):
        call = machine.client().request("POST", URL, body=bytes(50 * PIECE))
        while not pump.ends:
            before = len(pump.pieces)
            await asyncio.sleep(0)
            steps.append(len(pump.pieces) - before)
        await call.response()
    assert max(steps) <= 10


class Toggling(RecordingPump):
    """Pauses and resumes within `feed`."""

    def feed(self, data):
        super().feed(data)
        self.stream.pause()
        self.stream.resume()


async def test_to_pause_and_resume_at_once_changes_nothing(machine):
    pump = Toggling()
    async with serving(machine, pumping(pump)):
        call = machine.client().request("POST", URL, body=numbered(20 * PIECE))
        assert (await call.response()).status == 200
    assert pump.data == numbered(20 * PIECE)


# -- from hand to hand ------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("size", [10, 5 * PIECE])
async def test_what_one_pump_does_not_take_the_next_one_gets(machine, way, size):
    class Leaving(RecordingPump):
        def feed(self, data):
            super().feed(data)
            self.stream.detach()

    first, second = Leaving(), RecordingPump()
    go_on = asyncio.Event()

    async def handler(exchange):
        first.stream = exchange.stream
        exchange.stream.attach(first)
        await first.until(lambda pump: pump.pieces)
        await go_on.wait()
        return await pumping(second)(exchange)

    async with serving(machine, handler, way):
        call = machine.client().request("POST", URL, length=2 * size)
        call.send(numbered(2 * size)[:size])
        await first.until(lambda pump: pump.pieces)
        call.send(numbered(2 * size)[size:])
        await turns()
        go_on.set()
        assert (await call.response()).status == 200
    assert len(first.pieces) == 1
    assert first.data + second.data == numbered(2 * size)
    assert (first.ends, second.ends) == (0, 1)


async def test_a_read_that_ends_while_nobody_is_attached_is_kept(machine):
    first, second = RecordingPump(), RecordingPump()
    go_on = asyncio.Event()

    async def handler(exchange):
        exchange.stream.attach(first)
        exchange.stream.detach()
        await go_on.wait()
        return await pumping(second)(exchange)

    async with serving(machine, handler):
        call = machine.client().request("POST", URL, length=5)
        await machine.until(lambda: machine.count(READ) == 1)
        call.send(b"first")
        await turns()
        go_on.set()
        await call.response()
    assert (first.data, second.data, second.ends) == (b"", b"first", 1)


async def test_a_pump_that_attaches_after_the_answer_is_told_that_it_is_over(machine):
    pump = RecordingPump()

    async def handler(exchange):
        outcome = await exchange.respond(200)
        exchange.stream.attach(pump)
        return outcome

    async with serving(machine, handler):
        await machine.client().request("GET", URL).response()
        await machine.client().request("POST", URL, body=b"12345").response()
    assert (pump.ends, pump.losses) == (1, 2)


# -- 100-continue -----------------------------------------------------------------------------------------------------


@every_way
async def test_a_client_that_waits_is_asked_when_the_body_is_wanted(machine, way):
    async with serving(machine, echo, way):
        client = machine.client()
        for _ in range(2):
            call = client.request("POST", URL, body=b"wanted", expect=True)
            assert (await call.response()).body == b"wanted"
            assert call.informational == [100]


async def test_a_client_whose_body_is_not_wanted_is_not_asked(machine):
    async def handler(exchange):
        exchange.channel()  # to write is not to read
        return await exchange.respond(413)

    async with serving(machine, handler):
        call = machine.client().request("POST", URL, body=b"unwanted", expect=True)
        assert (await call.response()).status == 413
        assert call.informational == []
    assert machine.count(READ) == 0


@pytest.mark.parametrize("how", ["proceed", "inform"])
async def test_a_pump_asks_when_it_likes(machine, how):
    pump = RecordingPump()
    async with serving(machine, pumping(pump)):
        call = machine.client().request("POST", URL, body=b"wanted", expect=True)
        await machine.until(lambda: machine.count("HttpWaitForDisconnectEx"))
        await turns()
        assert machine.count(READ) == 0
        if how == "proceed":
            pump.stream.proceed()
            pump.stream.proceed()
        else:
            pump.stream.inform(100, [])
        assert (await call.response()).status == 200
        assert call.informational == [100]
    assert pump.data == b"wanted"


async def test_a_client_waits_for_a_moment_only(machine, monkeypatch):
    monkeypatch.setattr("hostler.server.httpsys.request_body._PATIENCE", 0.02)
    pump = RecordingPump()
    async with serving(machine, pumping(pump)):
        call = machine.client().request("POST", URL, body=b"wanted", expect=True)
        assert (await call.response()).status == 200
        assert call.informational == [100]
    assert pump.data == b"wanted"


async def test_patience_is_for_who_is_attached(machine, monkeypatch):
    monkeypatch.setattr("hostler.server.httpsys.request_body._PATIENCE", 0.001)
    detached, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        exchange.stream.detach()
        detached.set()
        await go_on.wait()
        return await exchange.respond(417)

    async with serving(machine, handler):
        call = machine.client().request("POST", URL, body=b"unwanted", expect=True)
        await detached.wait()
        await asyncio.sleep(0.01)
        go_on.set()
        assert (await call.response()).status == 417
        assert call.informational == []


@pytest.mark.parametrize("read", [False, True])
async def test_a_request_can_be_delegated_until_its_body_was_asked_for(machine, read):
    """HttpDelegateRequestEx takes requests whose body is untouched."""
    can = []

    async def handler(exchange):
        stream = exchange.stream
        can.append(stream.can_delegate)
        stream.attach(RecordingPump())
        can.append(stream.can_delegate)
        if read:
            stream.proceed()
        stream.detach()
        can.append(stream.can_delegate)
        return await exchange.respond(200)

    async with serving(machine, handler):
        await machine.client().request("POST", URL, body=b"12345", expect=True).response()
    assert can == [True, False, not read]


# -- bodies that break off --------------------------------------------------------------------------------------------


@every_way_in_any_order
async def test_a_client_that_goes_away_in_its_body_is_a_loss(machine, way):
    pump, outcomes = RecordingPump(), []

    async def handler(exchange):
        outcomes.append(await pumping(pump)(exchange))
        return outcomes[0]

    async with serving(machine, handler, way):
        client = machine.client()
        client.request("POST", URL, length=100).send(b"12345")
        await pump.until(lambda pump: pump.data == b"12345")
        client.disconnect()
        await pump.until(lambda pump: pump.losses)
    assert (pump.losses, pump.ends) == (1, 0)
    assert (pump.failure.reason, pump.failure.side) == (Reason.REQUEST_BODY_CANCELED, Side.CLIENT)
    assert (outcomes[0].kind, outcomes[0].status) == (Kind.FAILED, 0)


@every_way
async def test_a_coroutine_that_reads_is_told_with_an_error(machine, way):
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        try:
            await exchange.read()
        except ConnectionError as error:
            told.set_result(str(error))
            raise

    async with serving(machine, handler, way):
        client = machine.client()
        client.request("POST", URL, length=100).send(b"12345")
        await machine.until(lambda: machine.count(READ) >= 2)
        client.disconnect()
        assert "RequestBodyCanceled" in await told


async def test_a_client_that_went_away_before_the_body_was_wanted(machine):
    pump, go_on = RecordingPump(), asyncio.Event()

    async def handler(exchange):
        await go_on.wait()
        return await pumping(pump)(exchange)

    async with serving(machine, handler):
        client = machine.client()
        client.request("POST", URL, length=100)
        await machine.until(lambda: machine.alive().get("request"))
        client.disconnect()
        go_on.set()
        await pump.until(lambda pump: pump.losses)
    assert (pump.losses, pump.ends) == (1, 0)
    assert pump.failure.reason is Reason.REQUEST_BODY_CANCELED


@pytest.mark.parametrize("later", [False, True])
async def test_a_read_that_fails_does_not_leave_the_client_waiting(machine, later, caplog):
    windows, pump = machine.process(), RecordingPump()
    windows.fail(READ, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, later=later)
    async with serving(machine, pumping(pump), windows=windows):
        with pytest.raises(ConnectionResetError):
            await machine.client().request("POST", URL, body=b"12345").response()
    assert "out of resources" in pump.failure.detail
    assert "out of resources" in caplog.text
    assert pump.losses == 1


# -- answers before the end of the body -------------------------------------------------------------------------------


@every_way
async def test_an_answer_may_come_while_a_read_is_pending(machine, way):
    async def handler(exchange):
        async for _ in exchange.chunks():
            break
        return await exchange.respond(200, "enough")

    async with serving(machine, handler, way):
        client = machine.client()
        call = client.request("POST", URL, length=PIECE)
        call.send(b"12345")
        assert (await call.response()).body == b"enough"
        call.send(bytes(PIECE - 5))
        assert (await client.request("POST", URL, body=b"12345").response()).status == 200


@pytest.mark.parametrize("completion", ["thread", "proactor"])
async def test_an_upload_that_is_sent_back_flows_both_ways_at_once(machine, completion):
    async def handler(exchange):
        await exchange.start(200)
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    async with serving(machine, handler, Way(completion, Pace.HELD, shuffled=True)):
        body = numbered(30 * PIECE)
        assert (await machine.client().request("POST", URL, body=body).response()).body == body


# -- as long as they say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty_ends", [False, True])
@pytest.mark.parametrize(
    ("length", "pieces", "passed_on"),
    [
        (3, [b"abcGET /admin HTTP/1.1\r\n"], b""),
        (3, [b"abc", b"d"], b"abc"),
        (10, [b"abc"], b"abc"),
        (1, [], b""),
    ],
    ids=["longer", "longer later", "shorter", "none"],
)
async def test_a_body_of_http_2_that_is_not_as_long_as_it_says_is_given_up(
    machine, length, pieces, passed_on, empty_ends
):
    machine.empty_ends = empty_ends
    pump, url = RecordingPump(), "https://localhost:8443/"
    async with serving(machine, pumping(pump), urls=[url]):
        client = machine.client(http2=True)
        call = client.request("POST", url, [("content-length", str(length))], more=True)
        for piece in pieces:
            call.send(piece)
            await turns()
        call.finish()
        await pump.until(lambda pump: pump.losses)
        assert (pump.data, pump.ends) == (passed_on, 0)
        assert pump.failure.reason is Reason.REQUEST_BODY_CLIENT
        assert pump.failure.side is Side.CLIENT
        with pytest.raises(ConnectionError):
            await call.response()


async def test_a_body_of_http_2_of_unknown_length_ends_where_it_ends(machine):
    url = "https://localhost:8443/"
    async with serving(machine, echo, urls=[url]):
        call = machine.client(http2=True).request("POST", url, more=True)
        call.send(b"abc")
        call.finish()
        assert (await call.response()).body == b"abc"
