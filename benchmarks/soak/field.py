"""The processes of a soak: a proxy, a destination that it forwards to, and supervisors of a queue that it delegates to."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field

from benchmarks.processes import StartError, free_port

if TYPE_CHECKING:
    from benchmarks.processes import Crew, Process

__all__ = ["Field"]

_QUEUE: Final = "soak"
_START: Final = 20.0
_PROC: Final = Path("/proc")
_APP: Final = "benchmarks.soak.application:app"


@define(eq=False)
class Field:
    """What runs; supervisors come and go, the proxy stays."""

    crew: Crew
    port: int = field(factory=free_port)
    destination_port: int = field(factory=free_port)
    _number: int = 0
    proxy: Process = field(init=False)
    destination: Process = field(init=False)
    supervisor: Process = field(init=False)

    async def start(self) -> None:
        """Start all; raises StartError."""
        self.destination = await self.start_destination()
        self.supervisor = await self.start_supervisor()
        document = self.crew.directory / "proxy.json"
        document.write_text(json.dumps(self._document()))
        self.proxy = await self._start(
            "proxy", self.port, "run", str(document), "--url", f"http://127.0.0.1:{self.port}/", says="listening on"
        )  # fmt: skip

    async def start_destination(self) -> Process:
        """Start a destination, where the one before was."""
        port = self.destination_port
        return await self._start(
            "destination", port, "serve", _APP, "--url", f"http://127.0.0.1:{port}/", "--workers", "2", says="serving "
        )  # fmt: skip

    async def start_supervisor(self) -> Process:
        """Start a supervisor with three workers on the queue."""
        return await self._start(
            "workers", 0, "serve", _APP, "--queue", _QUEUE, "--workers", "3", says="serving "
        )

    def _document(self) -> object:
        queue = {"Address": "http://*:80/", "Metadata": {"HttpSysDelegationQueue": _QUEUE}}
        return {
            "ReverseProxy": {
                "Routes": {
                    name: {
                        "ClusterId": name,
                        "Match": {"Path": f"/{name}/{{**rest}}"},
                        "MaxRequestBodySize": -1,
                    }
                    for name in ("forwarded", "delegated")
                },
                "Clusters": {
                    "forwarded": {
                        "Destinations": {"d": {"Address": f"http://127.0.0.1:{self.destination_port}/"}}
                    },
                    "delegated": {"Destinations": {"q": queue}},
                },
            }
        }

    async def _start(self, name: str, port: int, *arguments: str, says: str) -> Process:
        self._number += 1
        command = [sys.executable, "-m", "hostler", *arguments, "--quiet", "--grace", "10"]
        process = self.crew.start(f"{name}-{self._number}", command, port)
        deadline = time.monotonic() + _START
        while says not in process.log.read_text(errors="replace"):
            if process.popen.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{process.name} does not serve: {process.last_words()}")
            await asyncio.sleep(0.02)
        return process

    def workers(self, process: Process) -> list[int]:
        """Return the worker processes of a supervisor, oldest first."""
        found = []
        for entry in _PROC.glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent == process.popen.pid and b"spawn_main" in command:
                found.append(int(entry.name))
        return sorted(found)

    def memory(self) -> int:
        """Return what the proxy holds in memory, in KiB."""
        text = (_PROC / str(self.proxy.popen.pid) / "status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])

    def descriptors(self) -> int:
        """Return how many descriptors the proxy has open."""
        return sum(1 for _ in (_PROC / str(self.proxy.popen.pid) / "fd").iterdir())

    def tracebacks(self) -> list[str]:
        """Return the names of the processes that have written a traceback."""
        logs = sorted(self.crew.directory.glob("*.log"))
        return [
            log.stem for log in logs if "Traceback (most recent call last)" in log.read_text(errors="replace")
        ]
