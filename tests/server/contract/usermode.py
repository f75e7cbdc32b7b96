"""The user-mode server, for the behaviour suite."""

from __future__ import annotations

import asyncio
import sys
from types import MappingProxyType

import pytest

from tests.certificates import certificate
from tests.server.contract.machines import PROGRAM, ROOT, Backend, Machine, Program
from tests.server.contract.node import SCHEMES, SERVERS, Node


class UserMode(Backend):
    """The portable server, which is the reference."""

    name = "usermode"
    cannot = MappingProxyType({"encryption": "this one is without it"})

    def machine(self, directory):
        return _UserModeMachine(self.name, {"HOSTLER_RUNTIME_DIR": str(directory / "run")})


class UserModeTls(UserMode):
    """The same, over TLS."""

    name = "usermode-tls"
    cannot = MappingProxyType({})

    def machine(self, directory):
        own = certificate(directory)
        environment = {"HOSTLER_TEST_CERTIFICATE": own.path, "HOSTLER_TEST_KEY": own.key_path}
        return _UserModeMachine(self.name, environment | {"HOSTLER_RUNTIME_DIR": str(directory / "run")})


class _UserModeMachine(Machine):
    def __init__(self, name, environment):
        super().__init__()
        self._name = name
        self.scheme = SCHEMES.get(name, "http")
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        for variable, value in environment.items():
            patch.setenv(variable, value)

    async def _here(self):
        return Node(SERVERS[self._name](), self.scheme)

    async def _apart(self):
        program = await asyncio.to_thread(
            Program, [sys.executable, PROGRAM], self._name, {"PYTHONPATH": str(ROOT)}
        )
        self._stack.callback(program.kill)
        node = await program.node()
        self._stack.push_async_callback(node.close)
        return node
