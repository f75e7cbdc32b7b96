"""What stages and handlers may do in the task that a server runs them in: all that they may in one of asyncio's."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest

from hostler import DEFAULT_PIPELINE, Cluster, Failure, Proxy, Reason, Route
from hostler.completion import Completion
from hostler.server import handling
from tests.client.peers import OK, answering, destination
from tests.loops import LOOPS
from tests.server.usermode.peers import Client, connected, eventually, request, serving

NOTE = contextvars.ContextVar("note", default="none")


@asynccontextmanager
async def through(*stages, script=None):
    """A client of a proxy that has these stages in front."""
    async with destination(script or answering(OK)) as there:
        proxy = Proxy(
            [Route("/{**rest}", "c")], [Cluster("c", [there.address])], pipeline=[*stages, *DEFAULT_PIPELINE]
        )
        async with (
            serving(proxy) as server,
            proxy.lifespan(server),
            await Client.connect(server.port) as client,
        ):
            yield client


async def silence(peer):
    """Never answer."""
    await peer.head()
    await peer.rest()


# -- stages that await the rest of the pipeline in their own ways -----------------------------------------------------


async def plainly(exchange, onward):
    return await onward(exchange)


async def in_a_timeout(exchange, onward):
    async with asyncio.timeout(60), asyncio.timeout(60) as limit:
        limit.reschedule(None)
        return await onward(exchange)


async def waited_for(exchange, onward):
    return await asyncio.wait_for(onward(exchange), 60)


async def in_a_task(exchange, onward):
    return await asyncio.create_task(onward(exchange))


async def in_a_group(exchange, onward):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(onward(exchange))
    return task.result()


async def beside_a_group(exchange, onward):
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        return await onward(exchange)


async def gathered(exchange, onward):
    outcome, _ = await asyncio.gather(onward(exchange), asyncio.sleep(0))
    return outcome


async def shielded(exchange, onward):
    return await asyncio.shield(onward(exchange))


async def in_a_scope(exchange, onward):
    with anyio.fail_after(60), anyio.CancelScope(shield=True):
        return await onward(exchange)


async def in_a_group_of_anyio(exchange, onward):
    outcomes = []

    async def go():
        outcomes.append(await onward(exchange))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go)
    return outcomes[0]


async def after_a_thread(exchange, onward):
    await asyncio.to_thread(int)
    await anyio.to_thread.run_sync(int)
    return await onward(exchange)


async def between_turns(exchange, onward):
    await asyncio.sleep(0)
    outcome = await onward(exchange)
    await asyncio.sleep(0)
    return outcome


async def after_a_child_has_failed(exchange, onward):
    async def fail():
        raise LookupError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.Event().wait()
    return await onward(exchange)


async def after_its_own_cancellation(exchange, onward):
    asyncio.current_task().cancel()
    with pytest.raises(asyncio.CancelledError):
        await onward(exchange)
    assert asyncio.current_task().uncancel() == 0
    return await exchange.respond(200, "ok")


ways = pytest.mark.parametrize(
    "stage",
    [
        plainly,
        in_a_timeout,
        waited_for,
        in_a_task,
        in_a_group,
        beside_a_group,
        gathered,
        shielded,
        in_a_scope,
        in_a_group_of_anyio,
        after_a_thread,
        between_turns,
        after_a_child_has_failed,
        after_its_own_cancellation,
    ],
)


async def asked(client, times=2):
    for _ in range(times):
        answer = await client.get()
        assert (answer.status, answer.body) == (200, b"ok")


@ways
async def test_the_rest_of_the_pipeline_is_awaited(stage):
    tasks = []

    async def watching(exchange, onward):
        task = asyncio.current_task()
        tasks.append(task)
        outcome = await stage(exchange, onward)
        assert asyncio.current_task() is task
        assert task.cancelling() == 0
        return outcome

    async with through(watching) as client:
        await asked(client)
    assert len(set(tasks)) == 2


@ways
async def test_in_debug_mode(stage):
    asyncio.get_running_loop().set_debug(True)
    async with through(stage) as client:
        await asked(client)


@ways
@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of 3.12")
async def test_with_eager_tasks(stage):
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        pytest.skip("uvloop's tasks are not eager")
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with through(stage) as client:
        await asked(client)


# -- stages that give up ----------------------------------------------------------------------------------------------


async def at_a_timeout(exchange, onward):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await onward(exchange)


async def at_an_inner_timeout(exchange, onward):
    async with asyncio.timeout(60) as outer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60) as inner:
                inner.reschedule(asyncio.get_running_loop().time() + 0.01)
                await onward(exchange)
    assert not outer.expired()


async def at_the_end_of_waiting(exchange, onward):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(onward(exchange), 0.01)


async def at_the_end_of_a_scope(exchange, onward):
    with anyio.move_on_after(0.01) as scope:
        await onward(exchange)
    assert scope.cancelled_caught


async def when_a_child_fails(exchange, onward):
    async def fail():
        await asyncio.sleep(0.01)
        raise LookupError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await onward(exchange)


async def by_cancelling_a_task(exchange, onward):
    task = asyncio.create_task(onward(exchange))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "give_up",
    [
        at_a_timeout,
        at_an_inner_timeout,
        at_the_end_of_waiting,
        at_the_end_of_a_scope,
        when_a_child_fails,
        by_cancelling_a_task,
    ],
)
async def test_a_stage_that_gives_up_answers_itself(give_up):
    async def stage(exchange, onward):
        await give_up(exchange, onward)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)
        return await exchange.respond(504, "gave up")

    async with through(stage, script=silence) as client:
        for _ in range(2):
            answer = await client.get()
            assert (answer.status, answer.body) == (504, b"gave up")


async def half(peer):
    """Send half an answer."""
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
    await peer.rest()


@pytest.mark.parametrize(("script", "status"), [(silence, 504), (half, 0)])
async def test_a_stage_that_gives_up_fails_the_exchange(script, status):
    async def stage(exchange, onward):
        async def expire():
            await eventually(lambda: exchange.stream.started is (script is half))
            limit.reschedule(0)

        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                group.create_task(expire())
                return await onward(exchange)
        except TimeoutError:
            return await exchange.fail(Failure(Reason.REQUEST_TIMED_OUT))

    async with through(stage, script=script) as client:
        if status:
            assert (await client.get()).status == status
        else:
            with pytest.raises(ConnectionResetError):
                await client.get()


# -- context variables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [plainly, in_a_task, between_turns])
async def test_what_a_stage_sets_is_seen_in_its_own_exchange_only(before):
    seen = []

    async def outer(exchange, onward):
        seen.append(NOTE.get())
        token = NOTE.set(exchange.path)
        try:
            return await onward(exchange)
        finally:
            seen.append(NOTE.get())
            NOTE.reset(token)
            seen.append(NOTE.get())

    async def inner(exchange, onward):
        outcome = await onward(exchange)
        seen.append(NOTE.get())
        return outcome

    async with through(outer, before, inner) as client:
        for path in ("/1", "/2"):
            await client.get(path)
            await eventually(lambda: len(seen) == 4)
            assert seen == ["none", path, path, "none"]
            seen.clear()


# -- what handlers return ---------------------------------------------------------------------------------------------


class Custom:
    def __init__(self, coroutine):
        self._coroutine = coroutine

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return (yield from self._coroutine.__await__())


def a_future(coroutine):
    made = asyncio.get_running_loop().create_future()
    asyncio.ensure_future(coroutine).add_done_callback(lambda task: made.set_result(task.result()))
    return made


@types.coroutine
def a_generator(coroutine):
    return (yield from coroutine)


@pytest.mark.parametrize("wrap", [Custom, a_future, asyncio.ensure_future, a_generator])
async def test_handlers_that_return_something_else_to_await(wrap, caplog):
    async with connected(lambda exchange: wrap(exchange.respond(200, "ok"))) as client:
        await asked(client)
    assert caplog.messages == []


@pytest.mark.parametrize("result", [None, 7])
async def test_handlers_that_return_a_completion(result, caplog):
    def handler(exchange):
        completion = Completion()
        task = asyncio.ensure_future(exchange.respond(200, "ok"))
        task.add_done_callback(lambda task: completion.resolve(result))
        return completion

    async with connected(handler) as client:
        await asked(client, 1)
        await eventually(lambda: caplog.messages)
    assert "returned None, not an Outcome" in caplog.text


@pytest.mark.logs_errors("GET / failed in the handler(?s:.*)TypeError")
@pytest.mark.parametrize("rubbish", [None, 7, []])
async def test_handlers_that_return_nothing_to_await(rubbish):
    async with connected(lambda exchange: rubbish) as client:
        assert (await client.get()).status == 500


@pytest.mark.logs_errors("GET / failed in the handler(?s:.*)RuntimeError: 7 was yielded")
async def test_a_stage_that_yields_rubbish():
    @types.coroutine
    def rubbish():
        yield 7

    async def stage(exchange, onward):
        await rubbish()

    async with through(stage) as client:
        assert (await client.get()).status == 500


async def test_thousands_of_requests_at_once_that_need_no_waiting():
    async def handler(exchange):
        return await exchange.respond(200, "ok")

    async with connected(handler) as client:
        sending = asyncio.create_task(client.send(request("GET", "/") * 3000))
        for _ in range(3000):
            assert (await client.answer()).body == b"ok"
        await sending


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.logs_errors("GET / failed in the handler(?s:.*)Strange")
async def test_a_base_exception_is_a_failure_of_the_handler():
    class Strange(BaseException):
        pass

    async def handler(exchange):
        raise Strange

    async with connected(handler) as client:
        assert (await client.get()).status == 500


async def test_a_handler_that_is_cancelled_may_answer_all_the_same():
    async def handler(exchange):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert asyncio.current_task().uncancel() == 0
        await asyncio.sleep(0)
        return await exchange.respond(200, "late")

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/"))
        await eventually(lambda: server._context.handling.tasks)
        server._context.handling.cancel()
        assert (await client.answer()).body == b"late"


async def test_a_handler_that_does_not_end_when_it_is_cancelled(monkeypatch, caplog):
    monkeypatch.setattr(handling, "CANCEL_TIMEOUT", 0.01)
    end, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(exchange):
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                cancelled.set()
        return await exchange.respond(200)

    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/"))
        await eventually(lambda: server._context.handling.tasks)
        await server._context.handling.abort(0)
        assert cancelled.is_set()
        assert "1 exchanges do not let themselves be cancelled" in caplog.text
        end.set()
        assert (await client.answer()).status == 200


async def test_a_request_that_is_cancelled_before_its_handler_begins_has_its_connection_cut():
    async def handler(exchange):
        paths.append(exchange.path)
        outcome = await exchange.respond(200)  # the next request has been read when this returns
        server._context.handling.cancel()
        return outcome

    paths = []
    async with serving(handler) as server, await Client.connect(server.port) as client:
        await client.send(request("GET", "/1") + request("GET", "/2"))
        with pytest.raises(ConnectionResetError):
            await client.rest()
    assert paths == ["/1"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("stage", [None, between_turns, in_a_task])
@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS.keys())
def test_what_ends_a_program_ends_the_event_loop(make_loop, end, stage):
    async def handler(exchange):
        if stage is None:
            raise end
        return await stage(exchange, raising)

    async def raising(exchange):
        raise end

    async def main():
        async with connected(handler) as client:
            try:
                await client.send(request("GET", "/"))
                await client.rest()
                await asyncio.Event().wait()
            finally:
                ends.append("stopped in order")

    ends = []
    with pytest.raises(end), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert ends == ["stopped in order"]
