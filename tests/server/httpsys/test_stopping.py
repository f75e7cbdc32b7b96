"""Stopping: what is under way is finished, what waits is served or left to others, what takes too long is cut off."""

import asyncio
import math

import pytest

from hostler.outcome import Kind
from hostler.server.base import QueueMode
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import URL, served
from tests.server.httpsys.ways import RecordingPump, Way, every_way, every_way_in_any_order, serving, turns

RECEIVE = "HttpReceiveHttpRequest"
PIECE = 1 << 16


class Gate:
    """A handler that answers when it is let."""

    def __init__(self):
        self.open = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, exchange):
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await exchange.respond(200, "finished")


# -- gracefully -------------------------------------------------------------------------------------------------------


@every_way_in_any_order
@pytest.mark.parametrize("named", [False, True])
async def test_requests_under_way_are_finished(machine, way, named):
    gate = Gate()
    queue = ("jobs", QueueMode.CREATE) if named else None
    async with serving(machine, gate, way, queue=queue) as server:
        calls = [machine.client().request("GET", URL) for _ in range(5)]
        await machine.until(lambda: machine.alive().get("request") == 5)
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        assert not stopping.done()
        assert (await machine.client().request("GET", URL).response()).status == 503
        gate.open.set()
        for call in calls:
            assert (await call.response()).body == b"finished"
        await stopping
        assert machine.alive().keys() <= {"port"}
    assert gate.cancelled == 0


@every_way
async def test_a_connection_that_is_kept_gets_503_until_the_last_answer_is_out(machine, way):
    """As long as requests are under way the prefixes stay registered, with nobody behind them."""
    gate = Gate()

    async def handler(exchange):
        return await (gate(exchange) if exchange.path == "/slow" else exchange.respond(200, "soon"))

    async with serving(machine, handler, way) as server:
        slow, kept, other = machine.client(), machine.client(), machine.client()
        call = slow.request("GET", URL + "slow")
        for client in (kept, other):
            assert (await client.request("GET", URL).response()).body == b"soon"
        await gate.entered.wait()
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        for client in (kept, other):
            assert not client.connection.gone
            assert (await client.request("GET", URL).response()).status == 503
            assert client.connection.gone
        gate.open.set()
        last = await call.response()
        assert (last.body, last.header("connection")) == (b"finished", b"close")
        assert slow.connection.gone
        await stopping
    assert machine.httperr[-1] == (503, "AppOffline")


@pytest.mark.parametrize("named", [False, True])
async def test_nothing_is_shut_down_before_the_last_answer_is_out(machine, named):
    """HttpShutdownRequestQueue cancels what is under way (aspnetcore#5868); receives are cancelled one by one."""
    windows, gate = machine.process(), Gate()
    queue = ("jobs", QueueMode.CREATE) if named else None
    async with serving(machine, gate, windows=windows, queue=queue, receives=2) as server:
        call = machine.client().request("GET", URL)
        await gate.entered.wait()
        asyncio.get_running_loop().call_later(0.01, gate.open.set)
        await server.stop(5)
        assert (await call.response()).body == b"finished"
    order = [made.function for made in windows.calls]
    assert "CancelIoEx" in order
    last = len(order) - 1 - order[::-1].index("HttpSendHttpResponse")
    assert ("HttpShutdownRequestQueue" in order) is named  # nobody else can have a queue without a name
    assert not {"HttpShutdownRequestQueue", "HttpCloseRequestQueue", "HttpCloseServerSession"} & set(
        order[:last]
    )


async def test_where_a_group_cannot_be_unbound_its_prefixes_are_removed_at_once(machine, caplog):
    windows, gate = machine.process(), Gate()
    async with serving(machine, gate, windows=windows) as server:
        call = machine.client().request("GET", URL)
        await gate.entered.wait()
        windows.fail("HttpSetUrlGroupProperty", 50)
        stopping = asyncio.create_task(server.stop(5))
        await turns()
        assert (await machine.client().request("GET", URL).response()).status in {400, 404}
        gate.open.set()
        assert (await call.response()).body == b"finished"
        await stopping
    assert "its prefixes are removed instead" in caplog.text


