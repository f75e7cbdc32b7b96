"""No exchange leaves a cycle of ours behind: memory comes back by itself, however an exchange ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import logging
import socket
import struct
import sys
import traceback
import weakref
from collections import Counter

import pytest

from hostler import (
    DEFAULT_PIPELINE,
    Cluster,
    Definitions,
    HealthCheck,
    HttpRequest,
    Mirror,
    PassiveHealthCheck,
    Proxy,
    RetryDefinition,
    Route,
    ServerOptions,
    SessionAffinity,
    Timeouts,
    queue,
    serving,
)
from hostler.asgi import Application
from hostler.config.events import ConfigEventKind
from hostler.stages import request_id
from tests.client.peers import destination, until

ROUNDS = 5
RESET = struct.pack("ii", 1, 0)


class Ballast:
    """What an application holds while it answers."""


def app_that(act):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        ballast = Ballast()
        await act(receive, send)
        del ballast

    return Application(app)


async def answer(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def raise_at_once(receive, send):
    raise LookupError("a bug")


async def raise_in_the_middle(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    raise LookupError("a bug")


async def raise_from_another(receive, send):
    try:
        await raise_at_once(receive, send)
    except LookupError as error:
        raise ValueError("another") from error


async def leave_undone(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def wait_for_the_client(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def write_for_ever(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


async def read_the_body(receive, send):
    while (await receive()).get("more_body"):
        pass
    await answer(receive, send)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
WHOLE = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


SOCKET = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ILL_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nno chunk\r\n"
NO_HTTP = b"SSH-2.0\r\n\r\n"
NOWHERE = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"


IMPATIENT = ServerOptions(timeouts=Timeouts(idle_connection=0.02, entity_body=0.2, drain_entity_body=0.02))


async def ask(url, request, *, stays):
    """Send a request, wait for the first of its answer or its end, and leave."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    if stays:
        await reader.read(65536)
    else:
        await asyncio.sleep(0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def ours(thing):
    if isinstance(thing, socket.socket):
        return False  # of a cycle within asyncio and uvloop, whoever's class it is
    module = type(thing).__module__
    return (
        module.startswith("hostler")
        or isinstance(thing, Ballast)
        or (isinstance(thing, BaseException) and any(map(is_ours, frames(thing))))
    )


def frames(error):
    """Return the modules that an exception's traceback went through."""
    return [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]


def is_ours(module):
    return module.startswith("hostler")


async def close(url, request, *, stays):
    """Send a request, wait for the first of its answer, and close in order."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await reader.read(65536)
    writer.close()
    await writer.wait_closed()


async def stay(url, request, *, stays):
    """Send a request, and stay until the other end closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.transport.abort()


async def left_behind(handler, request, *, stays=True, ask=ask, options=None):
    """Count what the collector alone could free after a number of exchanges."""
    async with serving(handler, grace=1, options=options) as served:
        await ask(served.url, request, stays=stays)  # what is made once is made now
        await idle(served)
        gc.collect()
        gc.disable()
        logging.disable()  # pytest keeps what is logged, exceptions and all
        try:
            for _ in range(ROUNDS):
                await ask(served.url, request, stays=stays)
            await idle(served)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            return Counter(type(thing).__qualname__ for thing in gc.garbage if ours(thing))
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            logging.disable(logging.NOTSET)


async def idle(served):
    """Wait until the server has noticed that its clients are gone."""
    context = served.server._context
    await until(lambda: not context.connections and not context.handling.tasks)
    await asyncio.sleep(0)


@pytest.mark.logs_errors("the application (raised|returned)", sometimes=True)
@pytest.mark.parametrize(
    ("act", "request_"),
    [
        (answer, GET),
        (raise_at_once, GET),
        (raise_in_the_middle, GET),
        (raise_from_another, GET),
        (leave_undone, GET),
        (wait_for_the_client, GET),
        (write_for_ever, GET),
        (read_the_body, WHOLE),
        (raise_at_once, HALF),
        (read_the_body, ILL_CHUNKED),
        (answer, ILL_CHUNKED),
        (answer, NO_HTTP),
        (answer, NOWHERE),
    ],
)
async def test_an_application_leaves_nothing(act, request_):
    assert await left_behind(app_that(act), request_) == {}


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing():
    assert await left_behind(app_that(read_the_body), HALF, stays=False) == {}


@pytest.mark.parametrize("request_", [GET, WHOLE, HALF])
async def test_a_forwarded_request_leaves_nothing(request_):
    async with serving(app_that(answer)) as there:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [there.url])])
        assert await left_behind(proxy, request_) == {}


