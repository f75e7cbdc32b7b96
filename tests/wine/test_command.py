"""What a user types: hostler's command line on Windows CPython, on Wine's HTTP.sys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket

import httpx
import pytest

from hostler import serving
from tests.wine.program import PATIENCE, curl, free_port, running, windows_path
from tests.wine.pulse import Pulse

APP = '''
"""An ASGI application: what it was asked, and a stream that goes on when something is asked for at /go."""
import asyncio

go = asyncio.Event()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("the application starts", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the application ends", flush=True)
        return await send({"type": "lifespan.shutdown.complete"})
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"shop")]})
    if scope["path"].endswith("/waits"):
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await go.wait()
    if scope["path"].endswith("/go"):
        go.set()
    said = f"{scope['method']} {scope['path']} under {scope['root_path']!r}: ".encode() + body
    await send({"type": "http.response.body", "body": said})
'''


class Command:
    """One command, running in the program."""

    def __init__(self, program, pid):
        self._program = program
        self._pid = pid

    async def until(self, text, name="out"):
        """Wait until it has said that; returns what it has said."""
        return await asyncio.to_thread(self._program.do, "until", pid=self._pid, name=name, text=text)

    async def interrupt(self):
        """Press Ctrl-C in its console."""
        await asyncio.to_thread(self._program.do, "interrupt", pid=self._pid)

    async def ended(self):
        """Wait for its end; returns its exit status, and what it said on its outputs."""
        return await asyncio.to_thread(self._program.do, "ended", pid=self._pid)


class Hostler:
    """The command `hostler` on Windows, in a directory."""

    def __init__(self, program, directory):
        self._program = program
        self._directory = windows_path(directory)

    async def start(self, *arguments):
        """Start the command."""
        pid = await asyncio.to_thread(
            self._program.do, "start", arguments=arguments, directory=self._directory
        )
        return Command(self._program, pid)

    async def __call__(self, *arguments):
        """Run the command to its end."""
        command = await self.start(*arguments)
        return await command.ended()

    @contextlib.asynccontextmanager
    async def serving(self, port, *arguments, pulse=True):
        """Run a command that listens on a port; Ctrl-C must end it well."""
        command = await self.start(*arguments)
        await command.until("listening on ")
        # the user-mode server takes connections by itself
        with Pulse(port) if pulse else contextlib.nullcontext():
            yield command
            await command.interrupt()
            status, _, complaints = await command.ended()
        assert (status, complaints) == (0, "")


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "a shop"
    directory.mkdir()
    return directory


@pytest.fixture
def hostler(tmp_path, directory):
    with running("command.py", tmp_path) as program:
        yield Hostler(program, directory)
        assert program.do("kill") == []


@pytest.fixture
async def session():
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as session:
        yield session


def document(url, *addresses, **destination):
    """Make a YARP document that forwards everything."""
    destinations = {
        f"d{number}": {"Address": address, **destination} for number, address in enumerate(addresses)
    }
    return {
        "Urls": url,
        "ReverseProxy": {
            "Routes": {"everything": {"ClusterId": "c", "Match": {"Path": "/{**rest}"}}},
            "Clusters": {"c": {"Destinations": destinations}},
        },
    }


def write(path, document):
    """Write a document, or text that is none, whole."""
    new = path.with_suffix(".new")
    new.write_text(document if isinstance(document, str) else json.dumps(document, indent=2))
    new.replace(path)


def destination(name):
    """Make a handler that says who it is, and what it was asked."""

    async def handler(exchange):
        body = await exchange.read()
        asked = f"{exchange.request.method} {exchange.request.target.decode()}"
        return await exchange.respond(200, f"{name}: {asked} {body.decode()}", headers=[("x-name", name)])

    return handler


ASK = re.compile(
    r"\S+Z 127\.0\.0\.1 (?P<asked>\S+ \S+ \S+) (?P<became>.+), (?P<sizes>\d+ B in, \d+ B out), \d+\.\d ms, .*"
)
"""An access line."""


def asked(text):
    """Return what access lines say: what was asked, what became of it, the bytes; other lines are left out."""
    return [found.groups() for found in map(ASK.fullmatch, text.splitlines()) if found]


# -- hostler run ------------------------------------------------------------------------------------------------------


async def test_a_proxy_forwards_and_follows_its_document(hostler, directory, session):
    port = free_port()
    url = f"http://localhost:{port}/"
    path = directory / "appsettings.json"
    async with serving(destination("one")) as one, serving(destination("two")) as two:
        write(path, document(url, one.url))
        assert await hostler("check", "appsettings.json") == [
            0, "appsettings.json: ok, 1 route, 1 cluster\n", "",
        ]  # fmt: skip

        command = await hostler.start("run", "appsettings.json", "--verbose")
        assert await command.until("listening") == f"listening on {url}\n"
        with Pulse(port):
            assert await asyncio.to_thread(curl, f"{url}a?b=c") == b"one: GET /a?b=c "
            answer = await session.post(f"{url}post", content="hello")
            assert (answer.text, answer.headers["x-name"]) == ("one: POST /post hello", "one")

            write(path, document(url, two.url))
            await command.until("appsettings.json was applied", "err")
            assert (await session.get(f"{url}a")).text == "two: GET /a "

            write(path, '{"ReverseProxy": {')
            await command.until("appsettings.json was not applied", "err")
            assert await asyncio.to_thread(curl, "-d", "hello", f"{url}b") == b"two: POST /b hello"

            await command.interrupt()
            status, said, _ = await command.ended()
    assert status == 0
    assert asked(said) == [
        (f"GET localhost:{port} /a?b=c", f"200 forwarded to {one.url}", "0 B in, 16 B out"),
        (f"POST localhost:{port} /post", f"200 forwarded to {one.url}", "5 B in, 21 B out"),
        (f"GET localhost:{port} /a", f"200 forwarded to {two.url}", "0 B in, 12 B out"),
        (f"POST localhost:{port} /b", f"200 forwarded to {two.url}", "5 B in, 18 B out"),
    ]


async def test_a_url_of_the_command_line_is_instead_of_the_documents(hostler, directory, session):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    async with serving(destination("one")) as one:
        write(directory / "appsettings.json", document("http://localhost:5000/", one.url))
        run = ["run", "appsettings.json", "--url", url, "--quiet"]
        async with hostler.serving(port, *run) as command:
            assert (await session.get(url)).text == "one: GET / "
        assert await command.until("listening") == f"listening on {url}\n"


async def test_the_user_mode_server_is_there_too(hostler, directory, session):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    async with serving(destination("one")) as one:
        write(directory / "appsettings.json", document(url, one.url))
        run = ["run", "appsettings.json", "--server", "usermode"]
        async with hostler.serving(port, *run, pulse=False) as command:
            answer = await session.get(url)
            assert answer.text == "one: GET / "
            assert "server" not in answer.headers  # HTTP.sys names itself
            await command.until(f"127.0.0.1:{port} / 200 forwarded to {one.url}")


# -- hostler serve ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(directory):
    """Have an application in a directory of its own; gives the arguments that serve it."""
    (directory / "code").mkdir()
    (directory / "code" / "shop.py").write_text(APP)
    return ["serve", "shop:app", "--app-dir", "code"]


async def test_an_application_is_served_under_a_prefix(hostler, shop, session):
    """With a queue's name, which says nothing on Wine ("queue names"); with a lifespan, which does."""
    port = free_port()
    url = f"http://localhost:{port}/shop/"
    async with hostler.serving(port, *shop, "--workers", "0", "--url", url, "--queue", "shop") as command:
        assert await command.until("serving") == (
            f"the application starts\nlistening on {url}\nserving queue shop in this process\n"
        )
        assert await asyncio.to_thread(curl, f"{url}caf%C3%A9") == "GET /shop/café under '/shop': ".encode()
        answer = await session.post(f"{url}cart", content="hello")
        assert answer.text == "POST /shop/cart under '/shop': hello"
        assert answer.headers["x-app"] == "shop"
        assert asked(await command.until("/shop/cart")) == [
            (f"GET localhost:{port} /shop/caf%C3%A9", "200 responded", "0 B in, 31 B out"),
            (f"POST localhost:{port} /shop/cart", "200 responded", "5 B in, 36 B out"),
        ]
    assert (await command.until("ends")).endswith("the application ends\n")


