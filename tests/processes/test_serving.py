"""Running a handler: from the first URL prefix to the last exchange."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
import textwrap

import httpx
import pytest

from hostler import ListenError, PrefixError, Proxy, serving
from hostler.processes.serving import Serving
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions, Timeouts
from hostler.server.prefix import UrlPrefix
from hostler.service import GRACE
from tests.complaints import complaints
from tests.server.httpsys.model.machine import Machine


async def ok(exchange):
    return await exchange.respond(200, "ok")


async def get(url):
    async with httpx.AsyncClient() as client:
        return await client.get(url)


async def test_a_handler_is_served_for_as_long_as_the_context_lasts():
    async with serving(ok) as served:
        assert (await get(f"{served.url}/")).text == "ok"
    with pytest.raises(httpx.ConnectError):
        await get(f"{served.url}/")


async def test_several_prefixes_have_several_urls():
    async with serving(ok, ["http://127.0.0.1:0/", "http://127.0.0.1:0/app/"]) as served:
        first, second = served.urls
        assert served.url == first
        assert second.endswith("/app")
        assert (await get(f"{first}/x")).text == "ok"
        assert (await get(f"{second}/x")).text == "ok"
        assert (await get(f"{second.removesuffix('/app')}/other")).status_code == 404


def test_wildcards_are_shown_as_something_to_open():
    prefixes = tuple(
        map(UrlPrefix.parse, ("http://*:80/", "http://+:81/a/", "http://[::1]:82/", "http://a/"))
    )
    assert Serving(None, prefixes).urls == (
        "http://localhost:80",
        "http://localhost:81/a",
        "http://[::1]:82",
        "http://a:80",
    )


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port} is in use"):
            async with serving(ok, ["http://127.0.0.1:0/", f"http://127.0.0.1:{port}/"]):
                pass


async def test_what_is_no_prefix_is_an_error():
    with pytest.raises(PrefixError):
        async with serving(ok, ["127.0.0.1:80"]):
            pass


class Watched:
    """A handler with a lifespan."""

    def __init__(self, error=None):
        self.events = []
        self.error = error

    async def __call__(self, exchange):
        self.events.append("exchange")
        return await exchange.respond(200)

    @contextlib.asynccontextmanager
    async def lifespan(self, server):
        assert server is not None
        self.events.append("in")
        if self.error is not None:
            raise self.error
        try:
            yield
        finally:
            self.events.append("out")


async def test_the_handlers_lifespan_brackets_the_serving():
    handler = Watched()
    async with serving(handler) as served:
        await get(f"{served.url}/")
    assert handler.events == ["in", "exchange", "out"]


async def test_a_lifespan_that_fails_is_the_callers_error():
    with pytest.raises(LookupError):
        async with serving(Watched(LookupError("no"))):
            pytest.fail("it must not be served")


async def test_a_lifespan_that_fails_leaves_nothing_of_the_server(monkeypatch):
    windows = Machine().process()
    monkeypatch.setattr(
        "hostler.processes.serving.make_server",
        lambda handler, *options, on_reject: HttpSysServer(handler, on_reject=on_reject, windows=windows),
    )
    with pytest.raises(LookupError):
        async with serving(Watched(LookupError("no"))):
            pytest.fail("it must not be served")
    assert windows.calls
    assert windows.alive() == {}


async def test_the_lifespan_ends_also_when_listening_fails():
    handler = Watched()
    with pytest.raises(ListenError):
        async with serving(handler, ["http://192.0.2.1:0/"]):
            pass
    assert handler.events == ["in", "out"]


async def test_access_lines():
    lines = []
    async with serving(ok, write_line=lines.append) as served:
        await get(f"{served.url}/a?b")
    (line,) = "".join(lines).splitlines()
    port = served.url.rpartition(":")[2]
    assert f"Z 127.0.0.1 GET 127.0.0.1:{port} /a?b 200 responded, 0 B in, 2 B out, " in line


async def test_access_lines_for_machines():
    lines = []
    async with serving(ok, write_line=lines.append, log_format="json") as served:
        await get(f"{served.url}/a?b")
    entry = json.loads("".join(lines))
    assert (entry["method"], entry["target"], entry["status"]) == ("GET", "/a?b", 200)


@pytest.mark.parametrize(
    ("sent", "entry"),
    [
        (
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            {"method": "-", "host": "-", "target": "-", "status": 400, "outcome": "rejected"},
        ),
        (
            b"GET /other?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Request-ID: mine\r\n\r\n",
            {
                "id": "-",
                "client": "127.0.0.1",
                "method": "GET",
                "target": "/other?b",
                "status": 404,
                "outcome": "rejected",
                "failure": "no URL prefix takes /other",
                "destination": None,
                "route": None,
                "bytes_sent": 14,
            },
        ),
        (
            b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
            {"method": "CONNECT", "host": "a:1", "target": "a:1", "status": 501, "outcome": "rejected"},
        ),
    ],
    ids=["malformed", "no-prefix", "connect"],
)
async def test_what_the_server_itself_rejects_has_an_access_line(sent, entry):
    lines = []
    async with serving(
        ok, ["http://127.0.0.1:0/app/"], write_line=lines.append, log_format="json", server="usermode"
    ) as served:
        port = served.prefixes[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent.replace(b"%d", b"%d" % port))
        answer = await reader.read()
        writer.close()
    line = json.loads("".join(lines))
    assert line | entry == line
    assert answer.startswith(b"HTTP/1.1 %d " % entry["status"])
    assert len(answer.partition(b"\r\n\r\n")[2]) == line["bytes_sent"]


async def test_a_request_that_does_not_come_in_time_has_an_access_line():
    lines = []
    options = ServerOptions(timeouts=Timeouts(header_wait=0.01))
    async with serving(ok, write_line=lines.append, options=options, server="usermode") as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.prefixes[0].port)
        writer.write(b"GET / HT")
        await reader.read()
        writer.close()
    (line,) = "".join(lines).splitlines()
    assert "Z 127.0.0.1 - - - 408 rejected (the request's head did not come in time), 0 B in, " in line


async def test_an_unknown_log_format_is_refused():
    with pytest.raises(ValueError, match="log_format"):
        async with serving(ok, write_line=print, log_format="xml"):
            pass


async def test_an_exchange_in_progress_is_finished():
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(exchange):
        arrived.set()
        await go.wait()
        return await exchange.respond(200, "done")

    async with asyncio.TaskGroup() as group:
        async with serving(slow) as served:
            asking = group.create_task(get(f"{served.url}/"))
            await arrived.wait()
            asyncio.get_running_loop().call_soon(go.set)
        assert (await asking).text == "done"


async def test_an_exchange_that_takes_longer_than_the_grace_is_aborted():
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(exchange):
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert GRACE > 1
    async with serving(endless, grace=0.02) as served:
        asking = asyncio.create_task(get(f"{served.url}/"))
        await arrived.wait()
    assert cancelled.is_set()
    with pytest.raises(httpx.TransportError):
        await asking


async def test_idle_connections_do_not_hold_up_the_end():
    async with httpx.AsyncClient() as client:
        async with asyncio.timeout(10):
            async with serving(ok) as served:
                await client.get(f"{served.url}/")


PROGRAM = """
import asyncio, sys
import hostler

