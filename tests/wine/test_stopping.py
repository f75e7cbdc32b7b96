"""A server on Windows CPython that stops, is stopped, or has its queue taken away, while clients want something."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from tests.wine.limits import FEW_CLIENTS
from tests.wine.program import PATIENCE

LOST = (httpx.TransportError, OSError)
"""What a client may meet when the server is gone."""


@pytest.fixture
def program(serve):
    with serve(what="handlers") as program:
        yield program


@contextlib.asynccontextmanager
async def load(url):
    """Have clients ask one thing after another while the context lasts; gives the answers' texts."""
    answers = []

    async def one():
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as session:
            while True:
                answers.append((await session.post(f"{url}/echo", content=b"x" * 1000)).text)

    async with contextlib.AsyncExitStack() as stack:
        tasks = [asyncio.create_task(one()) for _ in range(FEW_CLIENTS)]
        for task in tasks:
            stack.push_async_callback(asyncio.wait, [task])
            stack.callback(task.cancel)
        while len(answers) < 20:
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.01)
        yield answers, tasks


async def test_a_request_in_progress_is_finished_before_the_server_stops(program):
    url = program.ready["url"]
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as session:
        waiting = asyncio.create_task(session.get(f"{url}/waits"))
        await asyncio.to_thread(program.do, "until", name="begun", count=1)
        stopping = asyncio.create_task(asyncio.to_thread(program.do, "stop_and_go", grace=10))
        assert (await waiting).text == "waited"
        assert await stopping == {"pending": 0, "tasks": 0}


async def test_a_request_that_does_not_end_is_cancelled(program):
    url = program.ready["url"]
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as session:
        waiting = asyncio.create_task(session.get(f"{url}/waits"))
        await asyncio.to_thread(program.do, "until", name="begun", count=1)
        assert await asyncio.to_thread(program.do, "stop", grace=0.1) == {"pending": 0, "tasks": 0}
        counts = await asyncio.to_thread(program.do, "counts")
        assert (counts["cancelled"], counts["streams"]) == (1, 0)
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_server_stops_under_load(program):
    async with load(program.ready["url"]) as (answers, _):
        assert await asyncio.to_thread(program.do, "stop", grace=5) == {"pending": 0, "tasks": 0}
    assert set(answers) == {"x" * 1000}


async def test_a_queue_is_closed_under_load(program):
    """What was pending on it ends, and the server has nothing left of it."""
    async with load(program.ready["url"]) as (answers, _):
        await asyncio.to_thread(program.do, "close_queue")
    assert set(answers) == {"x" * 1000}
    assert await asyncio.to_thread(program.do, "stop", grace=1) == {"pending": 0, "tasks": 0}
