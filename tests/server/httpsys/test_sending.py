"""Sending: one call at a time, what is written meanwhile gathers, and clients that do not keep up, or are gone."""

import asyncio

import pytest

from hostler.answering import begin_response
from hostler.errors import Failure, Reason
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.outcome import Kind
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import SendFlag
from hostler.server.options.log import Logging
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import URL, served
from tests.server.httpsys.ways import RecordingPump, Way, every_way, serving, turns

HEAD, BODY = "HttpSendHttpResponse", "HttpSendResponseEntityBody"
HIGH_WATER = 1 << 16

both_ports = pytest.mark.parametrize("completion", ["thread", "proactor"])


def sends(machine):
    return machine.count(HEAD) + machine.count(BODY)


def flags(windows):
    return [call.arguments[2] for call in windows.calls if call.function in {HEAD, BODY}]


class Held:
    """A handler that stands still in its response, and a machine that lets no send go."""

    def __init__(self, machine, *, framing=CHUNKED, first=b"first "):
        self.machine = machine
        machine.pace = Pace.HELD
        self.pump = RecordingPump()
        self.begun = asyncio.Event()
        self._over = asyncio.Event()
        self._framing, self._first = framing, first

    async def __call__(self, exchange):
        self.exchange, self.stream = exchange, exchange.stream
        self.stream.attach(self.pump)
        begin_response(exchange, Response(200, Headers(), self._framing), self._first)
        self.begun.set()
        await self._over.wait()
        return exchange.outcome(Kind.RESPONDED)

    async def sending(self, calls=1):
        """Wait until that many calls were made, and the last one is pending."""
        await self.machine.until(lambda: sends(self.machine) == calls and len(self.machine.held))

    async def let_go(self):
        """Let the send that is pending go, and the loop know."""
        before = sends(self.machine)
        assert self.machine.complete_sends() == 1
        for _ in range(200):
            await asyncio.sleep(0)
            if sends(self.machine) > before:
                return

    def leave(self):
        self._over.set()


def serving_held(machine, held, completion="thread", **options):
    return serving_as(machine, held, Way(completion, Pace.AT_ONCE), **options)


def serving_as(machine, held, way, **options):
    context = serving(machine, held, way, **options)

    class Pacing:
        async def __aenter__(self):
            server = await context.__aenter__()
            machine.pace = Pace.HELD
            return server

        async def __aexit__(self, *error):
            held.leave()
            machine.pace = Pace.AT_ONCE
            machine.complete_sends()
            return await context.__aexit__(*error)

    return Pacing()


# -- one call at a time -----------------------------------------------------------------------------------------------


@both_ports
async def test_what_is_written_while_a_send_is_pending_leaves_with_the_next_call(machine, completion):
    held = Held(machine, framing=26)
    async with serving_held(machine, held, completion):
        call = machine.client().request("GET", URL)
        await held.sending()
        for piece in (b"second ", b"third ", b"fourth "):
            held.stream.write(piece)
            await turns()
        assert sends(machine) == 1
        await held.let_go()
        await held.sending(2)
        assert await call.read(6) == b"first "
        held.stream.end()
        held.leave()
        await held.let_go()
        await held.sending(3)
        machine.complete_sends()
        assert (await call.response()).body == b"first second third fourth "
    assert sends(machine) == 3


@both_ports
async def test_an_end_while_a_send_is_pending_leaves_with_what_is_left(machine, completion):
    held = Held(machine)
    async with serving_held(machine, held, completion):
        call = machine.client().request("GET", URL)
        await held.sending()
        held.stream.write(b"last")
        held.stream.end([(b"x-sum", b"1")])
        assert held.stream.closed
        await held.let_go()
        await held.sending(2)
        machine.complete_sends()
        response = await call.response()
        assert (response.body, response.trailers) == (b"first last", [(b"x-sum", b"1")])
    assert sends(machine) == 2


