"""What an application may do in the task that it runs in, which is a server's own: all that it may in asyncio's."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Annotated

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from hostler.asgi import Application
from tests.server.usermode.peers import connected, eventually, request

NOTES = contextvars.ContextVar("notes", default="none")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


def answering(work):
    """Make an application of what computes its answer; `work(receive)`."""

    async def app(scope, receive, send):
        await answer(send, str(await work(receive)))

    return Application(app)


async def asked(application, sent=None, *, times=2):
    """Return what `times` requests on one connection get; all must get the same."""
    async with connected(application) as client:
        answers = set()
        for _ in range(times):
            await client.send(sent or request("GET", "/"))
            answers.add((await client.answer()).body.decode())
    [text] = answers
    return text


async def after_a_timeout(receive):
    await receive()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await receive()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(receive(), 0.001)
    return asyncio.current_task().cancelling()


async def after_a_scope(receive):
    await receive()
    with anyio.move_on_after(0) as scope:
        await receive()
    with pytest.raises(TimeoutError), anyio.fail_after(0.001):
        await anyio.sleep_forever()
    with anyio.CancelScope() as nested:
        nested.cancel()
        await anyio.lowlevel.checkpoint()
    return scope.cancelled_caught, nested.cancelled_caught, asyncio.current_task().cancelling()


async def in_groups(receive):
    found = []
    async with asyncio.TaskGroup() as group:
        message = group.create_task(receive())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 0)
        found.append(message.result()["type"])
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            raise LookupError
    with pytest.raises(ExceptionGroup):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            raise LookupError
    return found, asyncio.current_task().cancelling()


async def in_threads(receive):
    main = threading.get_ident()
    one = await asyncio.to_thread(threading.get_ident)
    two = await anyio.to_thread.run_sync(threading.get_ident)
    back = await anyio.to_thread.run_sync(lambda: anyio.from_thread.run_sync(threading.get_ident))
    return one != main, two != main, back == main


async def in_its_own_task(receive):
    task = asyncio.current_task()
    await asyncio.sleep(0)
    return asyncio.current_task() is task, task in asyncio.all_tasks(), task.done(), bool(task.get_name())


async def in_its_own_context(receive):
    before = NOTES.get()
    NOTES.set("mine")
    await asyncio.sleep(0)
    return before, NOTES.get(), await asyncio.create_task(asyncio.to_thread(NOTES.get))


async def with_children(receive):
    child = asyncio.create_task(receive())
    done, _ = await asyncio.wait({child, asyncio.ensure_future(asyncio.sleep(0))})
    shielded = await asyncio.shield(asyncio.sleep(0, "shielded"))
    return len(done), child.result()["more_body"], shielded, await asyncio.gather(asyncio.sleep(0, 1))


async def through_its_own_cancellation(receive):
    task = asyncio.current_task()
    task.cancel("wake up")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        return str(error), task.cancelling(), task.uncancel()


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (after_a_timeout, "0"),
        (after_a_scope, "(True, True, 0)"),
        (in_groups, "(['http.request'], 0)"),
        (in_threads, "(True, True, True)"),
        (in_its_own_task, "(True, True, False, True)"),
        (in_its_own_context, "('none', 'mine', 'mine')"),
        (with_children, "(2, False, 'shielded', [1])"),
        (through_its_own_cancellation, "('wake up', 1, 0)"),
    ],
)
async def test_what_it_awaits(work, said):
    assert await asked(answering(work)) == said


async def test_messages_may_be_sent_in_tasks_of_their_own():
    async def app(scope, receive, send):
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await asyncio.create_task(send(start))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, {"type": "http.response.body", "body": b"sent"})

    assert await asked(Application(app)) == "sent"


async def test_a_cancelled_application_has_its_client_cut_off():
    async def app(scope, receive, send):
        asyncio.current_task().cancel()
        await asyncio.sleep(60)

    async with connected(Application(app)) as client:
        await client.send(request("GET", "/"))
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_a_body_is_awaited_under_a_timeout():
    async def app(scope, receive, send):
        body, message = b"", {"more_body": True}
        async with asyncio.timeout(10):
            while message["more_body"]:
                message = await receive()
                body += message["body"]
        await answer(send, body.decode())

    async with connected(Application(app)) as client:
        await client.send(request("POST", "/", "Content-Length: 6") + b"abc")
        await asyncio.sleep(0)
        await client.send(b"def")
        assert (await client.answer()).body == b"abcdef"


async def test_starlette_middleware_around_a_stream():
    async def pieces(number):
        for at in range(number):
            yield f"{at} "
            await anyio.lowlevel.checkpoint()

    async def stream(request):
        gone = await request.is_disconnected()
        return StreamingResponse(pieces(3), headers={"x-gone": str(gone)})

    async def middle(request, call_next):
        response = await call_next(request)
        response.headers["x-middle"] = "1"
        return response

    app = Starlette(
        routes=[Route("/", stream)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=middle)] * 2
    )
    async with connected(Application(app)) as client:
        for _ in range(3):
            got = await client.get("/")
            assert (got.body, got.headers["x-middle"], got.headers["x-gone"]) == (b"0 1 2 ", "1", "False")


closed = []


def opened():
    yield threading.get_ident()
    closed.append(1)


async def test_fastapi_in_threads_with_dependencies():
    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    def read(thread: Annotated[int, Depends(opened)]):
        return str(threading.main_thread().ident not in {threading.get_ident(), thread})

    closed.clear()
    async with connected(Application(app)) as client:
        for times in (1, 2):
            assert (await client.get("/")).body == b"True"
            await eventually(
                lambda times=times: closed == [1] * times
            )  # it goes on when the client has its answer
