"""`python -m benchmarks.soak.tls`: clients that do TLS wrong, or very often, beside one that does it right.

The one that does it right has a connection that it keeps, and opens a new one now and then; how long it waits is the
verdict, with the server's memory. Every attack is made twice: memory that is still there after the second, and was not
after the first, is lost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field

from benchmarks.certificate import write_certificate
from benchmarks.processes import Crew, Process, StartError, free_port, interruptible, raise_descriptor_limit
from benchmarks.soak.tls_attacks import ATTACKS, attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COUNTS: Final = {
    "half-open": 2_000, "renegotiation": 50, "resumptions": 100_000, "one-byte-records": 50_000, "never-reading": 50,
    "no-tls": 2_000,
}  # fmt: skip
_LONGEST: Final = 0.1
"""Seconds that a client may wait, whatever others do."""

_GROWTH: Final = 8 * 1024
"""KiB by which the server may have grown from the first of two equal attacks to the second."""

_PERIOD: Final = 0.005
_HANDSHAKE_EVERY: Final = 40
_SETTLE: Final = 1.0
_REQUEST: Final = b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"


@define(eq=False)
class Witness:
    """The client that does it right; times are in seconds."""

    port: int
    kept: list[float] = field(factory=list)
    """How long it waited for answers on the connection that it keeps."""

    new: list[float] = field(factory=list)
    """How long for handshake and answer on new ones."""

    _context: ssl.SSLContext = field(init=False)
    _connection: ssl.SSLSocket = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._connection = self._connect()

    def _connect(self) -> ssl.SSLSocket:
        return self._context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=20))

    def look(self, number: int) -> None:
        """Ask once, now and then on a new connection."""
        began = time.perf_counter()
        if number % _HANDSHAKE_EVERY:
            _ask(self._connection)
            self.kept.append(time.perf_counter() - began)
        else:
            with self._connect() as connection:
                _ask(connection)
            self.new.append(time.perf_counter() - began)

    def close(self) -> None:
        """Leave."""
        self._connection.close()


def _ask(connection: ssl.SSLSocket) -> None:
    connection.sendall(_REQUEST)
    if not connection.recv(1 << 16).startswith(b"HTTP/1.1 200"):
        raise AssertionError("the answer was not 200")


@define(eq=False)
class Server:
    """What is attacked."""

    process: Process

    def memory(self) -> int:
        """Return what it holds in memory, in KiB."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Return the most that it has held since `forget_peak`, in KiB."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Begin to watch for the most anew (clear_refs in proc(5))."""
        (self._proc / "clear_refs").write_text("5")

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return sum(1 for _ in (self._proc / "fd").iterdir())

    @property
    def _proc(self) -> Path:
        return Path("/proc", str(self.process.popen.pid))

    def _status(self, name: str) -> int:
        return int((self._proc / "status").read_text().partition(f"{name}:")[2].split()[0])


def _attack(name: str, count: int, server: Server) -> Iterator[str]:
    """Attack twice; yields what went wrong."""
    after: list[int] = []
    for turn in ("first", "second"):
        witness, before = Witness(server.process.port), server.memory()
        server.forget_peak()
        began, failed = time.monotonic(), _watch(name, count, witness)
        took = time.monotonic() - began
        witness.close()
        time.sleep(_SETTLE)
        after.append(server.memory())
        print(
            f"{name}, {count:,}, {turn}: {took:.1f} s; a client waited {_times(witness.kept)} on a kept connection, "
            f"{_times(witness.new)} on a new one; memory {before:,} KiB before, {server.peak():,} at most, "
            f"{after[-1]:,} after; {server.descriptors()} descriptors",
            flush=True,
        )
        if failed:
            yield f"{name}: the attack itself failed"
        if (longest := max(*witness.kept, *witness.new)) > _LONGEST:
            yield f"{name}: a client waited {longest * 1e3:.0f} ms"
    if after[1] - after[0] > _GROWTH:
        yield f"{name}: memory grew from {after[0]:,} to {after[1]:,} KiB"


def _watch(name: str, count: int, witness: Witness) -> bool:
    """Have the witness look for as long as the attack lasts; returns whether that failed."""
    process = multiprocessing.get_context("spawn").Process(
        target=attack, args=(name, witness.port, count), daemon=True
    )
    process.start()
    number = 0
    while process.is_alive():
        number += 1
        witness.look(number)
        time.sleep(_PERIOD)
    return process.exitcode != 0


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    return f"{statistics.median(seconds) * 1e3:.1f} ms ({max(seconds) * 1e3:.0f} at most)"


def _soak(options: argparse.Namespace, crew: Crew) -> int:
    raise_descriptor_limit()
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.programs.ours", "serve", str(port)]
    process = crew.start(
        "server", command, port, environment={"CERTIFICATE": write_certificate(crew.directory)}
    )
    process.wait_until_listening()
    server = Server(process)
    problems = [
        problem
        for name in options.only
        for problem in _attack(name, max(1, int(_COUNTS[name] * options.scale)), server)
    ]
    if "Traceback" in process.log.read_text(errors="replace"):
        problems.append("a traceback in the server's log")
    print(*problems, "FAILED" if problems else "PASSED", sep="\n", flush=True)
    return 1 if problems else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, or 1 for what went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak.tls", description=__doc__.partition(": ")[2]
    )
    parser.add_argument("--scale", type=float, default=1.0, help="how many of each, 1 for all (%(default)g)")
    parser.add_argument("--only", metavar="NAMES", help=f"with commas, some of: {', '.join(ATTACKS)}")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else list(ATTACKS)
    if unknown := sorted(set(options.only) - set(ATTACKS)):
        parser.error(f"--only: nothing is called {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    try:
        with (
            interruptible(),
            tempfile.TemporaryDirectory(prefix="hostler-tls-") as directory,
            Crew(Path(directory)) as crew,
        ):
            return _soak(options, crew)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
