"""A handler that answers, and forgets to say so."""

from __future__ import annotations

from hostler.server.handling import Handling
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
