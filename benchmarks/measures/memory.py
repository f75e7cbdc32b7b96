"""Connections at rest: how much memory each takes, of a process that has had no other."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.cases import SMALL_BODY
from benchmarks.figures import MEMORY, Sample
from benchmarks.load.client import script_of
from benchmarks.load.task import LoadError

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.contenders.field import Running
    from benchmarks.load.client import Script

__all__ = ["visit"]


def visit(running: Running, case: Case) -> Sample:
    """Open connections to a contender that has just started; each is answered once, and then rests."""
    assert running.proxy is not None
    host = running.url.partition("://")[2]
    name, _, port = host.partition(":")
    script = script_of(host, case)
    with ExitStack() as stack:
        _open(stack, (name, int(port)), script)  # what the first one brings with it is not counted
        before = running.proxy.memory()
        for _ in range(case.connections):
            _open(stack, (name, int(port)), script)
        after = running.proxy.memory()
    return {MEMORY.name: (after - before) / case.connections}


def _open(stack: ExitStack, address: tuple[Any, ...], script: Script) -> None:
    try:
        connection = socket.create_connection(address, timeout=10)
        if script.tls is not None:
            connection = script.tls.wrap_socket(connection)
        stack.enter_context(connection).sendall(script.request)
        received = b""
        while not received.endswith(SMALL_BODY):
            data = connection.recv(1 << 16)
            if not data:
                raise LoadError("a connection was closed before it was answered")
            received += data
    except OSError as error:
        raise LoadError(f"a connection failed: {error}") from error
