"""A direct task: what differs from asyncio's tasks, and that nothing else does."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import sys
import types
import weakref

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.completion import Completion
from hostler.task import DirectTask
from tests.loops import LOOPS

on_every_loop = pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS.keys())

NOTE = contextvars.ContextVar("note", default="none")
SETTLED = 20
"""Turns of the event loop after which nothing moves any more in these tests."""


class Task(DirectTask):
    """A direct task that runs a function of no arguments, and keeps how that ended."""

    def __init__(self, function):
        super().__init__(asyncio.get_running_loop(), contextvars.copy_context(), lambda _: function(), None)
        self.ends = []

    def __repr__(self):
        return "<Task>"

    def returned(self, value):
        self.ends.append(value)

    def raised(self, error):
        self.ends.append(error)


def begun(function):
    """Have a direct task started as servers do it, in a callback of the event loop."""
    task = Task(function)
    asyncio.get_running_loop().call_soon(task.resume, Completion())
    return task


async def settle():
    for _ in range(SETTLED):
        await asyncio.sleep(0)


async def called(function, *arguments):
    """Call a function as a transport does: while no task is running."""
    asyncio.get_running_loop().call_soon(function, *arguments)
    await asyncio.sleep(0)


async def end_of(function):
    """Return what a direct task's function returned, or raise what it raised."""
    return await begun(function)


# -- what differs -----------------------------------------------------------------------------------------------------


async def test_it_starts_and_goes_on_within_the_callbacks():
    completion, trace = Completion(), []

    async def work():
        trace.append("starts")
        await completion
        trace.append(completion.result())

    def start():
        task.resume(Completion())
        trace.append("started")

    def complete():
        completion.resolve("goes on")
        trace.append("completed")

    task = Task(work)
    await called(start)
    await called(complete)
    assert trace == ["starts", "started", "goes on", "completed"]
    assert task.ends == [None]


async def test_while_another_task_runs_it_waits_for_the_next_turn():
    completion, trace = Completion(), []

    async def work():
        trace.append("starts")
        await completion
        trace.append(completion.result())

    task = Task(work)
    task.resume(Completion())  # this test is a task
    assert trace == []
    await asyncio.sleep(0)
    assert trace == ["starts"]
    completion.resolve("goes on")
    assert trace == ["starts"]
    assert asyncio.current_task() is not task
    await asyncio.sleep(0)
    assert trace == ["starts", "goes on"]


async def test_while_its_own_context_is_in_use_it_waits_for_the_next_turn():
    completion = Completion()

    async def work():
        await completion
        return completion.result()

    task = begun(work)
    await settle()

    async def resolve():
        completion.resolve("resolved")
        return task.done()

    assert not await asyncio.create_task(resolve(), context=task.get_context())
    assert await task == "resolved"
    task = begun(work)
    completion = Completion()
    await settle()
    asyncio.get_running_loop().call_soon(completion.resolve, "called", context=task.get_context())
    assert await task == "called"


async def _resolving(completion):
    completion.resolve("resolved")


async def test_what_is_raised_by_a_hook_is_not_taken_for_a_context_in_use():
    class Failing(Task):
        def returned(self, value):
            raise RuntimeError("a hook")

    async def work():
        await completion

    completion = Completion()
    task = Failing(work)
    await called(task.resume, Completion())
    errors = []

    def resolve():
        try:
            completion.resolve(None)
        except RuntimeError as error:
            errors.append(str(error))

    await called(resolve)
    assert errors == ["a hook"]


async def test_it_is_among_all_tasks_once_it_awaits_more_than_a_completion():
    completion, future = Completion(), asyncio.get_running_loop().create_future()

    async def work():
        assert asyncio.current_task() is task
        await completion
        await future

    task = begun(work)
    await settle()
    assert task not in asyncio.all_tasks()
    completion.resolve(None)
    await settle()
    assert task in asyncio.all_tasks()
    future.set_result(None)
    await settle()
    assert task.done()
    assert task not in asyncio.all_tasks()


