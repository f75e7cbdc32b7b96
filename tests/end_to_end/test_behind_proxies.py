"""nginx, HAProxy and Caddy in front, configured as docs/behind-proxies.md says, and hostler as it says there too."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import connect

from hostler import serving
from hostler.asgi import Application
from tests.certificates import certificate, client_context
from tests.documentation import ROOT, Page, Program, free_ports, with_ports
from tests.wire.peers import PATIENCE, listening, program

CLIENT = "127.0.0.9"
"""An address of its own, so that it is not taken for that of the program in front."""

FORGED = {
    "x-forwarded-for": "203.0.113.66",
    "forwarded": "for=203.0.113.66;proto=http",
    "x-forwarded-proto": "http",
}
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason=f"{CLIENT} is an address of this machine on Linux alone"
)

PORTS = ("5000", "8443", "9001")

# whoever starts the tests may not write into a service's directories; that is all that is added
NGINX_FILES = "    access_log off;\n" + "".join(
    f"    {kind}_temp_path TEMP/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


def read_page():
    """Return the command of hostler and the other program's configuration, by what the page calls the two."""
    commands, configurations = {}, {}
    for block in Page(ROOT / "docs" / "behind-proxies.md").blocks():
        if "fronts" in block.marks:
            commands[block.marks["fronts"]] = block.text.strip()
        elif "configures" in block.marks:
            configurations[block.marks["configures"]] = block.text
        elif block.marks.get("file") == "proxy.json":
            document = block.text
    assert commands.keys() == configurations.keys()
    return document, {name: (commands[name], configurations[name]) for name in commands}


DOCUMENT, FRONTS = read_page()
WITH_WEBSOCKETS = [name for name in FRONTS if name != "nginx, unix"]
WITH_PROXY_PROTOCOL = [name for name, (command, _) in FRONTS.items() if "--proxy-protocol" in command]


async def told(scope, receive, send):
    """Say what has come, to a request and to a WebSocket (ASGI)."""
    names = {name.decode(): value.decode() for name, value in scope["headers"]}
    said = json.dumps(names)
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": said})
        await send({"type": "websocket.close"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})


@asynccontextmanager
async def in_front(name, directory):
    """Run a destination, hostler and the program in front; gives the ports as the page has them, and hostler."""
    command, configuration = FRONTS[name]
    ports = free_ports(PORTS)
    write_certificates(directory)

    def here(text):
        for folder in ("/etc/ssl/", "/run/"):
            text = text.replace(folder, f"{directory}/")
            text = text.replace(quote(folder, safe=""), quote(f"{directory}/", safe=""))
        return re.sub(r"\b8443\b", ports["8443"], with_ports(text, ports))

    (directory / "proxy.json").write_text(here(DOCUMENT))
    configured = directory / "front.conf"
    configured.write_text(
        here(configuration).replace("http {\n", f"http {{\n{NGINX_FILES}", 1).replace("TEMP", str(directory))
    )
    async with serving(Application(told), [f"http://127.0.0.1:{ports['9001']}/"]):
        hostler = await asyncio.to_thread(start, here(command), directory)
        try:
            async with listening(ports["8443"], *program_in_front(name, configured)):
                yield ports, hostler
        finally:
            assert await asyncio.to_thread(hostler.stop) == 0, hostler.output
            hostler.__exit__()


def write_certificates(directory):
    own = certificate(directory)
    chain, key = Path(own.path).read_bytes(), Path(own.key_path).read_bytes()
    for name, data in (("", chain), ("-with-key", key + chain)):
        (directory / f"example{name}.pem").write_bytes(data)
    (directory / "example.key").write_bytes(key)


def start(command, directory):
    running = Program(command, directory)
    try:
        running.says("listening on")
    except BaseException:
        running.__exit__()
        raise
    return running


def program_in_front(name, file):
    kind = name.partition(",")[0]
    binary, directory = program(kind), file.parent
    if kind == "nginx":
        module = re.search(r"load_module (.*);", file.read_text())
        if module and not Path(module[1]).exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{module[1]} is not installed")
        options = f"daemon off; master_process off; pid {directory}/nginx.pid;"
        return binary, "-p", directory, "-e", directory / "error.log", "-g", options, "-c", file
    if kind == "haproxy":
        return binary, "-db", "-q", "-f", file
    home = (f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}")
    return program("env"), *home, binary, "run", "--config", file, "--adapter", "caddyfile"


def client():
    transport = httpx.AsyncHTTPTransport(local_address=CLIENT, verify=client_context())
    return httpx.AsyncClient(transport=transport, timeout=PATIENCE, trust_env=False)


async def ask(ports, headers=()):
    async with client() as asking:
        got = await asking.get(
            f"https://127.0.0.1:{ports['8443']}/a",
            headers={"host": "localhost", **dict(headers)},
            extensions={"sni_hostname": "localhost"},
        )
    assert got.status_code == 200, got.text
    return got.json()


@pytest.mark.parametrize("headers", [{}, FORGED], ids=["honest", "forged"])
@pytest.mark.parametrize("name", FRONTS)
async def test_whom_a_request_is_from(name, headers, tmp_path):
    async with in_front(name, tmp_path) as (ports, hostler):
        said = await ask(ports, headers)
        await asyncio.to_thread(hostler.says, rf"{CLIENT} .*GET .*/a ")
    assert said["x-forwarded-for"] == CLIENT
    assert said["x-forwarded-proto"] == "https"
    assert said["x-forwarded-host"] == "localhost"
    assert "203.0.113.66" not in str(said)


@pytest.mark.parametrize("name", WITH_WEBSOCKETS)
async def test_a_websocket(name, tmp_path):
    async with in_front(name, tmp_path) as (ports, _):
        url = f"wss://localhost:{ports['8443']}/socket"
        async with connect(
            url, host="127.0.0.1", ssl=client_context(), proxy=None, local_addr=(CLIENT, 0)
        ) as socket:
            said = json.loads(await socket.recv())
    assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == (CLIENT, "https")


@pytest.mark.parametrize("name", ["nginx", "haproxy, forwarded"])
async def test_nobody_else_is_believed(name, tmp_path):
    async with in_front(name, tmp_path) as (ports, _), client() as asking:
        got = await asking.get(
            f"http://127.0.0.1:{ports['5000']}/a", headers=FORGED | {"x-forwarded-proto": "https"}
        )
    assert (got.json()["x-forwarded-for"], got.json()["x-forwarded-proto"]) == (CLIENT, "http")
    assert "203.0.113.66" not in got.text


@pytest.mark.parametrize("name", WITH_PROXY_PROTOCOL)
async def test_nobody_else_is_connected(name, tmp_path):
    async with in_front(name, tmp_path) as (ports, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["5000"], local_addr=(CLIENT, 0))
        writer.write(b"PROXY TCP4 203.0.113.66 127.0.0.1 1 2\r\n")
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