# -- HTTP/2 -----------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("size", [1, 3 * PIECE])
async def test_clients_of_http_2_are_asked_to_go_elsewhere(machine, way, size):
    """By GOAWAY, with the answers that are under way."""
    gate = asyncio.Event()

    async def handler(exchange):
        if exchange.path == "/slow":
            await gate.wait()
        await exchange.start(200)
        for _ in range(0, size, PIECE):
            await exchange.write(bytes(min(size, PIECE)))
        return await exchange.end()

    async with serving(machine, handler, way) as server:
        client = machine.client(http2=True)
        slow = client.request("GET", URL + "slow")
        assert len((await client.request("GET", URL).response()).body) == size
        assert not client.connection.going_away
        await machine.until(lambda: machine.alive().get("request"))
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        gate.set()
        answer = await slow.response()
        assert len(answer.body) == size
        assert answer.header("connection") is None
        assert client.connection.going_away
        await stopping


@every_way
async def test_a_windows_that_does_not_know_goaway_is_asked_once(machine, way):
    """It refuses the flag with 87, and gets the same call without (ASP.NET's Response)."""
    machine.release = 2019
    windows = machine.process()

    async def handler(exchange):
        return await exchange.respond(200, "x", headers=[("connection", "close")])

    async with serving(machine, handler, way, windows=windows):
        client = machine.client(http2=True)
        for _ in range(3):
            assert (await client.request("GET", URL).response()).body == b"x"
        assert not client.connection.going_away
    asked = [
        bool(made.arguments[2] & 0x100) for made in windows.calls if made.function == "HttpSendHttpResponse"
    ]
    assert asked == [True, False, False, False]


@pytest.mark.logs_errors("HttpSendHttpResponse", sometimes=True)
async def test_a_head_that_is_wrong_with_and_without_goaway_is_given_up(machine):
    windows = machine.process()
    windows.fail("HttpSendHttpResponse", 87, times=2)

    async def handler(exchange):
        return await exchange.respond(200, "x", headers=[("connection", "close")])

    async with serving(machine, handler, windows=windows):
        client = machine.client(http2=True)
        with pytest.raises(ConnectionResetError):
            await client.request("GET", URL).response()
        assert (await client.request("GET", URL).response()).body == b"x"
        assert client.connection.going_away


@every_way
async def test_an_answer_that_a_slow_client_still_reads_is_sent_to_its_end(machine, way):
    body = bytes(10 * PIECE)

    async def handler(exchange):
        await exchange.start(200, length=len(body))
        for at in range(0, len(body), PIECE):
            await exchange.write(body[at : at + PIECE])
        return await exchange.end()

    async with serving(machine, handler, way) as server:
        client = machine.client()
        call = client.request("GET", URL)
        client.paused = True
        await machine.until(lambda: client.unread)
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        client.paused = False
        assert (await call.response()).body == body
        await stopping


@every_way
async def test_an_answer_that_is_handed_over_is_sent_to_its_end(machine, way):
    """The handler is done, its answer under way."""

    async def handler(exchange):
        exchange.stream.attach(RecordingPump())
        return await exchange.respond(200, b"a" * 3 * PIECE)

    async with serving(machine, handler, way) as server:
        client = machine.client()
        client.paused = True
        first = client.request("GET", URL + "1")
        await machine.until(lambda: client.unread > PIECE)
        second = client.request("GET", URL + "2")  # its answer must wait for the client
        await machine.until(lambda: machine.count("HttpSendHttpResponse") == 2)
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        assert not stopping.done()
        client.paused = False
        assert len((await first.response()).body) == len((await second.response()).body) == 3 * PIECE
        await stopping


@every_way
async def test_a_body_that_still_comes_is_taken_to_its_end(machine, way):
    async def handler(exchange):
        return await exchange.respond(200, await exchange.read())

    async with serving(machine, handler, way) as server:
        call = machine.client().request("POST", URL, length=10)
        call.send(b"01234")
        await machine.until(lambda: machine.count("HttpReceiveRequestEntityBody"))
        stopping = asyncio.create_task(server.stop(math.inf))
        await turns()
        call.send(b"56789")
        assert (await call.response()).body == b"0123456789"
        await stopping