async def test_a_destination_that_is_not_there_leaves_nothing():
    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", ["http://127.0.0.1:1"])])
    assert await left_behind(proxy, GET) == {}


async def test_a_client_that_leaves_a_forwarded_request_leaves_nothing():
    async with serving(app_that(write_for_ever)) as there:
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [there.url])])
        assert await left_behind(proxy, GET) == {}


@pytest.mark.parametrize("ask", [close, stay])
@pytest.mark.parametrize("request_", [GET, WHOLE, GET + GET])
async def test_a_connection_that_is_closed_idle_leaves_nothing(request_, ask):
    assert await left_behind(app_that(read_the_body), request_, ask=ask, options=IMPATIENT) == {}


# -- destinations that break ------------------------------------------------------------------------------------------


async def send_garbage(peer):
    await peer.head()
    peer.send(b"SSH-2.0\r\n")


async def reset_at_once(peer):
    await peer.head()
    peer.reset()


async def answer_with_204(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")


async def refuse_with_503(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno")


async def close_in_the_middle(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")


async def break_the_chunks(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nno chunk\r\n")


async def say_nothing(peer):
    await peer.head()
    await peer.rest()


async def stop_in_the_middle(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
    await peer.rest()


async def send_what_is_no_header(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n")


def forwarding_to(url, **settings):
    cluster = Cluster("c", [url], http_request=HttpRequest(**settings))
    return Proxy([Route("/{**rest}", "c")], [cluster])


@pytest.mark.parametrize("request_", [GET, HALF])
@pytest.mark.parametrize(
    "script",
    [
        send_garbage,
        reset_at_once,
        close_in_the_middle,
        break_the_chunks,
        say_nothing,
        stop_in_the_middle,
        send_what_is_no_header,
    ],
)
async def test_a_destination_that_breaks_leaves_nothing(script, request_):
    async with destination(script) as there:
        proxy = forwarding_to(there.address, activity_timeout=0.1)
        assert await left_behind(proxy, request_, ask=stay, options=IMPATIENT) == {}


async def test_a_broken_body_that_is_forwarded_leaves_nothing():
    async with destination(say_nothing) as there:
        assert await left_behind(forwarding_to(there.address), ILL_CHUNKED) == {}


# -- stages that stand between a client and whoever answers it ----------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, WHOLE, HALF])
async def test_a_request_that_may_be_sent_again_leaves_nothing(request_):
    definitions = Definitions(retries={"again": RetryDefinition()})
    async with serving(app_that(answer)) as there:
        route = Route("/{**rest}", "c", retry_policy="again")
        proxy = Proxy([route], [Cluster("c", [there.url])], definitions=definitions)
        assert await left_behind(proxy, request_) == {}


@pytest.mark.parametrize("request_", [GET, WHOLE, HALF])
@pytest.mark.parametrize("script", [answer_with_204, reset_at_once, say_nothing])
async def test_a_request_with_a_session_leaves_nothing(script, request_):
    health = HealthCheck(passive=PassiveHealthCheck(latency_limit=10))
    async with destination(script) as there:
        affinity = SessionAffinity("key")
        cluster = Cluster("c", [there.address], affinity=affinity, health_check=health)
        proxy = Proxy([Route("/{**rest}", "c")], [cluster], pipeline=(request_id, *DEFAULT_PIPELINE))
        assert await left_behind(proxy, request_, stays=script is not say_nothing) == {}


@pytest.mark.parametrize("request_", [GET, WHOLE])
@pytest.mark.parametrize("script", [reset_at_once, refuse_with_503])
async def test_a_request_that_is_sent_again_leaves_nothing(script, request_):
    definitions = Definitions(retries={"again": RetryDefinition(statuses=["503"], budget_percent=100)})
    async with destination(script) as there:
        route = Route("/{**rest}", "c", retry_policy="again")
        proxy = Proxy([route], [Cluster("c", [there.address])], definitions=definitions)
        assert await left_behind(proxy, request_) == {}


@pytest.mark.parametrize("request_", [GET, WHOLE, HALF])
async def test_a_request_that_is_mirrored_leaves_nothing(request_):
    async with serving(app_that(answer)) as there:
        route = Route("/{**rest}", "c", mirror=Mirror("c"))
        proxy = Proxy([route], [Cluster("c", [there.url])])
        assert await left_behind(proxy, request_) == {}


async def answer_once(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await peer.head()
    peer.reset()


async def answer_what_a_callback_raises(exchange, onward):
    def refuse(headers):
        if (b"content-length", b"2") not in [(name.lower(), value) for name, value in headers]:
            raise LookupError("a bug")

    exchange.on_response(refuse)
    try:
        return await onward(exchange)
    except LookupError as error:
        return await exchange.respond(500, str(error))


async def test_a_failure_whose_answer_a_callback_refuses_leaves_nothing():
    async with destination(answer_once) as there:
        pipeline = (answer_what_a_callback_raises, *DEFAULT_PIPELINE)
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [there.address])], pipeline=pipeline)
        assert await left_behind(proxy, WHOLE) == {}


# -- configurations that are replaced ---------------------------------------------------------------------------------


def document(name, address):
    """Write a document with something of everything that is compiled; the other one of two has no route of its own."""
    routes = {
        both: {
            "ClusterId": "c",
            "Match": {"Path": f"/{both}/{{**rest}}", "Headers": [{"Name": "A", "Values": ["b"], "Mode": "NotContains"}]},
            "Transforms": [{"RequestHeader": "X", "Set": name}, {"PathPattern": "/{rest}"}],
            "TimeoutPolicy": "short", "RetryPolicy": "again", "RateLimiterPolicy": "few", "ConcurrencyPolicy": "one",
            "CorsPolicy": "all", "AuthorizationPolicy": "keys", "Mirror": {"ClusterId": "c"},
        }
        for both in ("both", name)
    }  # fmt: skip
    cluster = {
        "Destinations": {name: {"Address": address}, "both": {"Address": address, "Metadata": {"in": name}}},
        "SessionAffinity": {"Enabled": True, "AffinityKeyName": "key"},
        "HealthCheck": {
            "Active": {"Enabled": True, "Path": "/"},
            "Passive": {"Enabled": True, "HalfOpen": True},
            "SlowStart": "00:10:00",
        },
        "Metadata": {"in": name},
    }
    digest = hashlib.sha256(b"key").hexdigest()
    policies = {
        "Timeouts": {"short": {"Timeout": "00:00:10"}},
        "Retries": {"again": {}},
        "RateLimiters": {"few": {"PermitLimit": 1000, "Window": "00:00:01"}},
        "Concurrency": {"one": {"PermitLimit": 1}},
        "Cors": {"all": {"AllowedOrigins": ["*"]}},
        "Authorization": {"keys": {"ApiKey": {"Keys": {"me": digest}}}},
    }
    return {"Policies": policies, "ReverseProxy": {"Routes": routes, "Clusters": {"c": cluster}}}


async def test_a_configuration_that_is_replaced_is_freed_at_once(tmp_path):
    file = tmp_path / "document.json"
    applied = asyncio.Queue()

    async def replace(name):
        file.write_text(json.dumps(document(name, there.url)))
        assert proxy.reload()
        await asyncio.wait_for(applied.get(), 10)

    def listen(event):
        if event.kind is ConfigEventKind.APPLIED:
            applied.put_nowait(None)

    async with serving(app_that(read_the_body)) as there:
        file.write_text(json.dumps(document("one", there.url)))
        proxy = Proxy.from_file(file, layers=False, listeners=[listen])
        await applied.get()
        async with serving(proxy) as served:
            for name in ("two", "one"):  # what is made once is made now
                await replace(name)
                await ask(
                    served.url,
                    f"POST /{name}/ HTTP/1.1\r\nHost: a\r\nX-API-Key: key\r\nContent-Length: 4\r\n\r\nbody".encode(),
                    stays=True,
                )
            proxy.destination("c", "one").disable()
            proxy.destination("c", "one").enable()
            assert proxy.destination("c", "one").ramp is not None
            await until(lambda: not served.server._context.connections)
            gc.collect()
            both, cluster = proxy.route("both"), proxy.cluster("c")
            replaced = [weakref.ref(it) for it in (proxy.config, proxy.route("one"), cluster, both.equipment)]
            del both, cluster
            gc.disable()
            try:
                await replace("two")
                await until(lambda: not any(it() for it in replaced))
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                left = Counter(type(thing).__qualname__ for thing in gc.garbage if ours(thing))
                assert left == {}
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()


# -- upgrades ---------------------------------------------------------------------------------------------------------


async def switch_and_leave(peer):
    await peer.head()
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")


async def switch_and_reset(peer):
    await switch_and_leave(peer)
    await peer.drain()
    peer.reset()


async def switch_and_stay(peer):
    await switch_and_leave(peer)
    await peer.rest()


@pytest.mark.parametrize("ask", [ask, close, stay])
@pytest.mark.parametrize("script", [switch_and_leave, switch_and_reset, switch_and_stay])
async def test_a_tunnel_leaves_nothing(script, ask):
    async with destination(script) as there:
        proxy = forwarding_to(there.address, activity_timeout=0.1)
        assert await left_behind(proxy, SOCKET, ask=ask, options=IMPATIENT) == {}


async def accept(receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def accept_and_close(receive, send):
    await accept(receive, send)
    await send({"type": "websocket.close"})


async def accept_and_raise(receive, send):
    await accept(receive, send)
    raise LookupError("a bug")


async def accept_and_wait(receive, send):
    await accept(receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def accept_and_write(receive, send):
    await accept(receive, send)
    while True:
        await send({"type": "websocket.send", "bytes": b"x" * 65536})


async def refuse(receive, send):
    await receive()
    await send({"type": "websocket.close"})


SOCKET_ACTS = [accept, accept_and_close, accept_and_raise, accept_and_wait, accept_and_write, refuse]


@pytest.mark.logs_errors("the application (raised|returned)", sometimes=True)
@pytest.mark.parametrize("ask", [ask, close])
@pytest.mark.parametrize("act", SOCKET_ACTS)
async def test_a_websocket_leaves_nothing(act, ask):
    assert await left_behind(app_that(act), SOCKET, ask=ask) == {}


# -- delegated exchanges ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="queues")
@pytest.mark.logs_errors("the application (raised|returned)", sometimes=True)
@pytest.mark.parametrize("ask", [ask, close])
@pytest.mark.parametrize(
    ("act", "request_"),
    [
        (answer, GET),
        (raise_at_once, GET),
        (raise_in_the_middle, GET),
        (leave_undone, GET),
        (wait_for_the_client, GET),
        (write_for_ever, GET),
        (read_the_body, WHOLE),
        (read_the_body, ILL_CHUNKED),
        (raise_at_once, HALF),
        *((act, SOCKET) for act in SOCKET_ACTS),
    ],
)
async def test_a_delegated_exchange_leaves_nothing(act, request_, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(tmp_path / "runtime"))
    async with serving(app_that(act), queue="q", grace=1):
        proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [queue("q", "http://*:80/")])])
        assert await left_behind(proxy, request_, ask=ask) == {}
