"""Finding and refusing applications, and starting and stopping them (ASGI lifespan spec)."""

from __future__ import annotations

import asyncio
import sys

import pytest

from hostler.asgi import Application, load
from hostler.errors import ConfigError, HostlerError, LifespanError
from tests.asgi.peers import get


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": repr(scope["state"]).encode()})


class Nested:
    inner = staticmethod(application)


class Version2:
    def __init__(self, scope):
        pass

    async def __call__(self, receive, send):
        pass


# -- load


def test_an_application_is_found_by_module_and_attribute():
    assert load(f"{__name__}:application") is application
    assert load(f"{__name__}:Nested.inner") is application


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("hostler", ["module:attribute"]),
        (":app", ["module:attribute"]),
        ("no_such_module:app", ["no_such_module:app", "no module 'no_such_module'", "PYTHONPATH"]),
        ("hostler.nothing:app", ["no module 'hostler.nothing'"]),
        (f"{__name__}:nothing.here", ["no attribute 'nothing.here'", __name__]),
        (f"{__name__}:Version2", ["Version2 is a class", "guarantee_single_callable"]),
        (f"{__name__}:pytest", ["a module cannot be called"]),
        (f"{__name__}:factory", ["called as app()", "call a factory"]),
    ],
)
def test_what_is_no_application_is_refused_with_a_remedy(spec, words):
    with pytest.raises(ConfigError) as caught:
        load(spec)
    for word in words:
        assert word in str(caught.value)
    assert isinstance(caught.value, HostlerError)
    assert isinstance(caught.value, ValueError)


def factory():
    return application


def test_an_import_error_inside_the_module_comes_through(tmp_path, monkeypatch):
    (tmp_path / "hostler_broken_app.py").write_text("import hostler_missing_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="hostler_missing_dependency"):
        load("hostler_broken_app:app")


def test_asgi_2_is_refused():
    with pytest.raises(ConfigError, match="ASGI 3"):
        Application(Version2)
    with pytest.raises(ConfigError, match="ASGI 3"):
        Application(lambda scope: None)


def test_a_callable_written_in_c_is_taken_at_its_word():
    Application(print)


async def test_a_websocket_without_the_package_is_501(monkeypatch, caplog):
    for name in [name for name in sys.modules if name.partition(".")[0] == "websockets"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("hostler.asgi.websocket", "hostler.asgi.websocket_connection"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "websockets", None)
    exchange = get(headers=b"Connection: upgrade\r\nUpgrade: WebSocket\r\n")
    outcome = await Application(application)(exchange)
    assert outcome.status == 501
    assert "pip install hostler[websocket]" in caplog.text


# -- lifespan


def living(events, *, complete=True, after=None):
    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await application(scope, receive, send)
        assert scope["asgi"]["spec_version"] == "2.0"
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["db"] = "open"
        events.append("startup")
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        events.append("shutdown")
        if after is not None:
            await after(receive, send)
        if complete:
            await send({"type": "lifespan.shutdown.complete"})
        events.append("stopped")
        return None

    return Application(app)


async def test_an_application_is_started_and_stopped_around():
    events = []
    async with living(events).lifespan():
        events.append("body")
    assert events == ["startup", "body", "shutdown", "stopped"]


async def test_each_scope_has_its_own_copy_of_the_state():
    served = living([])
    async with served.lifespan():
        exchange = get()
        await served(exchange)
        assert exchange.stream.body == b"{'db': 'open'}"
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        scope["state"]["mine"] = True
        await application(scope, receive, send)

    plain = Application(app)
    await plain(get())
    await plain(get())
    assert scopes[0]["state"] is not scopes[1]["state"]
    assert plain.state == {}


async def test_an_application_without_lifespan_runs_without(caplog):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await application(scope, receive, send)

    served = Application(app)
    async with served.lifespan():
        exchange = get()
        assert (await served(exchange)).status == 200
    assert not caplog.records


async def test_an_application_that_ignores_lifespan_runs_without():
    async def app(scope, receive, send):
        return

    async with Application(app).lifespan():
        pass


async def test_a_failed_startup_raises_with_the_message_of_the_application():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise RuntimeError("no database")

    with pytest.raises(LifespanError, match="no database"):
        async with Application(app).lifespan():
            pytest.fail("must not start")


async def test_a_failed_startup_without_message_says_so():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed"})
        await receive()

    with pytest.raises(LifespanError, match="failed to start"):
        async with Application(app).lifespan():
            pytest.fail("must not start")


async def test_a_failed_shutdown_is_logged(caplog):
    async def after(receive, send):
        await send({"type": "lifespan.shutdown.failed", "message": "disk full"})

    async with living([], complete=False, after=after).lifespan():
        pass
    assert "the application failed to stop: disk full" in caplog.text


async def test_an_exception_in_shutdown_is_logged(caplog):
    async def after(receive, send):
        raise LookupError("gone")

    async with living([], after=after).lifespan():
        pass
    assert "LookupError: gone" in caplog.text


async def test_an_application_that_asks_for_more_after_shutdown_is_ended():
    async def app(scope, receive, send):
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})

    async with Application(app).lifespan():
        pass


async def test_messages_out_of_order_are_refused():
    caught = []

    async def app(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})
        for kind in ("lifespan.startup.complete", "lifespan.shutdown.complete", "http.response.start"):
            try:
                await send({"type": kind})
            except RuntimeError as error:
                caught.append(str(error))

    async with Application(app).lifespan():
        pass
    assert len(caught) == 3
    assert caught[1] == "the application sent 'lifespan.shutdown.complete' while it was started"


async def test_the_application_stops_when_the_body_raises():
    events = []
    with pytest.raises(LookupError):
        async with living(events).lifespan():
            raise LookupError
    assert events[-1] == "stopped"


async def test_a_startup_that_is_cancelled_is_given_up():
    waiting = asyncio.Event()

    async def app(scope, receive, send):
        waiting.set()
        await asyncio.Event().wait()

    async def enter():
        async with Application(app).lifespan():
            pytest.fail("must not start")

    task = asyncio.create_task(enter())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
