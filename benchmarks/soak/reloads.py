"""`python -m benchmarks.soak.reloads`: a proxy whose document is replaced again and again, under load.

Two documents of as many routes take turns every 200 ms, while the two destinations of every cluster are killed and
return. Each route stamps its requests with its own name and that of its document, and destinations answer with the
stamp. So an answer says by which route it came; a request that fails is excused only while a destination was down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from benchmarks.processes import Crew, StartError, free_port, interruptible
from hostler.processes.loop import run_loop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Process

_PERIOD: Final = 0.2
_START: Final = 30.0
_TIMEOUT: Final = 20.0
_CLUSTERS: Final = 20
_MARGIN: Final = 0.5
"""Seconds around the death of a destination in which a client can notice it."""

_GROWTH: Final = 24 * 1024
"""KiB by which the proxy may grow from the second fifth of a run to the last."""

_APP: Final = "benchmarks.soak.reloads:app"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the stamp of the route, and the path (ASGI)."""
    if scope["type"] != "http":
        raise NotImplementedError
    stamp = b",".join(value for name, value in scope["headers"] if name == b"x-route")
    body = b"%s %s" % (stamp, scope["path"].encode())
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def document(name: str, routes: int, ports: Sequence[int]) -> str:
    """Write a document: routes `/r0/...` to `/r999/...`, to clusters with a destination on each port."""
    return json.dumps({
        "ReverseProxy": {
            "Routes": {
                f"r{number}": {
                    "ClusterId": f"c{number % _CLUSTERS}",
                    "Match": {"Path": f"/r{number}/{{**rest}}"},
                    "RetryPolicy": "again",
                    "Transforms": [{"RequestHeader": "X-Route", "Set": f"r{number} {name}"}],
                }
                for number in range(routes)
            },
            "Clusters": {
                f"c{number}": {
                    "Destinations": {
                        f"d{port}": {"Address": f"http://127.0.0.1:{port}/", "Metadata": {"in": name}}
                        for port in ports
                    },
                }
                for number in range(_CLUSTERS)
            },
        },
        "Policies": {"Retries": {"again": {"BudgetPercent": 100, "BudgetReserve": 1000}}},
    })  # fmt: skip


@define(eq=False)
class Seen:
    """What the clients saw; times are of `time.monotonic`."""

    answered: dict[str, int] = field(factory=dict)
    """How many answers came by each document."""

    wrong: list[str] = field(factory=list)
    failed: list[tuple[float, float, str]] = field(factory=list)
    """When each request began that failed, when it ended, and how."""

    longest: float = 0.0