async def test_a_completion_that_another_direct_task_awaits_too():
    completion = Completion()

    async def work():
        await completion
        return completion.result()

    tasks = [begun(work) for _ in range(3)]
    await settle()
    await called(completion.resolve, 7)
    assert tasks[0].ends == [7]
    assert await asyncio.gather(*tasks) == [7, 7, 7]


# -- what it runs -----------------------------------------------------------------------------------------------------


class Awaitable:
    """An awaitable that is no coroutine, although it can be sent something."""

    def send(self, mail):
        raise AssertionError(mail)

    def __await__(self):
        yield
        return 7


@types.coroutine
def generator():
    yield
    return 7


def future():
    made = asyncio.get_running_loop().create_future()
    made.set_result(7)
    return made


@pytest.mark.parametrize(
    "function",
    [
        Awaitable,
        future,
        lambda: asyncio.ensure_future(asyncio.sleep(0, 7)),
        lambda: asyncio.sleep(0, 7),
        generator,
    ],
    ids=["awaitable", "future", "task", "coroutine", "generator"],
)
async def test_whatever_can_be_awaited_can_be_run(function):
    assert await end_of(function) == 7


async def test_a_completion_can_be_run():
    completion = Completion()
    task = begun(lambda: completion)
    await settle()
    completion.resolve(7)
    await task


def generator_of_one():
    yield


@pytest.mark.parametrize("function", [lambda: None, lambda: 7, generator_of_one, object])
async def test_what_cannot_be_awaited_is_a_type_error(function):
    with pytest.raises(TypeError, match="await"):
        await end_of(function)


async def test_what_raises_before_there_is_a_coroutine():
    def function():
        raise LookupError("at once")

    with pytest.raises(LookupError, match="at once"):
        await end_of(function)


@pytest.mark.parametrize("rubbish", [7, object(), "text", ()])
async def test_rubbish_that_is_yielded_is_an_error_where_it_is_awaited(rubbish):
    @types.coroutine
    def yielding():
        yield rubbish

    async def work():
        with pytest.raises(RuntimeError, match="no task can wait for"):
            await yielding()
        await asyncio.sleep(0)
        return "went on"

    assert await end_of(work) == "went on"


async def test_a_future_that_is_yielded_without_being_awaited():
    made = asyncio.get_running_loop().create_future()

    @types.coroutine
    def yielding():
        yield made

    with pytest.raises(RuntimeError, match="no task can wait for"):
        await end_of(yielding)


async def test_a_future_of_another_loop_is_refused():
    other = asyncio.new_event_loop()
    made = other.create_future()

    async def work():
        await made

    try:
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await end_of(work)
    finally:
        other.close()


async def test_it_cannot_await_itself():
    async def work():
        await asyncio.current_task()

    with pytest.raises(RuntimeError, match="<Task> awaits itself"):
        await end_of(work)


# -- as a task --------------------------------------------------------------------------------------------------------


async def test_its_end_is_that_of_its_coroutine():
    async def work():
        return 7

    task = begun(work)
    with pytest.raises(asyncio.InvalidStateError):
        task.result()
    with pytest.raises(asyncio.InvalidStateError):
        task.exception()
    assert await task == 7
    assert await task == 7
    assert (task.result(), task.exception(), task.cancelled(), task.cancel()) == (7, None, False, False)
    assert task.ends == [7]


async def test_its_end_is_what_its_coroutine_raised():
    async def work():
        await asyncio.sleep(0)
        raise LookupError("on purpose")

    task = begun(work)
    with pytest.raises(LookupError, match="on purpose"):
        await task
    assert task.ends == [task.exception()]


async def test_what_it_raised_is_not_kept_where_nobody_waits():
    async def work():
        raise LookupError("on purpose")

    task = begun(work)
    await settle()
    assert task.done()
    assert [type(end) for end in task.ends] == [LookupError]
    assert (task.result(), task.exception()) == (None, None)