async def test_the_loop_may_turn_between_pieces_that_are_sent_at_once(machine):
    async def handler(exchange):
        await exchange.start(200)
        for _ in range(5):
            exchange.stream.write(b"ab")
            exchange.stream.write(b"cd")
            await asyncio.sleep(0)
        return await exchange.end()

    async with serving(machine, handler):
        assert (await machine.client().request("GET", URL).response()).body == b"abcd" * 5
    assert sends(machine) <= 7


# -- clients that do not keep up --------------------------------------------------------------------------------------


@both_ports
async def test_a_producer_is_paused_when_much_waits_and_resumed_when_little_does(machine, completion):
    held = Held(machine, first=b"")
    pump = held.pump
    async with serving_held(machine, held, completion):
        call = machine.client().request("GET", URL)
        await held.sending()
        held.stream.write(bytes(HIGH_WATER - 100))
        assert pump.pauses == 0
        held.stream.write(bytes(200))
        assert (pump.pauses, pump.resumes) == (1, 0)
        held.stream.write(bytes(HIGH_WATER))  # whoever does not mind is not told again
        assert pump.pauses == 1
        await held.let_go()  # the head is out; now all of it is under way
        await held.sending(2)
        assert pump.resumes == 0
        held.stream.write(b"more")
        await held.let_go()
        await held.sending(3)
        assert (pump.pauses, pump.resumes) == (1, 1)
        held.stream.end()
        held.leave()
        await held.let_go()
        await held.sending(4)
        machine.complete_sends()
        assert len((await call.response()).body) == 2 * HIGH_WATER + 104


async def test_who_attaches_while_much_waits_is_paused_at_once(machine):
    held = Held(machine, first=bytes(2 * HIGH_WATER))
    late = RecordingPump()
    async with serving_held(machine, held):
        machine.client().request("GET", URL)
        await held.sending()
        held.stream.detach()
        held.stream.attach(late)
        assert (late.pauses, late.resumes) == (1, 0)
        await held.let_go()
        await late.until(lambda pump: pump.resumes)
        held.stream.abort()


@every_way
async def test_a_fast_handler_is_held_back_by_a_client_that_reads_nothing(machine, way):
    written, channel = 0, None

    async def handler(exchange):
        nonlocal written, channel
        channel = exchange.channel()
        await exchange.start(200)
        while written < 1 << 22:
            await exchange.write(bytes(1 << 14))
            written += 1 << 14
        return await exchange.end()

    async with serving(machine, handler, way):
        client = machine.client()
        call = client.request("GET", URL)
        client.paused = True
        await machine.until(lambda: client.unread > HIGH_WATER)
        before = -1
        while (
            written != before or not channel.paused
        ):  # what had been sent before comes back, and lets it write on
            before = written
            await turns(100)
        assert written < 1 << 19
        client.paused = False
        assert len((await call.response()).body) == 1 << 22


# -- clients that are gone --------------------------------------------------------------------------------------------


@both_ports
async def test_a_client_that_goes_away_while_a_send_is_pending_is_one_loss(machine, completion):
    held = Held(machine)
    async with serving_held(machine, held, completion):
        client = machine.client()
        client.request("GET", URL)
        await held.sending()
        held.stream.write(b"never sent")
        client.disconnect()
        await held.pump.until(lambda pump: pump.losses)
        calls = sends(machine)
        assert held.stream.closed
        held.stream.write(b"nor this")
        held.stream.end()
        held.stream.abort()
        await turns()
        assert sends(machine) == calls
    assert (held.pump.losses, held.pump.failure.reason) == (1, Reason.RESPONSE_BODY_CLIENT)