@every_way_in_any_order
async def test_no_request_that_was_taken_is_lost_whenever_the_server_stops(machine, way):
    """What came before the stop is answered; what came after is refused by HTTP.sys, and never reset."""

    async def handler(exchange):
        await asyncio.sleep(0)
        return await exchange.respond(200, "served")

    for moment in range(6):
        async with serving(machine, handler, way, receives=2) as server:
            before = [machine.client().request("GET", URL) for _ in range(8)]
            await turns(moment)
            await server.stop(5)
            for call in before:
                assert (await call.response()).body == b"served"


# -- named queues -----------------------------------------------------------------------------------------------------


def answering(name):
    async def handler(exchange):
        return await exchange.respond(200, name)

    return handler


@pytest.mark.parametrize("completion", ["thread", "proactor"])
@pytest.mark.parametrize("supported", [True, False])
async def test_requests_in_a_queue_of_two_processes_are_served_by_one_of_them(machine, completion, supported):
    """Where HttpShutdownRequestQueue is not to be had (120) too."""
    owner, helper = machine.process("owner"), machine.process("helper")
    if not supported:
        helper.fail("HttpShutdownRequestQueue", 120)
    way, joined = Way(completion), ("jobs", QueueMode.ATTACH)
    async with (
        served(owner, answering("owner"), queue=("jobs", QueueMode.CREATE)),
        serving(machine, answering("helper"), way, windows=helper, queue=joined, receives=1) as server,
    ):
        await turns()
        calls = [machine.client().request("GET", URL) for _ in range(30)]
        stopping = asyncio.create_task(server.stop(5))
        calls += [machine.client().request("GET", URL) for _ in range(30)]
        await stopping
        assert {(await call.response()).body for call in calls} <= {b"owner", b"helper"}
        assert (await machine.client().request("GET", URL).response()).body == b"owner"
    assert machine.count("HttpShutdownRequestQueue") == 2


@every_way
async def test_who_joined_a_queue_leaves_its_prefixes_to_the_others_until_it_is_done(machine, way):
    """Requests for the prefixes that it registered itself are taken by the queue's other processes meanwhile."""
    owner, helper, gate = machine.process("owner"), machine.process("helper"), Gate()
    own, others = "http://localhost:8081/", ("jobs", QueueMode.CREATE_OR_ATTACH)
    async with (
        served(owner, answering("owner"), queue=("jobs", QueueMode.CREATE)),
        serving(machine, gate, way, windows=helper, queue=others, urls=(URL, own), receives=1) as second,
    ):
        await machine.until(lambda: len(machine.queue("jobs").receives) == 4)
        machine.queue("jobs").receives.sort(key=lambda entry: entry[0].process is not helper.of)
        call = machine.client().request("GET", own)
        async with asyncio.timeout(5):
            await gate.entered.wait()
        stopping = asyncio.create_task(second.stop(5))
        await turns()
        for url in (URL, own):
            assert (await machine.client().request("GET", url).response()).body == b"owner"
        gate.open.set()
        finished = await call.response()
        assert (finished.body, finished.header("connection")) == (b"finished", None)
        await stopping
        assert (await machine.client().request("GET", URL).response()).body == b"owner"


async def test_who_stops_leaves_what_waits_to_the_queues_other_process(machine):
    """HttpShutdownRequestQueue: no more requests for this process, the queue goes on."""
    owner, helper = machine.process("owner"), machine.process("helper")
    gate = Gate()
    async with served(owner, answering("owner"), queue=("jobs", QueueMode.CREATE), receives=1) as first:
        await turns()
        await first._receiver.stop()  # nobody of this process waits for now
        async with served(helper, gate, queue=("jobs", QueueMode.ATTACH), receives=1) as second:
            taken = machine.client().request("GET", URL)
            await gate.entered.wait()
            stopping = asyncio.create_task(second.stop(5))
            await turns()
            left = machine.client().request("GET", URL)
            gate.open.set()
            assert (await taken.response()).body == b"finished"
            await stopping
        assert not left.complete
        first._receiver.stopping, first._receiver._stopped = False, None
        first._receiver.begin()
        assert (await left.response()).body == b"owner"


# -- when the grace is used up ----------------------------------------------------------------------------------------


