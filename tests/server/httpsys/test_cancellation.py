"""Cancelled at every step: whatever is given up, and wherever, nothing stays open, pending or registered."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

import pytest

import hostler
from hostler.config.model import Cluster, Route
from hostler.proxy import Proxy
from hostler.server.base import QueueMode
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import served

MAX_STEPS = 400
BODY = b"b" * 100_000


class CancelledAt(Coroutine):
    """A coroutine that is cancelled when it would take its step number `step`, from 1 on."""

    def __init__(self, coroutine, step):
        self._coroutine = coroutine
        self._left = step
        self.hit = False

    def send(self, value):
        self._left -= 1
        if self._left == 0:
            self.hit = True
            return self._coroutine.throw(asyncio.CancelledError())
        return self._coroutine.send(value)

    def throw(self, *args):
        return self._coroutine.throw(*args)

    def close(self):
        self._coroutine.close()

    def __await__(self):
        return self

    __iter__ = __await__

    def __next__(self):
        return self.send(None)


async def echo(exchange):
    """Read the body piece by piece, and send each back."""
    await exchange.start(200)
    async for piece in exchange.chunks():
        await exchange.write(piece)
    return await exchange.end()


async def talk(machine):
    """Send a body in pieces, read what comes back, as far as the server lets us."""
    client = machine.client()
    try:
        call = client.request("POST", "http://localhost:8080/x", length=len(BODY))
        for at in range(0, len(BODY), 30_000):
            call.send(BODY[at : at + 30_000])
            await asyncio.sleep(0)
        with suppress(ConnectionError):
            response = await call.response(timeout=5)
            if response.status == 200:
                assert response.body == BODY
    finally:
        client.disconnect()


@pytest.fixture(params=["thread", "proactor"])
def completion(request):
    return request.param


@pytest.mark.parametrize("pace", [Pace.AT_ONCE, Pace.SOON])
async def test_a_handler_cancelled_at_each_step_leaves_nothing(machine, completion, pace):
    machine.pace = pace
    windows = machine.process()
    for step in range(1, MAX_STEPS):
        cancelled = []

        def handler(exchange, step=step, cancelled=cancelled):
            cancelled.append(CancelledAt(echo(exchange), step))
            return cancelled[0]

        async with served(windows, handler, completion=completion):
            await talk(machine)
        assert windows.alive() == {}, step
        assert machine.defects == [], step
        if not cancelled[0].hit:
            break
    assert 2 < step < MAX_STEPS - 1


@pytest.mark.parametrize("pace", [Pace.AT_ONCE, Pace.SOON])
async def test_a_server_cancelled_at_each_step_leaves_nothing(machine, completion, pace):
    machine.pace = pace
    windows = machine.process()

    async def scenario():
        async with served(windows, echo, completion=completion, queue=("jobs", QueueMode.CREATE)):
            await talk(machine)

    for step in range(1, MAX_STEPS):
        run = CancelledAt(scenario(), step)
        with suppress(asyncio.CancelledError):
            await asyncio.create_task(run)
        assert windows.alive() == {}, step
        assert machine.defects == [], step
        if not run.hit:
            break
    assert 2 < step < MAX_STEPS - 1


async def test_a_delegated_exchange_cancelled_at_each_step_leaves_nothing(machine):
    front, back = machine.process("front"), machine.process("back")
    prefix = "http://localhost:8081/"
    cluster = Cluster("c", [hostler.queue("jobs", prefix)])
    for step in range(1, MAX_STEPS):
        cancelled = []
        proxy = Proxy(routes=[Route("/{**rest}", "c")], clusters=[cluster])

        def handler(exchange, step=step, proxy=proxy, cancelled=cancelled):
            cancelled.append(CancelledAt(proxy(exchange), step))
            return cancelled[0]

        async with (
            served(back, echo, queue=("jobs", QueueMode.CREATE), urls=[prefix]),
            served(front, handler) as server,
            proxy.lifespan(server),
        ):
            await talk(machine)
        assert machine.alive() == {}, step
        assert machine.defects == [], step
        if not cancelled[0].hit:
            break
    assert step < MAX_STEPS - 1


@pytest.mark.parametrize("pace", list(Pace))
async def test_stopping_at_each_moment_of_an_exchange_leaves_nothing(machine, completion, pace):
    machine.pace = pace
    windows = machine.process()
    for turns in range(0, 60, 3):
        async with served(windows, echo, completion=completion, grace=0.001):
            talking = asyncio.create_task(talk(machine))
            for _ in range(turns):
                await asyncio.sleep(0)
            machine.complete_sends()
        await talking
        assert windows.alive() == {}, turns
        assert machine.defects == [], turns


async def test_a_second_stop_can_only_shorten_the_grace(machine):
    windows = machine.process()
    entered = asyncio.Event()

    async def handler(exchange):
        entered.set()
        await asyncio.Event().wait()

    async with served(windows, handler, queue=("jobs", QueueMode.CREATE)) as server:
        call = machine.client().request("GET", "http://localhost:8080/")
        await entered.wait()
        first = asyncio.create_task(server.stop(float("inf")))
        await asyncio.sleep(0)
        await asyncio.wait_for(server.stop(0.01), 5)
        await asyncio.wait_for(first, 5)
        assert windows.alive() == {}
        with pytest.raises(ConnectionError):
            await call.response()


@pytest.mark.parametrize("queue", [None, ("jobs", QueueMode.CREATE)])
async def test_what_waits_in_the_kernel_is_served_by_the_server_that_stops(machine, queue):
    windows = machine.process()

    async def handler(exchange):
        return await exchange.respond(200, "served")

    async with served(windows, handler, queue=queue, receives=1) as server:
        with machine.lock:
            calls = [machine.client().request("GET", "http://localhost:8080/") for _ in range(20)]
        await server.stop(5)
    assert [(await call.response()).status for call in calls] == [200] * 20
