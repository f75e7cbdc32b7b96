"""How long exchanges may take."""

from __future__ import annotations

import asyncio

import pytest

from hostler import Definitions, Policies, Reason, Route, Side, TimeoutDefinition
from hostler.fleet import LiveRoute
from hostler.fleet.equipment import equip
from hostler.outcome import Kind, Outcome
from hostler.stages import limit_time
from hostler.testing import FakeClock, exchange

ONWARD = Outcome(Kind.RESPONDED, 200)
SHORT = Definitions(timeouts={"Short": TimeoutDefinition(5, 503)})


def on_route(*, definitions=SHORT, policies=None, **limits):
    """Make an exchange on a route with these limits."""
    given = exchange()
    config = Route("/", **limits)
    made = equip((policies or Policies()).recipes, config, None, definitions)
    given.route = LiveRoute(config.id, config, None, made)
    return given


class Slow:
    """Goes on for ever, once something was done."""

    def __init__(self, first=None):
        self.first = first
        self.begun = asyncio.Event()
        self.cancelled = False

    async def __call__(self, exchange):
        if self.first is not None:
            await self.first(exchange)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def begun(given, onward, clock):
    task = asyncio.create_task(limit_time(given, onward, call_later=clock.call_later))
    await onward.begun.wait()
    return task


async def start(exchange):
    await exchange.start(200)


async def upgrade(exchange):
    exchange.stream.status = 101


@pytest.mark.parametrize(
    ("limits", "seconds", "status"),
    [
        ({"timeout": 2.0}, 2.0, 504),
        ({"timeout_policy": "Short"}, 5.0, 503),
        ({"timeout_policy": "sHORT"}, 5.0, 503),
    ],
)
async def test_the_client_of_what_takes_too_long_gets_its_status(limits, seconds, status):
    given, onward, clock = on_route(**limits), Slow(), FakeClock()
    task = await begun(given, onward, clock)
    clock.advance(seconds - 0.001)
    await asyncio.sleep(0)
    assert not onward.cancelled
    clock.advance(0.001)
    outcome = await task
    assert onward.cancelled
    assert given.stream.response.status == status
    assert given.stream.response.complete
    assert (outcome.kind, outcome.status) == (Kind.FAILED, status)
    assert (outcome.failure.reason, outcome.failure.side) == (Reason.REQUEST_TIMED_OUT, Side.PROXY)


async def test_an_answer_that_has_begun_is_aborted():
    given, onward, clock = on_route(timeout=2.0), Slow(start), FakeClock()
    task = await begun(given, onward, clock)
    clock.advance(2)
    outcome = await task
    assert given.stream.response.aborted
    assert (outcome.kind, outcome.status) == (Kind.FAILED, 200)


async def test_an_upgraded_connection_may_go_on():
    given, onward, clock = on_route(timeout=2.0), Slow(upgrade), FakeClock()
    task = await begun(given, onward, clock)
    clock.advance(1000)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not onward.cancelled
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_over_in_time_is_left_alone():
    async def onward(exchange):
        return ONWARD

    clock = FakeClock()
    given = on_route(timeout=2.0)
    assert await limit_time(given, onward, call_later=clock.call_later) is ONWARD
    clock.advance(10)
    assert not given.stream.started


async def test_a_timeout_of_a_stage_behind_is_its_own():
    async def onward(exchange):
        raise TimeoutError("another")

    with pytest.raises(TimeoutError, match="another"):
        await limit_time(on_route(timeout=2.0), onward)


async def test_cancelling_from_outside_is_no_timeout():
    given, onward, clock = on_route(timeout=2.0), Slow(), FakeClock()
    task = await begun(given, onward, clock)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not given.stream.started


@pytest.mark.parametrize("limits", [{}, {"timeout_policy": "Disable"}, {"timeout_policy": ""}])
def test_a_route_without_a_limit_pays_nothing(limits):
    given = on_route(**limits)
    assert limit_time(given, lambda it: it) is given
    given.route = None
    assert limit_time(given, lambda it: it) is given


async def test_a_program_may_say_how_long():
    policies = Policies(timeout={"mine": lambda: TimeoutDefinition(1)})
    given, onward, clock = on_route(policies=policies, timeout_policy="Mine"), Slow(), FakeClock()
    task = await begun(given, onward, clock)
    clock.advance(1)
    assert (await task).status == 504


@pytest.mark.parametrize(
    ("limits", "concerned"),
    [
        ({}, False),
        ({"timeout": 1.0}, True),
        ({"timeout_policy": "x"}, True),
        ({"timeout_policy": ""}, False),
    ],
)
def test_which_routes_it_concerns(limits, concerned):
    assert limit_time.concerns_route(Route("/", **limits)) is concerned
