"""The command under a service manager: sockets that it inherits, and what it tells, as systemd has both."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.end_to_end.programs import program

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd is Linux'")

START = (
    "import os, sys\n"
    "for number, sock in enumerate(map(int, sys.argv[1].split(','))): os.dup2(sock, 3 + number)\n"
    "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': str(number + 1)}\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
)
"""Does what systemd does: it has the sockets behind descriptor 3, and goes on as the program."""


@asynccontextmanager
async def inheriting(sockets, *args, **environment):
    """Run the command `hostler` with sockets that it inherits."""
    numbers = [
        fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 50) for sock in sockets
    ]  # above those that they become
    names = ",".join(map(str, numbers))
    async with program(
        "-c", START, names, "-m", "hostler", *args, pass_fds=numbers, **environment
    ) as running:
        for number in numbers:
            os.close(number)
        yield running


async def get(url, **options):
    async with httpx.AsyncClient(trust_env=False, timeout=20, **options) as http:
        return (await http.get(url)).status_code


@pytest.fixture
def manager(tmp_path):
    """Whoever is told how it goes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


async def tells(sock, what):
    """Wait until something is told."""
    async with asyncio.timeout(20):
        while what not in (
            said := (await asyncio.get_running_loop().sock_recv(sock, 4096)).decode().split("\n")
        ):
            pass
    return said


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["here", "workers"])
async def test_it_listens_on_what_it_inherits_and_tells_how_it_goes(workers, tmp_path, manager):
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as web, socket.socket(socket.AF_UNIX) as local:
        port = web.getsockname()[1]
        local.bind(str(path))
        local.listen()
        urls = [f"http://+:{port}/", f"http+unix://{quote(str(path), safe='')}/"]
        args = [part for url in urls for part in ("--url", url)]
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        async with inheriting(
            [web, local], "serve", "worker_apps:app", "--app-dir", ".", *args, *workers, **variables
        ) as running:
            said = await tells(manager, "READY=1")
            assert said[1].startswith("STATUS=serving ")
            assert await get(f"http://127.0.0.1:{port}/") == 200
            assert await get("http://x/", transport=httpx.AsyncHTTPTransport(uds=str(path))) == 200
            await tells(manager, "WATCHDOG=1")
            if workers:
                running.kill(signal.SIGHUP)
                await tells(manager, "RELOADING=1")
                await tells(manager, "READY=1")
                assert await get(f"http://127.0.0.1:{port}/") == 200
            running.kill(signal.SIGTERM)
            await tells(manager, "STOPPING=1")
            assert await running.ends() == 0
        assert path.is_socket()  # it belongs to whoever made it


async def test_a_proxy_tells_of_its_reload_when_it_is_over(tmp_path, manager):
    document = tmp_path / "a.json"
    document.write_text('{"Urls": "http://127.0.0.1:0/"}')
    async with program("-m", "hostler", "run", document, NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
        await tells(manager, "READY=1")
        running.kill(signal.SIGHUP)
        assert (await tells(manager, "RELOADING=1"))[1].startswith("MONOTONIC_USEC=")
        await tells(manager, "READY=1")
        running.kill(signal.SIGTERM)
        await tells(manager, "STOPPING=1")
        assert await running.ends() == 0


async def test_an_inherited_socket_that_no_prefix_is_for_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as web:
        port = web.getsockname()[1]
        async with inheriting([web], "serve", "worker_apps:app", "--url", "http://127.0.0.1:0/") as running:
            assert await running.ends() == 1
        assert (
            f"the inherited socket 3 listens on 127.0.0.1:{port}, which is for no URL prefix"
            in running.errors
        )
        assert f"--url http://127.0.0.1:{port}/" in running.errors


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux'")
async def test_an_inherited_socket_without_a_path_is_an_error():
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("")  # has the kernel choose a name
        abstract.listen()
        async with inheriting(
            [abstract], "serve", "worker_apps:app", "--url", "http://127.0.0.1:0/"
        ) as running:
            assert await running.ends() == 1
        name = ascii(abstract.getsockname()[1:])[1:]
        assert (
            f"the inherited socket 3 is the abstract one {name}, which no URL prefix can be for"
            in running.errors
        )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_of_the_documentation_are_right(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    units = re.findall(r"<!-- file: (\S+\.(?:service|socket)) -->\n```ini\n(.*?)```", page, re.DOTALL)
    assert len(units) == 3
    for name, text in units:
        there = text.replace("/opt/shop/.venv/bin/hostler", sys.executable).replace("User=shop\n", "")
        (tmp_path / name).write_text(there)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name, _ in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    about = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "shop-" in line]
    assert not about


async def test_the_command_line_demands_the_proxy_protocol():
    options = ["--url", "http://127.0.0.1:0/", "--proxy-protocol", "--trusted-proxy", "127.0.0.1"]
    async with program("-m", "hostler", "serve", "worker_apps:app", *options) as running:
        port = int((await running.url()).rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
        await running.says(r" 192\.0\.2\.1 via 127\.0\.0\.1 GET ")
