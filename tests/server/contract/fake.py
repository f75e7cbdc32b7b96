"""The HTTP.sys server on a fake of the HTTP Server API, for the behaviour suite."""

from __future__ import annotations

import functools
import itertools
from types import MappingProxyType

from hostler.server.httpsys.server import HttpSysServer
from tests.server.contract.abilities import HTTPSYS_CANNOT
from tests.server.contract.machines import Backend, Machine
from tests.server.contract.node import Node
from tests.server.httpsys.model.machine import Machine as Kernel
from tests.server.httpsys.model.machine import Pace


class FakeHttpSys(Backend):
    """The server on HTTP.sys, on a fake of the HTTP Server API that listens on real sockets."""

    cannot = MappingProxyType(HTTPSYS_CANNOT | {"ipv6": "the fake listens on 127.0.0.1"})

    def __init__(self, name, cannot=MappingProxyType({}), **settings):
        self.name, self._settings = name, settings
        self.cannot = MappingProxyType(self.cannot | cannot)

    def machine(self, directory):
        return _FakeMachine(**self._settings)


class _FakeMachine(Machine):
    def __init__(self, **settings):
        super().__init__()
        self._kernel = Kernel(**settings)
        self._kernel.listen()
        self._process = self._kernel.process("first")
        self._names = (f"apart {number}" for number in itertools.count())
        self._killed = []
        self._stack.callback(self._kernel.close)
        self._stack.callback(self._check)

    def _check(self):
        """See that everything was given back, and nothing done that Windows would not bear."""
        alive = self._kernel.alive()
        assert alive == {}, alive
        # what is left of a process that was killed runs on in this one
        assert [line for line in self._kernel.defects if not line.startswith(tuple(self._killed))] == []

    async def _here(self):
        return Node(functools.partial(HttpSysServer, windows=self._process))

    async def _apart(self):
        return _FakeNode(self._kernel.process(next(self._names)), self._kill)

    def _kill(self, process):
        self._killed.append(f"{process.name} ")
        self._kernel.kill(process)


class _FakeNode(Node):
    """A node in another process of the fake machine."""

    def __init__(self, process, kill):
        super().__init__(functools.partial(HttpSysServer, windows=process))
        self._process, self._kill = process, kill

    async def kill(self):
        """End its process."""
        server, self._server = self._server, None
        server._port.close()  # nothing that completes is heard of
        self._kill(self._process)
        server._handling.cancel()


FAKES = (
    FakeHttpSys("fake"),
    # no send and no read of a body is over at once, as it often is not on Windows
    FakeHttpSys("fake-late", pace=Pace.SOON),
    FakeHttpSys(
        "fake-2022",
        {"detached queues": "an older HTTP.sys keeps a queue for those who delegate to it, until a reset"},
        version="2022",
    ),
)