async def test_one_that_is_cancelled_says_so():
    task = begun(asyncio.Event().wait)
    await settle()
    assert task.cancel("why")
    with pytest.raises(asyncio.CancelledError, match="why"):
        await task
    assert task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        task.exception()
    assert repr(task.ends) == "[CancelledError('why')]"


async def test_one_that_is_cancelled_before_it_began_runs_nothing():
    def function():
        raise AssertionError("it was cancelled")

    task = Task(function)
    task.resume(Completion())  # in the next turn, since this test is a task
    task.cancel("before")
    await settle()
    assert task.cancelled()
    assert repr(task.ends) == "[CancelledError('before')]"


async def test_one_that_is_cancelled_between_the_end_of_what_it_awaits_and_its_own_turn():
    completion = Completion()

    async def work():
        await completion

    task = begun(work)
    await settle()
    completion.resolve("done")
    task.cancel("between")
    await settle()
    assert repr(task.ends) == "[CancelledError('between')]"


@pytest.mark.parametrize("wait_for", [asyncio.wait_for, None])
async def test_whoever_awaits_it_cancels_it_too(wait_for):
    task = begun(asyncio.Event().wait)
    with pytest.raises(TimeoutError):
        if wait_for is None:
            async with asyncio.timeout(0):
                await task
        else:
            await wait_for(task, 0)
    assert task.cancelled()


async def test_its_name_and_its_repr():
    task = Task(asyncio.Event().wait)
    assert task.get_name().startswith("Task-")
    task.set_name(7)
    assert task.get_name() == "7"
    assert task.get_loop() is asyncio.get_running_loop()


async def test_its_coroutine_and_its_stack():
    inside = []

    async def work():
        inside.extend(frame.f_code.co_name for frame in task.get_stack())
        await asyncio.sleep(0)
        inside.append(task.get_stack(limit=1)[0].f_code.co_name)
        await asyncio.Event().wait()

    task = Task(work)
    assert (task.get_coro(), task.get_stack()) == (None, [])
    await called(task.resume, Completion())
    await settle()
    assert inside[-2:] == ["work", "work"]
    assert task.get_coro().cr_code is work.__code__
    [frame] = task.get_stack()
    assert frame is task.get_coro().cr_frame
    text = io.StringIO()
    task.print_stack(file=text)
    assert text.getvalue().startswith("Stack for <Task> (most recent call last):\n")
    assert "in work\n    await asyncio.Event().wait()\n" in text.getvalue()
    task.cancel()
    await settle()
    assert (task.get_coro(), task.get_stack()) == (None, [])


async def test_its_context_is_its_own():
    async def work():
        found = [NOTE.get()]
        token = NOTE.set("inside")
        await asyncio.sleep(0)
        found.append(await asyncio.create_task(_note()))
        await asyncio.to_thread(NOTE.get)
        found.append(NOTE.get())
        NOTE.reset(token)
        return [*found, NOTE.get()]

    NOTE.set("outside")
    assert await end_of(work) == ["outside", "inside", "inside", "outside"]
    assert NOTE.get() == "outside"


async def _note():
    return NOTE.get()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of 3.12")
async def test_eager_tasks_run_within_it():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    completion = Completion()

    async def child():
        inside.append(asyncio.current_task())
        await completion

    async def work():
        waiting = asyncio.create_task(child())
        resolving = asyncio.create_task(_resolving(completion))
        assert resolving.done()
        assert asyncio.current_task() is task
        await waiting
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        return completion.result()

    inside = []
    task = begun(work)
    assert await task == "resolved"
    assert task not in inside


async def test_in_debug_mode():
    asyncio.get_running_loop().set_debug(True)

    async def work():
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await asyncio.to_thread(int)
        return 7

    assert await end_of(work) == 7