@every_way
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    "code", [ErrorCode.ERROR_CONNECTION_INVALID, 64, ErrorCode.ERROR_NO_SYSTEM_RESOURCES]
)
async def test_a_send_that_fails_is_a_loss_and_the_request_is_over(machine, way, later, code):
    windows, pump = machine.process(), RecordingPump()
    windows.fail(BODY, code, later=later)
    outcomes = []

    async def handler(exchange):
        exchange.stream.attach(pump)
        begin_response(exchange, Response(200, Headers(), CHUNKED), b"first")
        await sent.wait()
        exchange.stream.write(b"second")
        await pump.until(lambda pump: pump.losses)
        exchange.stream.write(b"third")
        outcomes.append(await exchange.fail(pump.failure))
        return outcomes[0]

    sent = asyncio.Event()
    async with serving(machine, handler, way, windows=windows):
        client = machine.client()
        call = client.request("GET", URL)
        await call.read(5)
        sent.set()
        await pump.until(lambda pump: pump.losses)
        if code != ErrorCode.ERROR_CONNECTION_INVALID:
            with pytest.raises(ConnectionResetError):
                await call.response()
            assert "request" not in windows.alive()
        client.disconnect()
    assert (pump.losses, pump.failure.reason) == (1, Reason.RESPONSE_BODY_CLIENT)
    assert (outcomes[0].kind, outcomes[0].status) == (Kind.FAILED, 200)


@pytest.mark.parametrize("later", [False, True])
async def test_a_complete_answer_that_cannot_be_sent_does_not_leave_the_client_waiting(
    machine, later, caplog
):
    windows = machine.process()
    windows.fail(HEAD, ErrorCode.ERROR_NOT_ENOUGH_MEMORY, later=later)

    async def handler(exchange):
        return await exchange.respond(200, "hello")

    async with serving(machine, handler, windows=windows):
        with pytest.raises(ConnectionResetError):
            await machine.client().request("GET", URL).response()
        assert (await machine.client().request("GET", URL).response()).body == b"hello"
    assert "GET b'/' is given up: ERROR_NOT_ENOUGH_MEMORY" in caplog.text


async def test_a_writer_that_waits_for_a_client_that_leaves_does_not_wait_for_ever(machine):
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(bytes(1 << 17))
        told.set_result(exchange.channel().failure)
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler):
        client = machine.client()
        client.request("GET", URL)
        client.paused = True
        await machine.until(lambda: client.unread > HIGH_WATER)
        await turns()
        client.disconnect()
        async with asyncio.timeout(5):
            assert (await told).reason is Reason.RESPONSE_BODY_CLIENT


@both_ports
async def test_an_abort_while_a_send_is_pending_breaks_the_response(machine, completion):
    held = Held(machine, framing=100)
    async with serving_held(machine, held, completion):
        call = machine.client().request("GET", URL)
        await held.sending()
        held.stream.write(b"never sent")
        await held.exchange.fail(Failure(Reason.RESPONSE_BODY_DESTINATION))
        with pytest.raises(ConnectionResetError):
            await call.response()
        await turns()
        assert sends(machine) == 1
    assert held.pump.losses == 0  # whoever aborts knows


# -- options ----------------------------------------------------------------------------------------------------------


async def streaming(exchange):
    await exchange.start(200)
    await exchange.write(b"first")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await exchange.write(b"second")
    return await exchange.end()


@pytest.mark.parametrize("buffering", [False, True])
async def test_the_kernel_buffers_when_it_is_told_to(machine, buffering):
    windows = machine.process()
    async with serving(machine, streaming, windows=windows, kernel_buffering=buffering):
        assert (await machine.client().request("GET", URL).response()).body == b"firstsecond"
    assert len(flags(windows)) == 2
    assert [bool(value & SendFlag.BUFFER_DATA) for value in flags(windows)] == [buffering] * 2
    assert [bool(value & SendFlag.MORE_DATA) for value in flags(windows)] == [True, False]


PIECES = 10


async def in_pieces(exchange):
    """Answer in pieces, each a call of its own."""
    await exchange.start(200)
    for _ in range(PIECES):
        await exchange.write(b"x")
        await turns()
    return await exchange.end()


async def test_no_call_waits_for_the_client_s_acknowledgement(machine):
    """By default HTTP.sys buffers; one call is under way at a time (HttpSysServer#418)."""
    machine.acknowledgements.held = True
    windows = machine.process()
    async with serving(machine, in_pieces, windows=windows):
        assert (await machine.client().request("GET", URL).response()).body == b"x" * PIECES
    assert len(machine.acknowledgements) == 0
    assert len(flags(windows)) == PIECES + 1