@every_way_in_any_order
@pytest.mark.parametrize("grace", [0, 0.01])
async def test_handlers_that_take_too_long_are_cancelled_and_their_clients_cut_off(machine, way, grace):
    gate = Gate()
    async with serving(machine, gate, way) as server:
        calls = [machine.client().request("GET", URL) for _ in range(3)]
        await machine.until(lambda: machine.alive().get("request") == 3)
        await gate.entered.wait()
        await server.stop(grace)
        for call in calls:
            await call.over()
            assert call.reset
    assert gate.cancelled == 3


@every_way
async def test_answers_that_take_too_long_are_cut_off(machine, way):
    async def handler(exchange):
        return await exchange.respond(200, b"a" * 3 * PIECE)

    async with serving(machine, handler, way) as server:
        client = machine.client()
        client.paused = True
        client.request("GET", URL + "1")
        await machine.until(lambda: client.unread > PIECE)
        second = client.request("GET", URL + "2")
        await machine.until(lambda: machine.count("HttpSendHttpResponse") == 2)
        await server.stop(0.01)
        client.paused = False
        await second.over()
        assert second.reset


@pytest.mark.parametrize("pace", Pace)
async def test_uploads_that_take_too_long_are_cut_off(machine, pace):
    told = []

    async def handler(exchange):
        try:
            return await exchange.respond(200, await exchange.read())
        except asyncio.CancelledError:
            told.append(exchange.path)
            raise

    async with serving(machine, handler, Way(pace=pace)) as server:
        call = machine.client().request("POST", URL, length=10)
        call.send(b"01234")
        await machine.until(lambda: machine.count("HttpReceiveRequestEntityBody"))
        await server.stop(0.01)
        await call.over()
        assert call.reset
    assert told == ["/"]


async def test_a_handler_that_answers_when_it_is_cancelled_is_too_late(machine):
    async def handler(exchange):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await exchange.respond(503)
            raise

    async with serving(machine, handler) as server:
        call = machine.client().request("GET", URL)
        await machine.until(lambda: machine.alive().get("request"))
        await turns()
        await server.stop(0)
        await call.over()


async def test_tunnels_that_do_not_end_are_cut_off(machine):
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await exchange.start(101, [("connection", "upgrade"), ("upgrade", "raw")])
        exchange.stream.attach(pump)
        await asyncio.Event().wait()
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler) as server:
        call = machine.client().request("GET", URL, [("Connection", "upgrade"), ("Upgrade", "raw")])
        await call.head()
        await server.stop(0.01)
        await call.over()
        assert call.reset
    assert pump.goings == 1


# -- in unusual circumstances -----------------------------------------------------------------------------------------


async def test_to_stop_again_is_no_matter(machine):
    async with serving(machine, answering("x")) as server:
        await machine.client().request("GET", URL).response()
        await server.stop(5)
        await server.stop(5)
        await server.stop(0)


async def test_a_server_that_never_listened_stops(machine):
    async with serving(machine, answering("x"), urls=()) as server:
        await server.stop(5)
    assert machine.count(RECEIVE) == 0


@every_way
async def test_a_queue_that_is_closed_under_load_by_somebody_else_leaves_nothing(machine, way):
    windows, gate = machine.process(), Gate()
    async with serving(machine, gate, way, windows=windows) as server:
        calls = [machine.client().request("POST", URL, length=5) for _ in range(5)]
        await machine.until(lambda: machine.alive().get("request") == 5)
        windows.http.HttpCloseRequestQueue(server._queue.handle)
        for call in calls:
            await call.over()
            assert call.reset
        gate.open.set()
        async with asyncio.timeout(5):
            await server.stop(5)
    assert all("closed" in defect or "again" in defect for defect in machine.defects)
    machine.defects.clear()  # they are those of who closed what is not theirs


@pytest.mark.parametrize("pace", Pace)
async def test_the_end_of_a_queues_other_process_is_none_of_ours(machine, pace):
    owner, helper = machine.process("owner"), machine.process("helper")
    async with serving(
        machine,
        answering("owner"),
        Way(pace=pace),
        windows=owner,
        queue=("jobs", QueueMode.CREATE),
        receives=1,
    ):
        async with served(helper, answering("helper"), queue=("jobs", QueueMode.ATTACH), receives=1):
            await turns()
        for _ in range(3):
            assert (await machine.client().request("GET", URL).response()).body == b"owner"