# -- the event loop's end ---------------------------------------------------------------------------------------------


@on_every_loop
@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("after", [0, 1])
def test_what_ends_a_program_ends_the_loop(make_loop, end, after):
    async def work():
        for _ in range(after):
            await asyncio.sleep(0)
        raise end

    async def main():
        tasks.append(begun(work))
        await asyncio.Event().wait()

    tasks = []
    with pytest.raises(end), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert [type(end) for end in tasks[0].ends] == [end]


@on_every_loop
def test_other_base_exceptions_end_nothing(make_loop):
    class Strange(BaseException):
        pass

    async def work():
        raise Strange

    async def main():
        task = begun(work)
        await settle()
        return task

    with asyncio.Runner(loop_factory=make_loop) as runner:
        task = runner.run(main())
    assert [type(end) for end in task.ends] == [Strange]


@on_every_loop
def test_a_loop_that_ends_cancels_it_as_any_task(make_loop):
    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            trace.append("cancelled")

    async def main():
        begun(work)
        await settle()

    trace = []
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert trace == ["cancelled"]


@on_every_loop
def test_one_that_is_suspended_when_its_loop_is_closed_is_freed(make_loop):
    async def work():
        try:
            await awaited[0]
        finally:
            trace.append("closed")

    async def main():
        task = begun(work)
        await settle()
        return weakref.ref(task)

    trace, awaited = [], [Completion()]
    with asyncio.Runner(loop_factory=make_loop) as runner:
        gone = runner.run(main())
    awaited.clear()
    gc.collect()
    assert gone() is None
    assert trace == ["closed"]


class Broken(Exception):  # noqa: N818 - unlike exceptions of Python's own it can be referred to weakly
    pass


@pytest.mark.parametrize("error", [Broken, asyncio.CancelledError, None])
@pytest.mark.parametrize("where", ["at once", "later", "in a future", "when called"])
async def test_one_that_is_over_is_freed_at_once(error, where):
    task = await failing(where, error)
    gone, it_raised = weakref.ref(task), weakref.ref(task.ends[0]) if error is Broken else None
    task.ends.clear()
    gc.disable()
    try:
        del task
        assert gone() is None
        assert it_raised is None or it_raised() is None
    finally:
        gc.enable()


async def failing(where, error):
    """Return a direct task that has raised an error, or returned."""
    broken = asyncio.get_running_loop().create_future()
    awaited = [broken]

    async def work():
        if where == "later":
            await asyncio.sleep(0)
        if where == "in a future":
            await awaited.pop()
        elif error is not None:
            raise error

    def function():
        if where == "when called" and error is not None:
            raise error
        return work()

    task = begun(function)
    await settle()
    if where != "in a future" or error is None:
        broken.set_result(None)
    elif error is Broken:
        broken.set_exception(Broken())
    else:
        broken.cancel()
    await settle()
    assert task.done()
    return task


# -- the same as asyncio's --------------------------------------------------------------------------------------------


async def timeouts():
    trace = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    async with asyncio.timeout(None) as outer:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            trace.append("inner")
    trace.append(outer.expired())
    try:
        async with asyncio.timeout(0), asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError:
        trace.append("outer")
    async with asyncio.timeout(0.001) as moved:
        moved.reschedule(None)
        await asyncio.sleep(0.01)
    trace.append(moved.expired())
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0)
    except TimeoutError:
        trace.append("wait_for")
    trace.append(await asyncio.wait_for(asyncio.sleep(0, 7), 10))
    return [*trace, asyncio.current_task().cancelling()]


