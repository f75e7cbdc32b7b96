"""A completion resumes the one task that waits for it, and is a future to everybody else."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest

from hostler.completion import Completion

NOTE = contextvars.ContextVar("note", default="none")


class Waiter:
    """A task that waits for a completion; `told` says how it was resumed."""

    def __init__(self):
        self.told = []

    def resume(self, completion):
        self.told.append("now")

    def resume_soon(self, completion):
        self.told.append("soon")


def awaited():
    """Return a completion, and the task of ours that awaits it."""
    completion = Completion()
    completion.waiter = waiter = Waiter()
    return completion, waiter


async def turn():
    await asyncio.sleep(0)


async def result_of(completion):
    await completion
    return completion.result()


# -- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "told"), [("resolve", "now"), ("resolve_soon", "soon")])
def test_whoever_waits_is_resumed_once(end, told):
    completion, waiter = awaited()
    assert not completion.done()
    getattr(completion, end)("done")
    completion.resolve("too late")
    completion.resolve_soon("too late")
    assert not completion.cancel()
    assert waiter.told == [told]
    assert completion.done()
    assert not completion.cancelled()
    assert completion.result() == "done"
    assert completion.exception() is None
    assert completion.waiter is None


def test_one_that_is_cancelled_has_no_result():
    completion, waiter = awaited()
    assert completion.cancel("why")
    completion.resolve("too late")
    assert waiter.told == ["soon"]
    assert completion.done()
    assert completion.cancelled()
    for ask in (completion.result, completion.exception):
        with pytest.raises(asyncio.CancelledError, match="why"):
            ask()


def test_a_pending_one_has_no_result():
    with pytest.raises(asyncio.InvalidStateError):
        Completion().result()


def test_everyone_who_asks_gets_a_cancellation_of_its_own():
    completion = Completion()
    completion.cancel()
    errors = []
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError) as caught:
            completion.result()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert errors[0].args == ()


def test_one_that_was_cancelled_is_freed_at_once():
    gc.disable()
    try:
        completion = Completion()
        completion.cancel()
        with pytest.raises(asyncio.CancelledError):
            completion.result()
        gone = weakref.ref(completion)
        del completion
        assert gone() is None
    finally:
        gc.enable()


# -- as asyncio's tasks see it ----------------------------------------------------------------------------------------


async def test_it_is_a_future_of_the_running_loop():
    completion = Completion()
    assert asyncio.isfuture(completion)
    assert asyncio.ensure_future(completion) is completion
    assert completion.get_loop() is asyncio.get_running_loop()


@pytest.mark.parametrize("end", ["resolve", "resolve_soon"])
async def test_any_number_of_tasks_may_await_it(end):
    completion = Completion()
    tasks = [asyncio.create_task(result_of(completion)) for _ in range(3)]
    await turn()
    getattr(completion, end)(7)
    assert not any(task.done() for task in tasks)
    assert await asyncio.gather(*tasks) == [7, 7, 7]


async def test_one_that_is_over_is_not_waited_for():
    completion = Completion()
    completion.resolve(7)
    task = asyncio.create_task(result_of(completion))
    await turn()
    assert task.result() == 7


async def test_a_task_that_awaits_it_cancels_it_too():
    completion = Completion()
    task = asyncio.create_task(result_of(completion))
    await turn()
    task.cancel("why")
    with pytest.raises(asyncio.CancelledError, match="why"):
        await task
    assert completion.cancelled()


async def test_waiting_for_it_with_a_timeout():
    completion = Completion()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(completion, 0)
    assert completion.cancelled()
    completion = Completion()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await completion
    assert completion.cancelled()


async def test_gathering_it():
    completions = [Completion() for _ in range(3)]
    gathered = asyncio.gather(*completions, return_exceptions=True)
    completions[0].resolve(1)
    completions[1].cancel("why")
    completions[2].resolve_soon(3)
    first, second, third = await gathered
    assert (first, repr(second), third) == (1, "CancelledError('why')", 3)
    cancelled = Completion()
    gathered = asyncio.gather(cancelled)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathered


async def test_shielding_it():
    completion = Completion()
    shielded = asyncio.ensure_future(asyncio.shield(completion))
    await turn()
    shielded.cancel()
    await turn()
    assert not completion.done()
    shielded = asyncio.shield(completion)
    completion.resolve(7)
    assert await shielded == 7


async def test_waiting_for_the_first_of_several():
    first, second = Completion(), Completion()
    second.resolve(2)
    done, pending = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({second}, {first})


# -- callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
async def test_callbacks_are_called_on_a_later_turn_in_the_context_that_asked(before):
    completion, called = Completion(), []
    completion.waiter = Waiter()
    if not before:
        completion.resolve(None)
    NOTE.set("at first")
    completion.add_done_callback(lambda done: called.append((done, NOTE.get())))
    NOTE.set("later")
    other = contextvars.Context()
    other.run(NOTE.set, "another")
    completion.add_done_callback(lambda done: called.append((done, NOTE.get())), context=other)
    if before:
        completion.resolve(None)
    assert called == []
    await turn()
    assert called == [(completion, "at first"), (completion, "another")]


async def test_callbacks_can_be_removed():
    completion, called = Completion(), []
    for _ in range(2):
        completion.add_done_callback(called.append)
    completion.add_done_callback(print)
    assert completion.remove_done_callback(called.append) == 2
    assert completion.remove_done_callback(called.append) == 0
    completion.remove_done_callback(print)
    completion.cancel()
    await turn()
    assert called == []
