"""Starting processes, metering their processor time, and stopping every one of them."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

__all__ = [
    "Crew",
    "Process",
    "StartError",
    "find",
    "free_port",
    "interruptible",
    "raise_descriptor_limit",
    "run",
]

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a run."""

_MOST_DESCRIPTORS: Final = 1 << 16
_START: Final = 15.0
_STOP: Final = 5.0
_PROC: Final = Path("/proc")


class StartError(Exception):
    """A process did not come to listen; the message says why, as far as it said."""


def find(program: str) -> str | None:
    """Return where a program is, also where only root has it on the path; None when it is not installed."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path)


def raise_descriptor_limit() -> int:
    """Let this process and those that it starts have as many descriptors as the system lets them; returns how many."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource  # noqa: PLC0415 - not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Hold the signals that end a run back: one in the middle of starting a process would leave it to itself."""
    held: list[int] = []
    before = [(item, signal.signal(item, lambda number, _: held.append(number))) for item in _STOPPING]
    try:
        yield
    finally:
        for item, handler in before:
            signal.signal(item, handler)
        if held:
            signal.raise_signal(held[0])


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have the signals that end a program unwind it, once: the second must not stop the stopping."""

    def interrupt(number: int, frame: object) -> None:
        for item in _STOPPING:
            signal.signal(item, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [(item, signal.signal(item, interrupt)) for item in _STOPPING]
    try:
        yield
    finally:
        for item, handler in before:
            signal.signal(item, handler)


def _inherited() -> dict[str, str]:
    """Return the environment without what would change Python or hostler."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "HOSTLER_"))}


def run(
    command: Sequence[str], timeout: float, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a program to its end; returns its status, output and errors. Raises subprocess.TimeoutExpired."""
    popen: subprocess.Popen[str] | None = None
    try:
        with _unbroken():
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**_inherited(), **(environment or {})},
                start_new_session=True,
            )
        output, errors = popen.communicate(timeout=timeout)
        return popen.returncode, output, errors
    finally:
        if popen is not None and popen.returncode is None:
            popen.kill()
            popen.communicate()


@define(eq=False)
class Process:
    """A server process, with its children, in a session of its own."""

    name: str
    port: int
    popen: subprocess.Popen[bytes]
    log: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Where it listens, without the last slash."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def wait_until_listening(self, step: float = 0.02) -> None:
        """Return once connections are taken, tried every `step` seconds; raises StartError."""
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            if self.popen.poll() is not None:
                raise StartError(f"{self.name} ended with {self.popen.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(step)
                continue
            return
        raise StartError(f"{self.name} did not listen within {_START:g} s: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error."""
        lines = self.log.read_text(errors="replace").split("\n")
        return " | ".join(line.strip() for line in lines[-6:] if line.strip()) or "it said nothing"

    def processor_seconds(self) -> float | None:
        """Return the processor time used so far, user and system, with that of its children; None without /proc."""
        seconds = [_processor_seconds(pid) for pid in _family(self.popen.pid)]
        known = [item for item in seconds if item is not None]
        return sum(known) if known else None

    def memory(self) -> float:
        """Return the KiB of memory that are its own, with those of its children; NaN where it is not known.

        What several of them share counts in part for each (Pss in proc_pid_smaps_rollup(5)).
        """
        return math.fsum(_own_memory(pid) for pid in _family(self.popen.pid)) or math.nan

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


class Crew:
    """The processes of one run; a context manager that stops them all, however it is left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: list[Process] = []
        root = str(Path(__file__).parents[1])
        self._environment = {
            **_inherited(),
            "HOSTLER_RUNTIME_DIR": str(directory / "run"),
            "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        }

    def start(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        *,
        scheme: str = "http",
        environment: Mapping[str, str] | None = None,
        discard_output: bool = False,
    ) -> Process:
        """Start a process that will listen on `port`; `wait_until_listening` before it is used.

        `environment` is added to what every process gets. Its standard output goes to its log, or to /dev/null.
        """
        log = self.directory / f"{name}.log"
        with log.open("wb") as stderr, _unbroken():
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if discard_output else stderr,
                stderr=stderr,
                env={**self._environment, **(environment or {})},
                cwd=self.directory,
                start_new_session=True,
            )
            process = Process(name, port, popen, log, scheme)
            self._processes.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _stop(self._processes)
        self._processes.clear()


def _stop(processes: list[Process]) -> None:
    """Ask, wait a moment, then kill; children that outlived their parent too."""
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(max(0.01, deadline - time.monotonic()))
    for process in processes:
        process.signal(signal.SIGKILL)
        process.popen.wait()


def _family(pid: int) -> tuple[int, ...]:
    """Return a process and its descendants."""
    parents: dict[int, int] = {}
    for entry in _PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields is not None:
            parents[int(entry.name)] = int(fields[1])
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return tuple(family)


def _processor_seconds(pid: int) -> float | None:
    fields = _stat(pid)
    return None if fields is None else (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_memory(pid: int) -> float:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss: +(\d+) kB$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _stat(pid: int) -> list[str] | None:
    """Return /proc/PID/stat from the third field on, the state (proc_pid_stat(5)); None when there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