async def groups():
    async def fail():
        raise LookupError

    trace = []
    async with asyncio.TaskGroup() as group:
        seven = group.create_task(asyncio.sleep(0, 7))
    trace.append(seven.result())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.Event().wait()
    except* LookupError as errors:
        trace.append(len(errors.exceptions))
    task = asyncio.current_task()
    asyncio.get_running_loop().call_soon(task.cancel, "parent")
    try:
        async with asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.Event().wait())
    except asyncio.CancelledError:
        trace += [child.cancelled(), task.cancelling(), task.uncancel()]
    try:
        async with asyncio.timeout(0), asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
    except TimeoutError:
        trace.append("timeout")
    await asyncio.sleep(0)
    return [*trace, task.cancelling()]


async def gathering():
    trace = [await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))]
    waiting = asyncio.ensure_future(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        trace.append(waiting.done())
    asyncio.current_task().uncancel()
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    try:
        await asyncio.gather(waiting)
    except asyncio.CancelledError:
        trace.append(waiting.cancelled())
    return [*trace, asyncio.current_task().uncancel()]


async def locks():
    lock, event, queue = asyncio.Lock(), asyncio.Event(), asyncio.Queue(1)

    async def other():
        async with lock:
            await queue.put(1)
            await queue.put(2)
            event.set()

    async with asyncio.Condition(lock):
        child = asyncio.create_task(other())
        await asyncio.sleep(0)
    trace = [await queue.get(), await queue.get(), await event.wait()]
    await child
    async with asyncio.Semaphore(1):
        return trace


async def scopes():
    trace = []
    with anyio.move_on_after(0) as scope:
        await anyio.sleep_forever()
    trace.append(scope.cancelled_caught)
    with pytest.raises(TimeoutError), anyio.fail_after(0):
        await anyio.sleep_forever()
    with anyio.CancelScope() as outer, anyio.CancelScope() as inner, anyio.CancelScope(shield=True):
        outer.cancel()
        await anyio.lowlevel.checkpoint()
        trace.append("shielded")
    trace += [outer.cancelled_caught, inner.cancelled_caught]
    event = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(event.wait)
        event.set()
    with pytest.raises(ExceptionGroup):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            raise LookupError
    with anyio.move_on_after(0.001):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.sleep_forever()
    trace.append(await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(asyncio.sleep, 0, 7)))
    return [
        *trace,
        anyio.get_current_task().name == asyncio.current_task().get_name(),
        asyncio.current_task().cancelling(),
    ]


async def stubborn():
    trace, task = [], asyncio.current_task()
    for message in ("first", "second"):
        asyncio.get_running_loop().call_soon(task.cancel, message)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            trace += [str(error), task.cancelling()]
    task.cancel("myself")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        trace += [str(error), task.uncancel()]
    await asyncio.sleep(0)
    return [*trace, task.uncancel(), task.uncancel(), task.uncancel()]


@on_every_loop
@pytest.mark.parametrize("program", [timeouts, groups, gathering, locks, scopes, stubborn])
def test_a_program_does_the_same_in_a_task_of_asyncio(make_loop, program):
    async def main():
        return await asyncio.create_task(program()), await begun(program)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        expected, found = runner.run(main())
    assert found == expected


class Reference(asyncio.Task if sys.version_info >= (3, 13) else asyncio.tasks._PyTask):
    """A task as it is since Python 3.13: taking back the last wish to cancel takes back the cancellation as well."""

    def uncancel(self):
        left = super().uncancel()
        if sys.version_info < (3, 13) and not left:
            self._must_cancel = False
        return left


AWAITED = 3
"""How many things there are that random programs wait for."""

steps = st.recursive(
    st.lists(
        st.one_of(
            st.sampled_from([("sleep",), ("cancel", "self"), ("uncancel",), ("fail",), ("expire",)]),
            st.tuples(st.sampled_from(["await", "shield"]), st.integers(0, AWAITED - 1)),
        ),
        max_size=4,
    ),
    lambda inner: st.lists(
        st.one_of(
            st.just(("sleep",)), st.tuples(st.sampled_from(["catch", "timeout", "group", "again"]), inner)
        ),
        max_size=4,
    ),
    max_leaves=12,
)
events = st.lists(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["resolve", "cancel awaited"]), st.integers(0, AWAITED - 1)),
            st.tuples(st.just("cancel"), st.sampled_from(["a", "b", None])),
            st.just(("turn", 0)),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=5,
)


