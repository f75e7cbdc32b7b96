from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from hostler.config.model import Cluster
from hostler.errors import Reason
from hostler.outcome import Kind
from hostler.pipeline import compose, lifespan_of, lifespans, unanswered
from hostler.stages import passive_health
from hostler.testing import exchange, live


def stage_named(name, log):
    async def stage(exchange, onward):
        log.append(f"{name} in")
        try:
            return await onward(exchange)
        finally:
            log.append(f"{name} out")

    return stage


async def test_stages_run_in_order_and_end_in_reverse():
    log = []

    async def last(exchange):
        log.append("last")
        return await exchange.respond(204)

    handler = compose((stage_named(name, log) for name in "ab"), last)
    assert (await handler(exchange())).status == 204
    assert log == ["a in", "b in", "last", "b out", "a out"]


async def test_a_stage_that_answers_ends_the_chain():
    log = []

    async def closed(exchange, onward):
        return await exchange.respond(403, "closed")

    outcome = await compose([stage_named("a", log), closed, stage_named("b", log)])(exchange())
    assert (outcome.kind, outcome.status) == (Kind.RESPONDED, 403)
    assert log == ["a in", "a out"]


@pytest.mark.parametrize("stages", [[], [stage_named("a", [])]], ids=["no stage", "one stage"])
async def test_what_nobody_answers_is_503(stages):
    given = exchange()
    outcome = await compose(stages)(given)
    assert (outcome.kind, given.stream.response.status) == (Kind.FAILED, 503)


async def test_an_exception_passes_through():
    log = []

    async def broken(exchange, onward):
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        await compose([stage_named("a", log), broken])(exchange())
    assert log == ["a in", "a out"]


async def test_a_handler_serves_many_exchanges():
    log = []
    handler = compose([stage_named("a", log)])
    await handler(exchange())
    await handler(exchange())
    assert log == ["a in", "a out"] * 2


class Living:
    """A stage with a lifespan."""

    def __init__(self, name, log, *, broken=False):
        self.name, self.log, self.broken = name, log, broken

    async def __call__(self, exchange, onward):
        return await onward(exchange)

    @asynccontextmanager
    async def lifespan(self):
        self.log.append(f"{self.name} starts")
        if self.broken:
            raise LookupError(self.name)
        try:
            yield
        finally:
            self.log.append(f"{self.name} stops")


async def test_lifespans_begin_in_order_and_end_in_reverse():
    log = []
    async with lifespans([Living("a", log), stage_named("b", log), Living("c", log)]):
        log.append("running")
    assert log == ["a starts", "c starts", "running", "c stops", "a stops"]


async def test_lifespans_that_began_end_when_a_later_one_cannot_begin():
    log = []
    with pytest.raises(LookupError, match="b"):
        async with lifespans([Living("a", log), Living("b", log, broken=True), Living("c", log)]):
            raise AssertionError("not reached")
    assert log == ["a starts", "b starts", "a stops"]


class Counting(Living):
    """A handler with a lifespan."""

    async def __call__(self, exchange):
        return await exchange.respond(204)

    def lifespan(self, server):
        self.log.append(f"{self.name} on {server}")
        return super().lifespan()


async def test_what_is_composed_starts_with_the_handler_and_stops_with_it():
    log = []
    composed = compose([stage_named("a", []), Living("b", log)], Counting("handler", log))
    async with lifespan_of(composed, "a server"):
        log.append("running")
    assert log == [
        "handler on a server", "handler starts", "b starts", "running", "b stops", "handler stops",
    ]  # fmt: skip


async def test_a_handler_that_is_a_function_has_a_lifespan_that_does_nothing():
    async with lifespan_of(unanswered, "a server"):
        outcome = await unanswered(exchange())
    assert outcome.status == 503


async def test_an_exchange_that_nobody_answers():
    given = exchange()
    outcome = await unanswered(given)
    assert outcome.failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
    assert given.stream.response.status == 503


async def forgetful(exchange, onward):
    await onward(exchange)


def synchronous(exchange, onward):
    onward(exchange).close()


class Forgetful:
    async def __call__(self, exchange, onward):
        return "done"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (
            forgetful,
            r"test_pipeline\.forgetful returned None, not an Outcome: end it with `return await onward",
        ),
        (synchronous, r"test_pipeline\.synchronous returned None"),
        (Forgetful(), r"test_pipeline\.Forgetful returned 'done'"),
    ],
)
async def test_a_stage_that_forgets_the_outcome_is_named(stage, message):
    """Whatever stands in front of it, its own error is the one that is raised."""
    with pytest.raises(TypeError, match=message):
        await compose([passive_health, stage], unanswered)(exchange(cluster=live(Cluster("c", ["http://a"]))))


async def test_a_handler_that_forgets_the_outcome_is_named():
    async def handler(exchange):
        await exchange.respond(200)

    with pytest.raises(TypeError, match=r"handler returned None, not an Outcome"):
        await compose([], handler)(exchange())
