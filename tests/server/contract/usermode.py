"""The user-mode server, for the behaviour suite."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.server.contract.machines import PROGRAM, ROOT, Backend, Machine, Program
from tests.server.contract.node import Node, usermode


class UserMode(Backend):
    """The portable server, which is the reference."""

    name = "usermode"

    def machine(self, directory):
        return _UserModeMachine(directory)


class _UserModeMachine(Machine):
    def __init__(self, directory):
        super().__init__()
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("HOSTLER_RUNTIME_DIR", str(directory / "run"))

    async def _here(self):
        return Node(usermode())

    async def _apart(self):
        program = await asyncio.to_thread(
            Program, [sys.executable, PROGRAM], "usermode", {"PYTHONPATH": str(ROOT)}
        )
        self._stack.callback(program.kill)
        node = await program.node()
        self._stack.push_async_callback(node.close)
        return node