class Run:
    """A random program, in a task, while random things happen to it; `trace` is all that it noticed."""

    def __init__(self, steps, make_awaited):
        self.steps, self.trace = steps, []
        self.awaited = [make_awaited() for _ in range(AWAITED)]

    async def __call__(self):
        self.task = asyncio.current_task()
        try:
            await self.run(self.steps)
        except BaseException as error:
            self.trace.append(self.told(error))
            raise
        self.trace.append("returned")

    def told(self, error):
        if isinstance(error, BaseExceptionGroup):
            return sorted(map(repr, error.exceptions)), self.task.cancelling()
        return repr(error), self.task.cancelling()

    async def run(self, steps):
        for what, *details in steps:
            self.trace.append((what, self.task.cancelling()))
            await getattr(self, what)(*details)

    async def sleep(self):
        await asyncio.sleep(0)

    async def cancel(self, message):
        self.task.cancel(message)

    async def uncancel(self):
        self.trace.append(self.task.uncancel())

    async def fail(self):
        raise LookupError

    async def expire(self):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    async def shield(self, number):
        shielded = asyncio.shield(self.awaited[number])
        await shielded
        shielded.result()

    # a name of its own for each step
    async def catch(self, steps):
        try:
            await self.run(steps)
        except (asyncio.CancelledError, LookupError, TimeoutError, ExceptionGroup) as error:
            self.trace.append(self.told(error))

    async def timeout(self, steps):
        async with asyncio.timeout(0) as limit:
            await self.run(steps)
        self.trace.append(limit.expired())

    async def group(self, steps):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            group.create_task(self.child())
            await self.run(steps)

    async def child(self):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise ValueError

    async def again(self, steps):
        for _ in range(2):
            await self.catch(steps)

    async def wait(self, number):
        awaited = self.awaited[number]
        await awaited
        self.trace.append(awaited.result())

    def __getattr__(self, name):
        if name == "await":
            return self.wait
        raise AttributeError(name)

    async def under(self, events, task):
        """Let things happen, one batch at a time, while no task runs; settle in between."""
        await settle()
        for batch in events:
            await called(self.happen, batch, task)
            await settle()
        for awaited in self.awaited:
            if not awaited.done():
                awaited.cancel()
        await settle()
        return self.trace

    def happen(self, batch, task):
        for what, detail in batch:
            if what == "cancel":
                task.cancel(detail)
            elif what == "cancel awaited":
                self.awaited[detail].cancel()
            elif what == "resolve" and not self.awaited[detail].done():
                self.resolve(self.awaited[detail], at_once=len(batch) == 1)

    def resolve(self, awaited, *, at_once):
        if not isinstance(awaited, Completion):
            awaited.set_result(7)
        elif at_once:
            awaited.resolve(7)
        else:  # asyncio's task would not go on between two things that happen
            awaited.resolve_soon(7)


@given(steps, events)
def test_a_random_program_does_the_same_in_a_task_of_asyncio(steps, events):
    async def reference():
        run = Run(steps, asyncio.get_running_loop().create_future)
        task = Reference(run(), loop=asyncio.get_running_loop())
        trace = await run.under(events, task)
        task.cancel()
        await asyncio.wait([task], timeout=1)
        return trace, task.done()

    async def direct(make_awaited):
        run = Run(steps, make_awaited)
        task = begun(run)
        trace = await run.under(events, task)
        task.cancel()
        await asyncio.wait([task], timeout=1)
        return trace, task.done()

    async def main():
        expected = await reference()
        assert await direct(asyncio.get_running_loop().create_future) == expected
        assert await direct(Completion) == expected

    with asyncio.Runner() as runner:
        runner.run(main())
