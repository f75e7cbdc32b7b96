"""What runs outside an exchange's task sees the context variables of no exchange."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import weakref

import pytest

from hostler import DEFAULT_PIPELINE, Cluster, HttpRequest, Policies, Proxy, Route, serving
from hostler.context import within
from hostler.deadline import Deadline
from hostler.pipeline import for_routes
from hostler.reading import Reading
from tests.client.peers import OK, answering, connected, destination
from tests.client.transports import Pipe

USER = contextvars.ContextVar("USER", default="nobody")


def asked_by(exchange):
    return exchange.request.headers.get("X-User")


def get(path, user):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nX-User: {user}\r\n\r\n".encode()


# -- awaiting within a context ----------------------------------------------------------------------------------------


async def test_what_is_awaited_runs_in_the_context_and_in_the_task():
    async def work():
        tasks.append(asyncio.current_task())
        USER.set("within")
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())
        return USER.get()

    tasks = []
    assert await within(contextvars.copy_context(), work()) == "within"
    assert USER.get() == "nobody"
    assert set(tasks) == {asyncio.current_task()}


class BugError(Exception):
    pass


async def test_what_is_raised_in_it_is_raised_and_leaves_no_cycle():
    async def work():
        with contextlib.suppress(OSError):
            await future
        raise BugError

    future = asyncio.get_running_loop().create_future()
    future.set_exception(OSError())
    gc.disable()
    try:
        try:
            await within(contextvars.copy_context(), work())
        except BugError as error:
            freed = weakref.ref(error)
        assert freed() is None
    finally:
        gc.enable()


async def test_it_is_cancelled_with_its_task():
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(USER.get())
            raise

    cancelled = []
    there = contextvars.copy_context()
    there.run(USER.set, "within")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await within(there, work())
    assert cancelled == ["within"]


# -- what outlives an exchange ----------------------------------------------------------------------------------------


async def test_a_deadline_calls_back_where_it_was_made():
    def expired():
        seen.append(USER.get())
        over.set()

    seen, over = [], asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), expired)
    contextvars.copy_context().run(lambda: (USER.set("alice"), deadline.set(0)))
    await asyncio.wait_for(over.wait(), 10)
    assert seen == ["nobody"]


@pytest.mark.parametrize("rests", [False, True])
async def test_a_transport_is_read_from_where_its_reading_was_made(rests):
    class Transport(Pipe):
        def resume_reading(self):
            seen.append(USER.get())

    def use():
        USER.set("alice")
        reading.rest() if rests else reading.pause()
        reading.resume()

    seen = []
    reading = Reading(asyncio.get_running_loop(), Transport())
    contextvars.copy_context().run(use)
    await asyncio.sleep(0)
    assert seen == ["nobody"]


# -- exchanges --------------------------------------------------------------------------------------------------------


async def remember_user(exchange, onward):
    USER.set(asked_by(exchange))
    if exchange.path.startswith("/own"):
        return await exchange.respond(200, "own")
    exchange.on_response(lambda headers: headers.append((b"seen", USER.get().encode())))
    return await onward(exchange)


async def test_a_callback_sees_nothing_of_the_exchange_that_opened_the_connection():
    async with destination(answering(OK)) as there:
        cluster = Cluster("c", [there.address])
        proxy = Proxy([Route("/{**rest}", "c")], [cluster], pipeline=[remember_user, *DEFAULT_PIPELINE])
        async with serving(proxy) as served, connected(served.url) as client:
            for user in ("alice", "bob", "bob"):
                client.send(get("/", user))
                assert (await client.answer()).get(b"seen") in {b"nobody", user.encode()}
        assert there.connections == 1


@pytest.mark.parametrize("first", ["/own", "/forwarded"])
async def test_a_policy_sees_nothing_of_the_exchange_before_it_on_the_connection(first):
    def choose(exchange, candidates):
        seen.append((asked_by(exchange), USER.get()))
        return candidates[0]

    seen = []
    stage = for_routes(lambda route: route.id != "free")(remember_user)
    async with destination(answering(OK)) as there:
        proxy = Proxy(
            [Route("/free", "two", id="free"), Route("/{**rest}", "one", id="other")],
            [Cluster("one", [there.address]), Cluster("two", [there.address, there.address + "/"], balance="Mine")],
            pipeline=[stage, *DEFAULT_PIPELINE],
            policies=Policies(balance={"Mine": lambda balancing: choose}),
        )  # fmt: skip
        async with serving(proxy) as served, connected(served.url) as client:
            for _ in range(2):
                client.send(get(first, "alice") + get("/free", "bob"))
                assert [(await client.answer()).status for _ in range(2)] == [200, 200]
    assert seen == [("bob", "nobody")] * 2


class Recorder(logging.Handler):
    """What a filter of the user's would add to a line."""

    def __init__(self):
        super().__init__()
        self.users = []

    def emit(self, record):
        self.users.append(USER.get())


async def cut_off(peer):
    while True:
        head = await peer.head()
        if b"/cut" in head:
            return
        if b"/silent" not in head:
            peer.send(OK)


@pytest.mark.logs_errors("(Request|RequestTimedOut)", sometimes=True)
@pytest.mark.parametrize("path", ["/cut", "/silent"])
@pytest.mark.parametrize(
    "onward_by", [lambda awaitable: awaitable, asyncio.create_task], ids=["await", "task"]
)
async def test_a_failure_is_logged_and_answered_as_by_the_stage_that_waits(path, onward_by):
    async def stage(exchange, onward):
        USER.set(asked_by(exchange))
        exchange.on_response(lambda headers: headers.append((b"seen", USER.get().encode())))
        return await onward_by(onward(exchange))

    log, recorder = logging.getLogger("hostler.forwarder"), Recorder()
    log.addHandler(recorder)
    try:
        async with destination(cut_off) as there:
            cluster = Cluster("c", [there.address], http_request=HttpRequest(activity_timeout=0.2))
            proxy = Proxy([Route("/{**rest}", "c")], [cluster], pipeline=[stage, *DEFAULT_PIPELINE])
            async with serving(proxy) as served, connected(served.url) as client:
                client.send(get("/", "alice"))
                assert (await client.answer()).status == 200
                client.send(b"POST" + get(path, "bob").removeprefix(b"GET"))
                answer = await client.answer()
        assert answer.status in {502, 504}
        assert answer.get(b"seen") == b"bob"
        assert recorder.users == ["bob"]
    finally:
        log.removeHandler(recorder)
