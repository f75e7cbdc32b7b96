"""Forwarding without a coroutine: what becomes of it, for whoever awaits it and for whoever is only told."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from hostler import Cluster, Destination
from hostler.client.forwarding import Forwarding
from hostler.client.http1 import Http1UpstreamConnection
from hostler.completion import Completion
from hostler.errors import Failure, Reason
from hostler.outcome import Kind, Outcome
from hostler.testing import exchange, live
from tests.client.transports import Owner, Pipe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AGAIN = Outcome(Kind.FORWARDED, 201, "again")


class CallbackError(Exception):
    pass


class Way:
    """The ordinary way: it answers at once, or when it is told to."""

    def __init__(self, raises=None):
        self.raises = raises
        self.failures, self.addresses, self.sent_again = [], [], []
        self.may_answer = asyncio.Event()
        self.was_cancelled = False

    async def send_again(self, exchange, config):
        self.sent_again.append((exchange, config))
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.raises is not None:
            raise self.raises
        return AGAIN

    def answer_failure(self, exchange, address, failure):
        self.failures.append(failure)
        self.addresses.append(address)
        if self.raises is not None:
            raise self.raises
        return exchange.outcome(Kind.FAILED, failure, address)


class Told:
    """A server that began an exchange."""

    def __init__(self):
        self.outcomes = []

    def resume(self, answer):
        self.outcomes.append(answer.result())

    def resume_soon(self, answer):
        asyncio.get_running_loop().call_soon(self.resume, answer)

    def get_context(self):
        return contextvars.copy_context()


class Case:
    """A request under way."""

    def __init__(self, *, served=False, raises=None):
        self.exchange = exchange()
        self.cluster = live(Cluster("c", ["http://there"]))
        (self.destination,) = self.cluster.destinations
        self.way, self.pipe = Way(raises), Pipe()
        connection = self.connection = Http1UpstreamConnection(Owner(), asyncio.get_running_loop(), 60)
        connection.connection_made(self.pipe)
        connection._served = served
        self.forwarding = Forwarding(
            self.way, self.exchange, self.destination, self.destination.config, 100, "GET"
        )
        self.forwarding.begin_plain(connection, b"GET / HTTP/1.1\r\n\r\n", 0)

    @property
    def in_flight(self):
        return self.destination.in_flight

    def receive(self, data):
        self.connection.data_received(data)

    def close(self):
        self.connection.close()


@pytest.fixture
async def case():
    made = []

    def make(**options):
        made.append(Case(**options))
        return made[-1]

    yield make
    for item in made:
        item.close()


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def awaited(forwarding):
    return await forwarding


WAYS = {
    "await": awaited,
    "create_task": asyncio.create_task,
    "ensure_future": asyncio.ensure_future,
    "wait_for": lambda forwarding: asyncio.wait_for(forwarding, 60),
    "shield": asyncio.shield,
    "gather": lambda forwarding: awaited_first(asyncio.gather(forwarding)),
}


async def awaited_first(gathered):
    (first,) = await gathered
    return first


async def test_it_has_all_that_a_completion_is_made_with(case):
    assert vars(Completion()).keys() <= vars(case().forwarding).keys()


# -- well -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_late", [False, True])
async def test_whoever_awaits_it_gets_the_outcome(case, way, is_late):
    here = case()
    if is_late:
        here.receive(OK)
    task = asyncio.ensure_future(WAYS[way](here.forwarding))
    await turns(2)
    assert here.in_flight == (not is_late)
    if not is_late:
        here.receive(OK)
    outcome = await task
    assert (outcome.kind, outcome.status, outcome.destination) == (Kind.FORWARDED, 200, "http://there")
    assert here.in_flight == 0
    assert here.forwarding.result() is outcome
    assert here.forwarding.exception() is None


async def test_whoever_began_it_is_told_within_the_callback(case):
    here, told = case(), Told()
    here.forwarding.waiter = told
    here.receive(OK)
    assert [outcome.status for outcome in told.outcomes] == [200]
    assert here.exchange.stream.response.body == b"ok"


async def test_it_has_no_result_before_its_end(case):
    forwarding = case().forwarding
    with pytest.raises(asyncio.InvalidStateError):
        forwarding.result()
    with pytest.raises(asyncio.InvalidStateError):
        forwarding.exception()


# -- not so well ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_a_failure_is_answered_in_the_next_turn(case, way):
    here = case()
    task = asyncio.ensure_future(WAYS[way](here.forwarding))
    await turns(2)
    here.connection.connection_lost(OSError("cut"))
    assert (here.way.failures, here.forwarding.done(), here.in_flight) == ([], False, 1)
    outcome = await task
    assert outcome.failure is here.way.failures[0]
    assert (outcome.kind, outcome.failure.reason, outcome.failure.detail) == (
        Kind.FAILED,
        Reason.REQUEST,
        "cut",
    )
    assert here.in_flight == 0


async def test_whoever_began_it_is_told_of_a_failure(case):
    here, told = case(), Told()
    here.forwarding.waiter = told
    here.forwarding.lost(Failure(Reason.REQUEST_CANCELED, "left"))
    assert here.pipe.aborted
    await turns()
    assert [outcome.failure.detail for outcome in told.outcomes] == ["left"]
    assert here.in_flight == 0


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_callback_raises_is_raised_where_it_is_awaited(case, way):
    here = case(raises=CallbackError())
    task = asyncio.ensure_future(WAYS[way](here.forwarding))
    await turns(2)
    here.connection.connection_lost(None)
    with pytest.raises(CallbackError):
        await task
    assert isinstance(here.forwarding.exception(), CallbackError)
    assert here.in_flight == 0


# -- on a stale connection --------------------------------------------------------------------------------------------


async def test_a_stale_connection_has_it_sent_again(case):
    here = case(served=True)
    task = asyncio.create_task(awaited(here.forwarding))
    await turns(1)
    here.connection.connection_lost(None)
    await turns()
    assert here.way.sent_again == [(here.exchange, here.destination.config)]
    assert (here.forwarding.done(), here.in_flight) == (False, 1)
    here.way.may_answer.set()
    assert await task is AGAIN
    assert here.in_flight == 0


async def test_what_is_raised_when_it_is_sent_again(case):
    here = case(served=True, raises=CallbackError())
    here.way.may_answer.set()
    here.connection.connection_lost(None)
    with pytest.raises(CallbackError):
        await here.forwarding
    assert here.in_flight == 0


# -- while the destination gets another configuration ------------------------------------------------------------------


@pytest.mark.parametrize("served", [False, True])
async def test_what_is_said_and_done_is_of_the_configuration_that_it_began_with(case, served):
    """After a reload a destination has another one."""
    here = case(served=served)
    here.destination.config = Destination("http://elsewhere")
    here.connection.connection_lost(None)
    await turns()
    if served:
        assert [config.address for _, config in here.way.sent_again] == ["http://there"]
        here.forwarding.cancel()
    else:
        assert here.way.addresses == ["http://there"]
    here = case()
    here.destination.config = Destination("http://elsewhere")
    here.receive(OK)
    assert here.forwarding.result().destination == "http://there"


# -- given up ---------------------------------------------------------------------------------------------------------


async def test_one_that_is_cancelled_gives_its_connection_up(case):
    here = case()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await here.forwarding
    assert here.pipe.aborted
    assert here.in_flight == 0
    assert here.forwarding.cancelled()
    assert not here.forwarding.cancel()
    assert here.way.failures == []


async def test_one_that_is_cancelled_before_its_failure_was_answered_is_not_answered(case):
    here = case()
    here.connection.connection_lost(None)
    assert here.forwarding.cancel()
    await turns()
    assert (here.way.failures, here.in_flight) == ([], 0)


async def test_one_that_is_cancelled_while_it_is_sent_again_ends_that(case):
    here = case(served=True)
    here.connection.connection_lost(None)
    await turns()
    assert here.forwarding.cancel("why")
    await turns()
    assert here.way.was_cancelled
    assert here.in_flight == 0
    with pytest.raises(asyncio.CancelledError):
        here.forwarding.result()


async def test_one_whose_second_sending_is_cancelled_from_elsewhere_is_cancelled(case):
    here = case(served=True)
    here.connection.connection_lost(None)
    await turns()
    here.forwarding._again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await here.forwarding
    assert here.in_flight == 0


@pytest.mark.parametrize("way", ["throw", "close"])
async def test_a_coroutine_that_is_thrown_at_or_closed(case, way):
    here = case()
    assert here.forwarding.send(None) is here.forwarding
    if way == "throw":
        with pytest.raises(CallbackError):
            here.forwarding.throw(CallbackError())
    else:
        here.forwarding.close()
    assert here.pipe.aborted
    assert here.in_flight == 0