async def _client(port: int, routes: int, draw: random.Random, seen: Seen, stopping: asyncio.Event) -> None:
    """Ask for routes at random, one request at a time, until `stopping`."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    count = 0
    while not stopping.is_set():
        connection = connection or await asyncio.open_connection("127.0.0.1", port)
        count += 1
        route = f"r{draw.randrange(routes)}"
        path = f"/{route}/{count}"
        began = time.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT):
                status, body = await _ask(*connection, path)
        except (OSError, EOFError, TimeoutError) as error:
            seen.failed.append((began, time.monotonic(), f"{path} {type(error).__name__}"))
            connection[1].transport.abort()
            connection = None
            continue
        seen.longest = max(seen.longest, time.monotonic() - began)
        stamped, _, name = body.partition(" ")
        name, _, asked = name.partition(" ")
        if status != 200:
            seen.failed.append((began, time.monotonic(), f"{path} {status}"))
        elif stamped != route or asked != path:
            seen.wrong.append(f"{path} was answered with {body!r}")
        else:
            seen.answered[name] = seen.answered.get(name, 0) + 1
    if connection is not None:
        connection[1].close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[int, str]:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head.split(None, 2)[1]), (await reader.readexactly(length)).decode()


@define(eq=False)
class Scene:
    """The processes: a proxy, and two destinations that come and go."""

    crew: Crew
    routes: int
    port: int = field(factory=free_port)
    ports: tuple[int, int] = field(factory=lambda: (free_port(), free_port()))
    down: list[list[float]] = field(factory=list)
    """When a destination went down, and when it was back."""

    reloads: int = 0
    _number: int = 0
    proxy: Process = field(init=False)
    _destinations: dict[int, Process] = field(factory=dict, init=False)

    async def start(self) -> None:
        """Start all; raises StartError."""
        for port in self.ports:
            self._destinations[port] = await self._destination(port)
        self.path = self.crew.directory / "reloads.json"
        self._write("one")
        self.proxy = await self._start(
            "proxy", self.port, "run", str(self.path), "--url", f"http://127.0.0.1:{self.port}/", says="listening on"
        )  # fmt: skip

    path: Path = field(init=False)

    def _write(self, name: str) -> None:
        ports = self.ports if name == "one" else self.ports[::-1]
        made = self.path.with_suffix(".new")
        made.write_text(document(name, self.routes, ports))
        made.replace(self.path)

    async def reload(self) -> None:
        """Have the documents take turns, for ever."""
        while True:
            for name in ("two", "one"):
                await asyncio.to_thread(self._write, name)
                self.proxy.popen.send_signal(signal.SIGHUP)
                self.reloads += 1
                await asyncio.sleep(_PERIOD)

    async def kill(self, draw: random.Random) -> None:
        """Kill a destination and have it return, one and then the other, for ever."""
        while True:
            for port in self.ports:
                await asyncio.sleep(draw.uniform(1, 2))
                down = [time.monotonic(), math.inf]
                self.down.append(down)
                self._destinations[port].popen.kill()
                await asyncio.to_thread(self._destinations[port].popen.wait)
                await asyncio.sleep(draw.uniform(0.2, 1))
                self._destinations[port] = await self._destination(port)
                down[1] = time.monotonic()

    def _destination(self, port: int) -> Any:
        return self._start(
            "destination", port, "serve", _APP, "--url", f"http://127.0.0.1:{port}/", says="serving "
        )

    async def _start(self, name: str, port: int, *arguments: str, says: str) -> Process:
        self._number += 1
        command = [sys.executable, "-m", "hostler", *arguments, "--quiet"]
        process = self.crew.start(f"{name}-{self._number}", command, port)
        deadline = time.monotonic() + _START
        while says not in process.log.read_text(errors="replace"):
            if process.popen.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{process.name} does not serve: {process.last_words()}")
            await asyncio.sleep(0.02)
        return process

    def memory(self) -> int:
        """Return what the proxy holds in memory, in KiB."""
        text = Path(f"/proc/{self.proxy.popen.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])


def problems(scene: Scene, seen: Seen, memory: Sequence[int]) -> Iterator[str]:
    """Say what went wrong; nothing when all is well."""
    if seen.wrong:
        yield f"{len(seen.wrong)} answers came by another route, the first: {seen.wrong[0]}"
    lost = [what for began, ended, what in seen.failed if not _is_excused(scene.down, began, ended)]
    if lost:
        yield f"{len(lost)} requests failed while no destination was down, the first: {lost[0]}"
    yield from (
        f"no answer came by document {name}" for name in ("one", "two") if not seen.answered.get(name)
    )
    fifth = len(memory) // 5
    if fifth:
        early, late = statistics.median(memory[fifth : 2 * fifth]), statistics.median(memory[-fifth:])
        if late - early > _GROWTH:
            yield f"the proxy's memory grew from {early:,.0f} to {late:,.0f} KiB"
    if "Traceback" in scene.proxy.log.read_text(errors="replace"):
        yield "a traceback in the proxy's log"


def _is_excused(down: list[list[float]], began: float, ended: float) -> bool:
    return any(began <= up + _MARGIN and gone - _MARGIN <= ended for gone, up in down)


async def _soak(options: argparse.Namespace, scene: Scene) -> int:
    draw, seen, stopping = random.Random(options.seed), Seen(), asyncio.Event()
    await scene.start()
    memory: list[int] = []
    async with asyncio.TaskGroup() as group:
        doing = [group.create_task(scene.reload()), group.create_task(scene.kill(draw))]
        for number in range(options.connections):
            client = random.Random(f"{options.seed} {number}")
            group.create_task(_client(scene.port, options.routes, client, seen, stopping))
        until = time.monotonic() + options.seconds
        while time.monotonic() < until:
            memory.append(scene.memory())
            await asyncio.sleep(_PERIOD)
        for task in doing:
            task.cancel()
        stopping.set()
    found = list(problems(scene, seen, memory))
    answered = ", ".join(f"{count:,} by document {name}" for name, count in sorted(seen.answered.items()))
    print(f"{scene.reloads} reloads of {options.routes:,} routes, {len(scene.down)} deaths of a destination")
    print(f"answered: {answered}; the longest took {seen.longest:.3f} s; failed: {len(seen.failed)}")
    print(f"the proxy's memory: {memory[0]:,} KiB at first, {memory[-1]:,} at last, {max(memory):,} at most")
    print(*found, "FAILED" if found else "PASSED", sep="\n", flush=True)
    return 1 if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, or 1 for what went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak.reloads", description=__doc__.partition(": ")[2]
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (%(default)g)")
    parser.add_argument("--routes", type=int, default=1000, help="of each document (%(default)d)")
    parser.add_argument("--connections", type=int, default=32, help="of clients (%(default)d)")
    parser.add_argument("--seed", type=int, default=0, help="what is asked, and when what dies (%(default)d)")
    options = parser.parse_args(arguments)
    try:
        with (
            interruptible(),
            tempfile.TemporaryDirectory(prefix="hostler-reloads-") as directory,
            Crew(Path(directory)) as crew,
        ):
            return run_loop(lambda: _soak(options, Scene(crew, options.routes)))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