async def test_an_application_is_served_by_the_user_mode_server(hostler, shop, session):
    port = free_port()
    url = f"http://localhost:{port}/"
    async with hostler.serving(port, *shop, "--url", url, "--server", "usermode", pulse=False):
        assert (await session.get(f"{url}a")).text == "GET /a under '': "


# -- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_request_in_progress_is_finished_after_an_interrupt(hostler, shop, session):
    port = free_port()
    url = f"http://localhost:{port}/"
    async with hostler.serving(port, *shop, "--url", url), session.stream("GET", f"{url}waits") as answer:
        coming = answer.aiter_raw()
        assert await anext(coming) == b"first "
        await session.get(f"{url}go")
        assert await anext(coming) == b"GET /waits under '': "


async def test_a_second_interrupt_ends_what_is_in_progress(hostler, shop, session):
    port = free_port()
    url = f"http://localhost:{port}/"
    command = await hostler.start(*shop, "--url", url)
    await command.until("listening")
    with (
        Pulse(port),
        contextlib.suppress(httpx.TransportError),
    ):  # how it ends for the client is Wine's matter
        async with session.stream("GET", f"{url}waits") as answer:
            assert await anext(answer.aiter_raw()) == b"first "
            await command.interrupt()
            await command.interrupt()
            status, said, complaints = await command.ended()
    assert (status, complaints) == (130, "")
    assert "/waits 200 failed (RequestCanceled" in said


