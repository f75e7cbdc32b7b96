"""Who answers what is delegated: hostler's servers and others, as they start, end, die and come back."""

import asyncio

import pytest

from hostler.config.model import queue
from hostler.errors import QueueExistsError, Reason
from hostler.outcome import Kind
from hostler.server.base import QueueMode
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.delegating import BACK, FRONT, Q, delegating, receiving
from tests.server.httpsys.model.program import Program
from tests.server.httpsys.served import served

KEEPING = pytest.mark.parametrize("release", [2019, 2022], ids=["2019", "2022"])
"""Windows on which a delegator's handle keeps a queue that its receiver has closed."""

EVERY = pytest.mark.parametrize("release", [2019, 2022, 2025], ids=["2019", "2022", "new"])


# -- what arrives there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_the_body_is_the_receivers_alone(machine, framing):
    body = bytes(range(256)) * 2000

    async def echo(exchange):
        return await exchange.respond(200, await exchange.read())

    async with receiving(machine, echo), delegating(machine) as front:
        call = front.request("POST", "/", body=body, chunked=framing == "chunks")
        assert (await call.response()).body == body
        assert front.called("HttpReceiveRequestEntityBody") == 0


async def test_a_body_that_is_still_under_way_goes_to_the_receiver(machine):
    async def echo(exchange):
        await exchange.start(200)
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    async with receiving(machine, echo), delegating(machine) as front:
        call = front.request("POST", "/", length=6, expect=True)
        await machine.until(lambda: call.informational)
        for piece in (b"one", b"two"):
            call.send(piece)
            await call.read(len(call.body) + 3)
        assert (call.informational, (await call.response()).body) == ([100], b"onetwo")
        assert front.outcomes[0].kind is Kind.DELEGATED


async def test_an_answer_arrives_as_it_is_written(machine):
    read = asyncio.Event()

    async def drip(exchange):
        await exchange.start(200)
        await exchange.write(b"first")
        await read.wait()
        await exchange.write(b"second")
        return await exchange.end()

    async with receiving(machine, drip), delegating(machine) as front:
        call = front.request()
        assert await call.read(5) == b"first"
        assert front.outcomes[0].kind is Kind.DELEGATED
        read.set()
        assert (await call.response()).body == b"firstsecond"


async def test_the_request_is_the_receivers_as_it_came(machine):
    seen = []

    async def look(exchange):
        seen.append((exchange.request, exchange.client, exchange.server, exchange.host, exchange.port))
        return await exchange.respond(204)

    async with receiving(machine, look), delegating(machine):
        client = machine.client(remote=("198.51.100.7", 1234))
        await client.request("PATCH", f"{FRONT}%7Ea?b=%20", [("X-A", "1"), ("X-A", "2")]).response()
    ((request, *rest),) = seen
    assert (request.method, request.target) == ("PATCH", b"/%7Ea?b=%20")
    assert [value for name, value in request.headers.pairs() if name.lower() == b"x-a"] == [b"1, 2"]
    assert rest == [("198.51.100.7", 1234), ("127.0.0.1", 8080), "localhost", 8080]


@pytest.mark.parametrize(
    ("path", "placed"),
    [
        ("/app/x", b"hello /app|/x|"),
        ("/APP/x", b"hello /APP|/x|"),
        ("/app", b"hello /app||"),
        ("/apple", b"hello |/apple|"),
        ("/", b"hello |/|"),
    ],
)
async def test_the_path_base_is_what_the_prefix_of_the_target_takes(machine, path, placed):
    prefix = f"{BACK}app/"
    async with receiving(machine, urls=[prefix]), delegating(machine, queue("q", prefix)) as front:
        assert (await front.get(path)).body == placed


# -- receivers that are no hostler ------------------------------------------------------------------------------------


async def test_an_application_pool_answers_with_prefixes_and_contexts_of_its_own(machine):
    pool = Program(machine, "w3wp", queue="DefaultAppPool", urls=("http://*:80/", BACK))
    async with delegating(machine, queue("defaultapppool", BACK)) as front:
        for number in range(2):
            call = front.request("GET", f"/{number}")
            await machine.until(lambda: pool.machine.queue("DefaultAppPool").waiting)
            io = pool.take()
            assert io.request.UrlContext == 2
            pool.respond(io.request.RequestId, b"iis", headers={"Content-Length": "3"})
            assert (await call.response()).body == b"iis"
        assert (front.outcomes[1].kind, front.outcomes[1].destination) == (Kind.DELEGATED, "defaultapppool")
    pool.close()


