"""Where the servers of a test run: a machine, with processes."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import socket
import subprocess
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import MappingProxyType

from tests.server.contract.clients import PATIENCE
from tests.server.contract.node import raised

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("node.py")
ANY_PORT = ("http://127.0.0.1:0/",)


class Backend:
    """A kind of server."""

    name = ""

    cannot = MappingProxyType({})
    """The abilities that it lacks, and why."""

    def start(self):
        """Start what the tests share, unless it runs."""

    def machine(self, directory):
        """Return a machine of a test's own on which such servers run, with an empty directory."""
        raise NotImplementedError

    def close(self):
        """Let go of what the tests shared."""


class Machine:
    """Where the servers of one test run, and their processes; what is left of them ends with it."""

    scheme = "http"
    """What its servers speak."""

    def __init__(self):
        self._stack = AsyncExitStack()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def _here(self):
        """Return a node in the first process of the machine."""
        raise NotImplementedError

    async def _apart(self):
        """Return a node in a process of its own, which it can `kill`."""
        raise NotImplementedError

    async def serve(self, handler, urls=ANY_PORT, *, queue=None, mode="create-or-attach", apart=False):
        """Start a server for a handler, in the first process, or apart from it."""
        node = await (self._apart() if apart else self._here())
        self._stack.push_async_callback(self._end, node)
        await node.start(handler, list(urls), queue, mode)
        return node

    async def _end(self, node):
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):  # one that was killed has no more to stop
                await node.stop(0.0)


class Program:
    """A process of nodes: `node.py`, run by a command, as the server of that name."""

    def __init__(self, command, server, environment=()):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            self._process = subprocess.Popen(
                [*command, server, str(listener.getsockname()[1])],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **dict(environment)},
            )
            try:
                self._line, _ = listener.accept()
                self._line.settimeout(PATIENCE)
                self._port = int(self._line.makefile().readline())
            except BaseException:
                self._process.kill()
                self._process.wait()
                raise

    @property
    def is_running(self):
        return self._process.poll() is None

    async def node(self):
        """Return a new node in the process."""
        async with asyncio.timeout(PATIENCE):
            return RemoteNode(self, *await asyncio.open_connection("127.0.0.1", self._port))

    def kill(self):
        """End it; it says no goodbye."""
        self._process.kill()
        self._process.wait()
        self._line.close()


class RemoteNode:
    """A `node.Node` in another process."""

    def __init__(self, program, reader, writer):
        self._program, self._writer = program, writer
        self._answers = {}
        self._numbers = itertools.count()
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader):
        with suppress(ConnectionError):
            while line := await reader.readline():
                answer = json.loads(line)
                waiting = self._answers.pop(answer["number"])
                if not waiting.done():
                    waiting.set_result(answer)
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the process has ended"))

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._call, name)

    async def _call(self, name, *arguments):
        if self._reading.done():
            raise ConnectionResetError("the process has ended")
        number = next(self._numbers)
        waiting = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps([number, name, arguments]).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            answer = await waiting
        if "error" in answer:
            raise raised(answer["error"], answer["message"])
        return answer["result"]

    async def start(self, *arguments):
        self.urls = await self._call("start", *arguments)

    async def kill(self):
        """End its process."""
        await asyncio.to_thread(self._program.kill)
        await self._reading

    async def close(self):
        """Let go of it, which stops it."""
        self._writer.close()
        await self._reading


def free_port():
    """Return a port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
