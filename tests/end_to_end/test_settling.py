"""Many connections stay busy while the processes behind them are stopped gracefully and replaced: none loses a request."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from tests.end_to_end.programs import hostler, until
from tests.end_to_end.test_workers import LOCAL, delegating, serve

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks processes up in /proc")

CONNECTIONS = 64


class Load:
    """Connections that send one request after another; `answers` are the processes that answered, `lost` the rest."""

    def __init__(self, url, path):
        self._port = int(url.rpartition(":")[2])
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.answers, self.lost = [], []
        self.stopping = False

    async def flow(self):
        while not self.stopping:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                while not self.stopping and await self._ask(reader, writer):
                    pass
            except (OSError, EOFError) as error:
                self.lost.append(repr(error))
            finally:
                writer.close()

    async def _ask(self, reader, writer):
        """Ask once; returns whether the connection may be used again."""
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status, size = int(head[9:12]), int(head.partition(b"content-length: ")[2].split()[0])
        body = await reader.readexactly(size)
        if status == 200:
            self.answers.append(int(body.split()[0]))
        else:
            self.lost.append(f"{status} {body!r}")
        return b"connection: close" not in head


@asynccontextmanager
async def load(url, path):
    """Keep connections busy; at the end nothing may have been lost."""
    made = Load(url, path)
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(made.flow())
        try:
            await more(made)
            yield made
        finally:
            made.stopping = True
    assert made.lost == []


async def more(made, count=500):
    """Wait for this many more answers."""
    seen = len(made.answers)
    await until(lambda: len(made.answers) > seen + count or made.lost)


async def stop_gracefully(supervisor, how, made):
    supervisor.err.clear()
    if how == "SIGHUP":
        supervisor.kill(signal.SIGHUP)
        await supervisor.says("every worker was replaced", "err")
    else:
        os.kill(made.answers[-1], signal.SIGTERM)
        await supervisor.says("is ready", "err")


@pytest.mark.parametrize("how", ["SIGHUP", "SIGTERM"])
@pytest.mark.parametrize("path", ["/d/x", "/f/x", "/"], ids=["delegated", "forwarded", "direct"])
async def test_no_request_is_lost_when_a_worker_stops_gracefully(path, how, tmp_path):
    delegated = path == "/d/x"
    where = ("--queue", "settling") if delegated else ("--url", LOCAL)
    async with serve(*where, "--workers", "3", "--verbose", "--quiet") as supervisor:
        await supervisor.says("serving")
        url = "" if delegated else await supervisor.url()
        document = delegating(tmp_path, "settling", url or "http://127.0.0.1:1/")
        async with hostler("run", document, "--url", LOCAL, "--quiet") as proxy:
            entry = url if path == "/" else await proxy.url()
            async with load(entry, path) as made:
                for _ in range(2 if how == "SIGHUP" else 4):
                    await stop_gracefully(supervisor, how, made)
                await more(made)
        assert proxy.errors == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_no_request_is_lost_while_a_supervisor_is_restarted(how, tmp_path):
    document = delegating(tmp_path, "restarted")
    supervisor = partial(serve, "--queue", "restarted", "--quiet")
    async with AsyncExitStack() as stack, hostler("run", document, "--url", LOCAL, "--quiet") as proxy:
        first = await stack.enter_async_context(supervisor())
        await first.says("serving")
        async with load(await proxy.url(), "/d/x") as made:
            first.kill(how)
            await first.ends()
            second = await stack.enter_async_context(supervisor())
            await second.says("serving")
            await more(made)
        assert proxy.errors == ""
