"""Programs on Windows CPython, driven from Linux through a channel of JSON lines.

The test listens on a loopback port, and the program connects to it (`programs/channel.py`). The first line from the
test is the program's settings, each further line a command, `{"do": ...}`; each gets one line in answer. The program
ends when the channel does; what does not end then is killed, with all that the wrapper started.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that a program has to start, to answer a command, and to end."""


def wine():
    """Return the wrapper that runs Windows CPython."""
    wrapper = os.environ["HOSTLER_WINE"]
    assert os.access(wrapper, os.X_OK), f"HOSTLER_WINE={wrapper} cannot be run"
    return wrapper


def windows_path(path):
    """Return how Windows programs on Wine call a file of this machine."""
    return "Z:" + str(path).replace("/", "\\")


PYTHONPATH = ";".join(windows_path(ROOT / folder) for folder in (".", "src"))
"""Where programs on Windows CPython find hostler and the tests."""


def free_port():
    """Return a port that nobody listens on, on any address: Wine listens on all of them."""
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        return sock.getsockname()[1]


class ProgramError(Exception):
    """What a command raised in the program."""


class WineProgram:
    """One program of `programs/`, running; `ready` is the first thing that it said."""

    def __init__(self, name, log, **settings):
        self._log = log
        self._answers = None
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
            listener.settimeout(0.2)
            self._process = subprocess.Popen(
                [wine(), windows_path(PROGRAMS / name), str(listener.getsockname()[1])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "WINE_PYTHONPATH": PYTHONPATH},
                start_new_session=True,
            )
            try:
                self._channel = self._accept(listener)
                self._answers = self._channel.makefile("r", encoding="utf-8")
                self.ready = self._ask(settings)
            except BaseException as error:
                self.close()
                raise RuntimeError(f"{name} did not start\n{self.output}") from error

    def _accept(self, listener):
        """Wait for the program to connect, or to end."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(TimeoutError):
                channel, _ = listener.accept()
                channel.settimeout(PATIENCE)
                return channel
        raise ProgramError("it did not connect")

    @property
    def output(self):
        """What the program has written so far."""
        return self._log.read_text(errors="replace")

    def do(self, command, **more):
        """Have the program do something; returns what comes of it, raises ProgramError."""
        return self._ask({"do": command, **more})

    def _ask(self, message):
        self._channel.sendall(json.dumps(message).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            raise ProgramError(f"the program ended\n{self.output}")
        answer = json.loads(line)
        if "error" in answer:
            raise ProgramError(f"{answer['error']}\n{self.output}")
        return answer["result"]

    def wait(self):
        """Wait until the program has ended; returns its exit status."""
        return self._process.wait(PATIENCE)

    def close(self):
        """Close the channel, and see that nothing of the program is left; returns its exit status."""
        if self._answers is not None:
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)
            self._answers.close()
            self._channel.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        # also when the wrapper has ended: what it started is in its process group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait(PATIENCE)


@contextlib.contextmanager
def running(name, directory, **settings):
    """Run a program while the context lasts; it must end well."""
    log = directory / f"{Path(name).stem}.log"
    program = WineProgram(name, log, **settings)
    try:
        yield program
    finally:
        status = program.close()
        print(program.output)  # noqa: T201 - pytest shows it when the test fails
    assert status == 0, f"{name} ended with status {status}\n{program.output}"


def curl(*arguments):
    """Run curl; returns what it printed."""
    done = subprocess.run(
        [tool("curl"), "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert done.returncode == 0, f"curl ended with status {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def tool(name):
    """Return where a program of this machine is; without it the test is skipped, or fails in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed; install it to run this test"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