# -- what cannot be ---------------------------------------------------------------------------------------------------


async def fails(hostler, *arguments):
    """Run a command that must end with status 1 and one line; returns that line."""
    status, said, complaints = await hostler(*arguments)
    assert (status, complaints.count("\n")) == (1, 1), complaints
    assert "listening" not in said
    return complaints.removeprefix("hostler: ").removesuffix("\n")


async def test_a_document_that_delegates_does_not_start_where_nothing_can(hostler, directory):
    """ "delegation": as on a Windows before 10 1809."""
    delegating = document(
        f"http://localhost:{free_port()}/",
        "http://localhost:8081/reports/",
        Metadata={"HttpSysDelegationQueue": "reports"},
    )
    write(directory / "appsettings.json", delegating)
    assert (await hostler("check", "appsettings.json"))[0] == 0
    assert await fails(hostler, "run", "appsettings.json") == (
        "requests cannot be delegated to queue 'reports': this Windows says that it cannot (HttpIsFeatureSupported); "
        "Windows 11, Windows Server 2022 and later can. Update Windows, or forward to the destination instead "
        "(take HttpSysDelegationQueue out of its Metadata)"
    )
    assert await fails(hostler, "run", "appsettings.json", "--server", "usermode") == (
        "queue 'reports' cannot be delegated to: the user-mode server lends sockets, which win32 cannot; "
        "use HTTP.sys there"
    )


async def test_a_user_mode_queue_is_refused(hostler, shop):
    assert await fails(hostler, *shop, "--queue", "q", "--server", "usermode") == (
        "named queues of the user-mode server need Unix sockets: use HTTP.sys on Windows"
    )


async def test_a_prefix_that_is_registered_is_refused(hostler, shop):
    port = free_port()
    url = f"http://localhost:{port}/"
    async with hostler.serving(port, *shop, "--url", url):
        assert await fails(hostler, *shop, "--url", url) == (
            f"cannot listen on {url}: it is registered with HTTP.sys already; find by whom with: "
            "netsh http show servicestate view=requestq, then stop that, or choose another port or path"
        )


async def test_a_port_that_a_program_without_http_sys_has_is_refused(hostler, shop):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        url = f"http://localhost:{port}/"
        assert await fails(hostler, *shop, "--url", url) == (
            f"cannot listen on {url}: a program that does not use HTTP.sys has port {port}; find its process with: "
            f"netstat -ano | findstr :{port}, then stop that, or choose another port"
        )
        assert await fails(hostler, *shop, "--url", url, "--server", "usermode") == (
            f"cannot listen on {url}: port {port} is in use; stop the program that has it, or choose another port"
        )


async def test_https_needs_a_certificate_of_the_document_on_the_user_mode_server_alone(hostler, directory):
    """HTTP.sys has those that are bound to ports."""
    write(directory / "appsettings.json", document("https://localhost:8443/", "http://127.0.0.1:1/"))
    status, _, complaints = await hostler("check", "appsettings.json")
    assert (status, complaints) == (0, "")
    status, _, complaints = await hostler("check", "appsettings.json", "--server", "usermode")
    assert status == 0
    assert "line 2: warning: Urls: https://localhost:8443/ has no certificate" in complaints


async def test_a_document_that_is_not_there_is_said(hostler):
    assert await hostler("run", "nothing.json") == [
        2, "", "hostler: nothing.json cannot be read: No such file or directory\n",
    ]  # fmt: skip
