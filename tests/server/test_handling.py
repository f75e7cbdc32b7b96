"""A handler that answers, and forgets to say so."""

from __future__ import annotations

import asyncio

import pytest

from hostler.answering import begin_response, finish_response
from hostler.completion import Completion
from hostler.direct import DirectAnswer
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind, Outcome
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


# -- handlers of hostler's own, without a task ------------------------------------------------------------------------


class Answer(DirectAnswer):
    """What a handler of hostler's own returns."""

    def __init__(self, exchange):
        Completion.__init__(self)
        self._error = None
        self._exchange, self._stream = exchange, exchange.stream


def directly(answer):
    """Return a handler of hostler's own."""

    def handler(given):
        return answer(given)

    handler.__module__ = "hostler.somewhere"
    return handler


def begun(handler):
    """Begin an exchange; return its handling, its stream, and what is under way."""
    stream, handling = Stream(), Handling(handler)
    handling.begin(exchange(stream=stream), stream)
    return handling, stream, list(handling.tasks)


def respond(answer):
    begin_response(answer._exchange, Response(200, Headers(), 0))
    finish_response(answer._exchange)
    answer.resolve(Outcome(Kind.RESPONDED, 200))


async def test_a_direct_answer_has_no_task():
    handling, stream, (answer,) = begun(directly(Answer))
    assert isinstance(answer, Answer)
    respond(answer)
    assert not handling.tasks
    assert stream.response.status == 200


async def test_whoever_waits_for_the_last_exchange_learns_of_a_direct_answers_end():
    handling, _, (answer,) = begun(directly(Answer))
    waiting = asyncio.create_task(handling.tasks.emptied())
    await asyncio.sleep(0)
    respond(answer)
    await asyncio.wait_for(waiting, 5)


async def test_a_direct_answer_that_is_over_at_once():
    def answer(exchange):
        made = Answer(exchange)
        respond(made)
        return made

    handling, stream, under_way = begun(directly(answer))
    assert under_way == []
    assert not handling.tasks
    assert stream.response.status == 200


async def test_whoever_asks_is_told_that_a_direct_answer_was_handled():
    told = []
    handling, stream, (answer,) = begun(directly(Answer))
    stream.handled = lambda: told.append(stream.closed)
    respond(answer)
    assert told == [True]
    assert not handling.tasks


@pytest.mark.logs_errors("GET / failed in the handler(?s:.*)LookupError")
async def test_what_a_direct_answer_raises_is_500():
    handling, stream, (answer,) = begun(directly(Answer))
    answer._fail_with(LookupError())
    assert stream.response.status == 500
    assert not handling.tasks


@pytest.mark.logs_errors("GET / failed in the handler(?s:.*)LookupError")
async def test_what_a_handler_of_ours_raises_at_once_is_500():
    def answer(exchange):
        raise LookupError

    handling, stream, _ = begun(directly(answer))
    await handling.tasks.emptied()
    assert stream.response.status == 500


@pytest.mark.logs_errors("GET /: the handler left it unanswered")
async def test_a_direct_answer_that_left_its_exchange_unanswered():
    handling, stream, (answer,) = begun(directly(Answer))
    answer.resolve(Outcome(Kind.RESPONDED, 200))
    assert stream.response.status == 500
    assert not handling.tasks


async def test_a_direct_answer_is_cancelled_with_all_that_is_under_way():
    handling, stream, (answer,) = begun(directly(Answer))
    handling.cancel()
    await handling.tasks.emptied()
    assert answer.cancelled()
    assert stream.response.aborted


async def test_a_handler_of_ours_that_returns_a_coroutine_runs_in_a_task():
    async def answer(exchange):
        assert isinstance(asyncio.current_task(), DirectTask)
        return await exchange.respond(200)

    handling, stream, _ = begun(directly(answer))
    await handling.tasks.emptied()
    assert stream.response.status == 200


async def test_what_others_wrote_is_called_in_a_task():
    tasks = []

    def handler(exchange):
        tasks.append(asyncio.current_task())
        return exchange.respond(200)

    handling, _, _ = begun(handler)
    await handling.tasks.emptied()
    assert isinstance(tasks[0], DirectTask)


async def test_a_handler_of_ours_may_return_whatever_can_be_awaited():
    future = asyncio.get_running_loop().create_future()
    handling, stream, (task,) = begun(directly(lambda _: future))
    respond(answer := Answer(task._exchange))
    future.set_result(answer.result())
    await handling.tasks.emptied()
    assert stream.response.status == 200
