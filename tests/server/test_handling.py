"""A handler that answers, and forgets to say so."""

from __future__ import annotations

import asyncio

from hostler.server.handling import Handling
from hostler.task import DirectTask
from hostler.testing import FakeStream, exchange


class Stream(FakeStream):
    failure = None
    is_tunnel = False
    handled = None


async def forgetful(exchange):
    await exchange.respond(200, "ok")


async def test_a_handler_that_returns_no_outcome_is_named_and_its_answer_stands(caplog):
    stream = Stream()
    handling = Handling(forgetful)
    handling.begin(exchange(stream=stream), stream)
    await handling.tasks.emptied()
    assert stream.response.status == 200
    assert "test_handling.forgetful returned None, not an Outcome" in caplog.text


class Task(DirectTask):
    def returned(self, value):
        pass

    def raised(self, error):
        pass


async def test_an_exchanges_task_has_all_that_a_task_is_made_with():
    """It is made without `__init__`."""
    stream = Stream()
    handling = Handling(forgetful)
    seen = []

    async def handler(_):
        seen.append(dict(vars(asyncio.current_task())))
        return await exchange(stream=stream).respond(200)

    handling.handler = handler
    handling.begin(exchange(stream=stream), stream)
    await handling.tasks.emptied()
    assert vars(Task(handling.loop, handling.context, handler, None)).keys() <= seen[0].keys()