async def handler(exchange):
    if exchange.path == "/slow":
        print("slow", flush=True)
        await asyncio.sleep(float(exchange.request.headers.get("x-seconds")))
    return await exchange.respond(200, "ok")

{run}
"""


class Program:
    """A program that runs a handler, in a process of its own."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def ended(self):
        async with asyncio.timeout(20):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def program(run):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM.format(run=textwrap.dedent(run)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await process.communicate()
        complaints.hear(errors.decode())


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_program_says_where_it_listens_and_ends_on_a_signal_after_its_exchanges():
    async with program('hostler.run(handler, ["http://127.0.0.1:0/"])') as running:
        said = await running.line()
        assert said.startswith("listening on http://127.0.0.1:")
        url = said.removeprefix("listening on ")
        asking = asyncio.create_task(httpx.AsyncClient().get(f"{url}slow", headers={"x-seconds": "0.2"}))
        assert await running.line() == "slow"
        running.process.send_signal(signal.SIGTERM)
        got = await asking
        assert (got.text, got.headers["connection"]) == ("ok", "close")
        assert "/slow 200 responded" in await running.line()
        assert await running.ended() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_second_signal_ends_a_program_at_once():
    async with program('sys.exit(hostler.run(handler, ["http://127.0.0.1:0/"], quiet=True))') as running:
        url = (await running.line()).removeprefix("listening on ")
        client = httpx.AsyncClient()
        asking = asyncio.create_task(client.get(f"{url}slow", headers={"x-seconds": "100"}))
        assert await running.line() == "slow"
        running.process.send_signal(signal.SIGINT)
        # the listener is closed when the first signal has been taken
        async with asyncio.timeout(10):
            with contextlib.suppress(httpx.TransportError):
                while (await get(url)).status_code == 200:
                    pass
        running.process.send_signal(signal.SIGINT)
        with pytest.raises(httpx.TransportError):
            await asking
        assert await running.ended() in {0, 130}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_proxys_configuration_says_where_to_listen():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/from-config/"
    assert Proxy(urls=[url]).config.urls == (url,)
    async with program(f"hostler.run(hostler.Proxy(urls=[{url!r}]), quiet=True)") as running:
        assert await running.line() == f"listening on {url}"
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
