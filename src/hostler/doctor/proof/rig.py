"""What promises are tried with: servers and clients of this process, and other processes that serve a queue.

Queues and prefixes are the proof's own: prefixes are http://localhost: on a free port, which everybody may listen on,
and queues have names that nobody else has.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import frozen

from hostler.doctor.proof.clients import connect
from hostler.doctor.proof.errors import NotTriedError
from hostler.doctor.proof.http2 import RecordedHttp2
from hostler.doctor.proof.recording import record
from hostler.server.base import QueueMode
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import Completion, HttpSysOptions
from hostler.server.prefix import UrlPrefix
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from hostler.doctor.proof.clients import Client
    from hostler.doctor.proof.http2 import Http2Client
    from hostler.doctor.proof.recording import Recorder
    from hostler.pipeline import Handler
    from hostler.server.httpsys.api import Windows

__all__ = ["OtherProcess", "Rig", "Served", "Surroundings"]

_RECEIVES: Final = 8
_GRACE: Final = 5.0
_SETTLING: Final = 0.2
"""Seconds in which on an idle machine everything has happened that is going to."""

_ANYWHERE: Final = "http://localhost:0/"


@frozen
class OtherProcess:
    """What another process is to do: answer every request from a queue, with its name and what the body had."""

    name: str
    queue: str
    mode: QueueMode
    url: str
    """The prefix that it registers for the queue; of a queue that it attaches to, the prefix that is there."""


class Surroundings(Protocol):
    """What is around this process."""

    left: list[str]
    """What could not be removed, each with the command that removes it."""

    def start(self, process: OtherProcess, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Have a process serve while the context lasts; what it did is then with the recorder."""
        ...

    def https(self, windows: Windows, port: int) -> AbstractAsyncContextManager[None]:
        """Have a certificate for a port while the context lasts; raises NotTriedError."""
        ...

    async def http2(self, port: int) -> Http2Client:
        """Connect to a port with HTTP/2 over TLS; raises NotTriedError, BrokenPromiseError."""
        ...


@frozen
class Served:
    """A server that runs, and where."""

    server: HttpSysServer
    prefix: UrlPrefix

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.prefix.port


class Rig:
    """What a promise is given."""

    def __init__(self, windows: Windows, recorder: Recorder, surroundings: Surroundings) -> None:
        self.recorder = recorder
        self.windows = record(windows, recorder)
        self.unrecorded = windows
        """The same, and nobody writes down what it is asked."""
        self._surroundings = surroundings
        self._clients: list[Client | RecordedHttp2] = []

    # -- what there is

    def need(self, *functions: str) -> None:
        """Raise NotTriedError unless this Windows has these functions."""
        for name in functions:
            if not exports(self.windows.http, name):
                raise NotTriedError(f"httpapi.dll has no {name} here")

    @staticmethod
    def queue_name() -> str:
        """Make a name that no other queue has."""
        return f"hostler-proof-{secrets.token_hex(4)}"

    # -- clients

    async def client(self, port: int) -> Client:
        """Connect a client."""
        client = await connect(self.recorder, len(self._clients) + 1, port)
        self._clients.append(client)
        return client

    async def http2(self, port: int) -> RecordedHttp2:
        """Connect a client with HTTP/2 over TLS."""
        client = RecordedHttp2(
            await self._surroundings.http2(port), self.recorder, len(self._clients) + 1, port
        )
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Close the clients."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.close()

    # -- servers

    @asynccontextmanager
    async def https(self) -> AsyncIterator[str]:
        """Give a prefix with https while the context lasts; raises NotTriedError."""
        port = _free_port()
        async with self._surroundings.https(self.windows, port):
            yield f"https://localhost:{port}/"

    @asynccontextmanager
    async def serve(
        self,
        handler: Handler,
        url: str = _ANYWHERE,
        *,
        queue: str | None = None,
        mode: QueueMode = QueueMode.CREATE,
        windows: Windows | None = None,
        **own: Any,
    ) -> AsyncIterator[Served]:
        """Serve here while the context lasts; `own` are options of HTTP.sys."""
        httpsys = HttpSysOptions(**{"completion": Completion.THREAD, "receives": _RECEIVES, **own})
        server = HttpSysServer(handler, ServerOptions(httpsys=httpsys), windows=windows or self.windows)
        try:
            if queue is not None:
                await server.join(queue, mode)
            (prefix,) = await server.listen([UrlPrefix.parse(url)])
            yield Served(server, prefix)
        finally:
            await server.stop(_GRACE)

    @asynccontextmanager
    async def other(self, name: str, queue: str, mode: QueueMode, url: str) -> AsyncIterator[None]:
        """Have another process serve while the context lasts; its receives wait then."""
        async with self._surroundings.start(OtherProcess(name, queue, mode, url), self.recorder):
            await asyncio.sleep(_SETTLING)
            yield

    async def settle(self) -> None:
        """Let everything that was sent arrive; what the next call returns is no matter of time then."""
        await asyncio.sleep(_SETTLING)
        self.recorder.note(does="settle")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port