async def test_without_buffering_each_call_is_a_round_trip(machine):
    machine.acknowledgements.held = True
    windows = machine.process()
    trips = 0
    async with serving(machine, in_pieces, windows=windows, kernel_buffering=False):
        call = machine.client().request("GET", URL)
        while not call.complete:
            await machine.until(lambda: call.complete or len(machine.acknowledgements))
            assert len(machine.acknowledgements) <= 1  # calls under way
            trips += machine.acknowledge()
        trips += machine.acknowledge()
    assert trips == len(flags(windows)) > 1
    assert bytes(call.body) == b"x" * PIECES


@pytest.mark.parametrize("buffering", [True, False])
async def test_what_goes_through_a_tunnel_is_buffered_too(machine, buffering):
    machine.acknowledgements.held = buffering
    windows = machine.process()

    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        await exchange.start(101, [("connection", "upgrade"), ("upgrade", "raw")])
        for _ in range(PIECES):
            exchange.stream.write(b"x")
            await turns()
        exchange.stream.end()
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler, windows=windows, kernel_buffering=buffering):
        call = machine.client().request("GET", URL, [("Connection", "upgrade"), ("Upgrade", "raw")])
        await call.over()
    assert bytes(call.body) == b"x" * PIECES
    assert [bool(value & SendFlag.BUFFER_DATA) for value in flags(windows)][1:] == [buffering] * (
        len(flags(windows)) - 1
    )


@every_way
async def test_what_the_log_says_goes_with_the_last_call(machine, way):
    windows, lines = machine.process(), []

    def look(*arguments):
        log = arguments[-1]
        if log != ffi.NULL:
            data = ffi.cast("HTTP_LOG_FIELDS_DATA *", log)
            stem = bytes(ffi.buffer(data.UriStem, data.UriStemLength)).decode("utf-16-le")
            lines.append((data.ProtocolStatus, stem))
        return False

    windows.fail(HEAD, 0, when=look)
    windows.fail(BODY, 0, when=look)

    async def handler(exchange):
        if exchange.path == "/streamed":
            return await streaming(exchange)
        return await exchange.respond(404)

    log = Logging(directory="C:\\Logs")
    async with serving(machine, handler, way, windows=windows, logging=log):
        for path in ("streamed", "missing", "%C3%A4"):
            await machine.client().request("GET", URL + path).response()
        assert (await machine.client().request("CONNECT", URL).response()).status == 400
    assert lines == [(200, "/streamed"), (404, "/missing"), (404, "/%C3%A4")]


async def test_without_a_log_nothing_is_said(machine):
    windows = machine.process()
    async with serving(machine, streaming, windows=windows):
        await machine.client().request("GET", URL).response()
    assert {call.arguments[-1] for call in windows.calls if call.function in {HEAD, BODY}} == {0}


@pytest.mark.parametrize("pace", [Pace.AT_ONCE, Pace.SOON, Pace.HELD])
async def test_whoever_is_told_that_there_is_room_may_end_the_response_at_once(machine, pace):
    """As an application does that closes a WebSocket in the moment in which its client's Close comes."""
    machine.pace = pace
    windows = machine.process()

    class Ending(RecordingPump):
        def resume(self):
            super().resume()
            stream.write(b"B" * 1000)
            stream.end()

    async def handler(exchange):
        nonlocal stream
        stream = exchange.stream
        stream.attach(Ending())
        stream.start(Response(200, Headers(), CHUNKED), b"A" * 100_000)
        while not stream.closed:
            await turns()
        return exchange.outcome(Kind.RESPONDED)

    stream = None
    async with served(windows, handler):
        call = machine.client().request("GET", URL)
        response = asyncio.create_task(call.response())
        while not response.done():
            machine.complete_sends()
            await asyncio.sleep(0)
        assert (await response).body == b"A" * 100_000 + b"B" * 1000