# -- receivers that die -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("received", [False, True], ids=["before it received", "after it received"])
async def test_a_receiver_that_dies_takes_its_requests_along(machine, received):
    windows = machine.process("receiver")
    program = Program(machine, queue="q", urls=(BACK,), windows=windows)
    async with delegating(machine) as front:
        call = front.request()
        await machine.until(lambda: machine.queue("q").waiting)
        if received:
            program.take()
        machine.kill(windows)
        with pytest.raises(ConnectionResetError):
            await call.response()
        assert front.outcomes[0].kind is Kind.DELEGATED
        assert (await front.refused()).reason is Reason.NO_AVAILABLE_DESTINATIONS
        async with receiving(machine):
            assert (await front.get()).status == 200


async def test_a_receiver_that_stops_answers_what_it_has(machine):
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold(exchange):
        held.set()
        await go_on.wait()
        return await exchange.respond(200, "late")

    async with delegating(machine) as front:
        async with receiving(machine, hold) as receiver:
            call = front.request()
            await held.wait()
            stopping = asyncio.create_task(receiver.stop(5))
            await machine.until(lambda: not machine.queue("q").receives)
            go_on.set()
            assert (await call.response()).body == b"late"
            await stopping
        assert (await front.refused()).reason is Reason.NO_AVAILABLE_DESTINATIONS


@pytest.mark.logs_errors("delegating to queue q .* failed")
async def test_another_process_of_the_queue_takes_over(machine):
    async with receiving(machine) as first, delegating(machine) as front:
        await front.get()
        async with receiving(machine, mode=QueueMode.ATTACH):
            await first.stop(5)
            assert machine.queue("q") is not None
            # the prefixes went with the process that had registered them
            assert (await front.refused()).cause.code == ErrorCode.ERROR_FILE_NOT_FOUND


# -- receivers that come back -----------------------------------------------------------------------------------------


@EVERY
async def test_a_receiver_that_stopped_comes_back_with_create_or_attach(machine, release):
    machine.release = release
    async with delegating(machine) as front:
        for _ in range(3):
            async with receiving(machine, mode=QueueMode.CREATE_OR_ATTACH):
                assert (await front.get()).status == 200
        assert front.handles == 1


@EVERY
async def test_a_receiver_that_was_killed_comes_back_with_create_or_attach(machine, release):
    machine.release = release
    windows = machine.process("receiver")
    program = Program(machine, queue="q", urls=(BACK,), windows=windows)
    async with delegating(machine) as front:
        call = front.request()
        await machine.until(lambda: machine.queue("q").waiting)
        program.respond(program.take().request.RequestId, b"x", headers={"Content-Length": "1"})
        assert (await call.response()).body == b"x"
        machine.kill(windows)
        async with receiving(machine, mode=QueueMode.CREATE_OR_ATTACH):
            assert (await front.get()).body == b"hello |/|"


@KEEPING
@pytest.mark.logs_errors("delegating to queue q .* failed")
async def test_older_windows_keeps_the_queue_for_the_delegators_handle(machine, release):
    machine.release = release
    async with delegating(machine) as front:
        async with receiving(machine):
            await front.get()
        failure = await front.refused()
        assert (failure.reason, failure.cause.code) == (Reason.REQUEST, ErrorCode.ERROR_FILE_NOT_FOUND)
        assert failure.cause.function == "HttpDelegateRequestEx"
        with pytest.raises(QueueExistsError, match="attach to it"):
            async with receiving(machine):
                pass
        async with receiving(machine, mode=QueueMode.CREATE_OR_ATTACH):
            assert (await front.get()).status == 200
        assert front.handles == 1
        looked = front.looked
        front.proxy.reset_queue("q", BACK)
        assert machine.queue("q") is None
        async with receiving(machine):
            assert (await front.get()).status == 200
        assert front.looked == looked + 1


async def test_newer_windows_lets_a_receiver_create_its_queue_anew(machine):
    async with delegating(machine) as front:
        for _ in range(3):
            async with receiving(machine):
                assert (await front.get()).status == 200
        assert front.looked == 3


# -- from and to the same process -------------------------------------------------------------------------------------


async def test_a_process_delegates_to_a_queue_of_its_own(machine):
    windows = machine.process()
    async with receiving(machine, windows=windows), delegating(machine, Q, windows=windows) as front:
        assert (await front.get("/x")).body == b"hello |/x|"


async def test_what_was_delegated_may_be_delegated_on(machine):
    last = "http://localhost:9191/"

    async def on(exchange):
        return await exchange.delegate(rule)

    windows = machine.process("between")
    async with (
        receiving(machine, name="last", urls=[last]),
        served(windows, on, urls=[BACK], queue=("q", QueueMode.CREATE)) as between,
        delegating(machine) as front,
    ):
        rule = between.open_rule("last", last)
        assert (await front.request("POST", "/x", body=b"b").response()).body == b"hello |/x|b"
