"""The code blocks of README.md and docs/, and programs as a reader starts them. CONTRIBUTING.md has the marks."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from random import SystemRandom

from attrs import field, frozen

from tests.complaints import complaints

ROOT = Path(__file__).parent.parent
TIMEOUT = 20.0
MARKS = {"file", "same as", "fragment", "refused", "keeps running", "not run", "fronts", "configures"}
LANGUAGES = {"python", "json", "console", "powershell", "sh", "ini", "csharp", "xml", "text"}

_FENCE = re.compile(
    r"^(?:<!-- (?P<marks>.*) -->\n)?(?P<fence>```+)(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=fence)$",
    re.MULTILINE,
)
_PORTS = re.compile(r"\b(5000|6379|80[0-9]{2}|90[0-9]{2})\b")
_ASSIGNMENTS = re.compile(r"^(?:\w+=\S* )*")
_PROMPT = r"(?:\$|PS>) "
_COMMAND = re.compile(
    rf"^{_PROMPT}(?P<command>.*(?:\\\n.*)*)\n?(?P<output>(?:(?!{_PROMPT}).*\n?)*)", re.MULTILINE
)
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
"""What an access line begins with; in the output of a page it stands for any time."""

_AT_A_TERMINAL = 'curl() { command curl --silent --show-error "$@"; }; curl.exe() { curl "$@"; }'
"""Nothing is said there of a short transfer's progress; PowerShell has another `curl`."""
_UNDER_EPHEMERAL = range(20000, 32768)
"""Ports that nobody is given by chance."""


# -- blocks -----------------------------------------------------------------------------------------------------------


def split_marks(text):
    """Read `file: proxy.py; refused` as a dict."""
    pairs = (item.partition(":") for item in (text or "").split(";") if item.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


@frozen
class Block:
    """A fenced block."""

    place: str
    language: str
    text: str
    marks: dict[str, str]

    def commands(self):
        """Return the commands of a block with prompts, each with the output that stands below it."""
        return [
            (found["command"].replace("\\\n", ""), found["output"]) for found in _COMMAND.finditer(self.text)
        ]


@frozen
class Page:
    """A page, and the free ports that its blocks use instead of those that are written there."""

    path: Path
    text: str = field(init=False)
    ports: dict[str, str] = field(init=False)

    @text.default
    def _read(self):
        return self.path.read_text(encoding="utf-8")

    @ports.default
    def _choose(self):
        return free_ports(_PORTS.findall(self.text))

    @property
    def name(self):
        return self.path.relative_to(ROOT).as_posix()

    def blocks(self):
        return [
            Block(
                f"{self.name}:{self.text.count(chr(10), 0, found.start()) + 1}",
                found["language"],
                found["text"],
                split_marks(found["marks"]),
            )
            for found in _FENCE.finditer(self.text)
        ]

    def with_free_ports(self, text):
        return with_ports(text, self.ports)

    def with_written_ports(self, text):
        for written, free in self.ports.items():
            text = re.sub(rf"\b{free}\b", written, text)
        return text


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def with_ports(text, ports):
    """Replace the ports that documentation and examples use."""
    return _PORTS.sub(lambda found: ports.get(found[0], found[0]), text)


def free_ports(written):
    """Choose a free port for each that is written."""
    ports = {}
    for port in dict.fromkeys(written):
        while port not in ports:
            candidate = str(SystemRandom().choice(_UNDER_EPHEMERAL))
            if candidate not in ports.values() and _is_free(int(candidate)):
                ports[port] = candidate
    return ports


def _is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def pattern(output):
    """Make a pattern of lines of output: `...` stands for any text, alone on a line for any lines or none; a time for any."""
    return re.compile("".join(map(_line_pattern, output.rstrip().splitlines())))


def _line_pattern(line):
    if line == "...":
        return r"(?:.*\n)*?"
    time, client, rest = re.match(rf"({_TIME})?(127\.0\.0\.1(?= ))?(.*)", line).groups()
    escaped = ".*?".join(re.escape(part) for part in rest.split("..."))
    return (_TIME if time else "") + (r"(?:127\.0\.0\.1|::1)" if client else "") + escaped + r"\n"


# -- programs ---------------------------------------------------------------------------------------------------------


def environment(directory):
    """Return what a reader's shell has: the commands of this Python, and a runtime directory."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOSTLER_RUNTIME_DIR": str(directory / "run"),
        "PYTHONUNBUFFERED": "1",
    }


def shell(command, directory):
    """Run a command to its end; returns the exit status, and output and errors together."""
    done = subprocess.run(
        ["bash", "-c", f"{_AT_A_TERMINAL}\n{command}"],
        cwd=directory,
        env=environment(directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )
    complaints.hear(done.stdout)
    return done.returncode, done.stdout


class Program:
    """A program that runs until it is stopped; `output` is what it has said so far."""

    def __init__(self, command, directory):
        self.command = command
        self.output = ""
        self._ended = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            command
            if isinstance(command, list)
            else ["bash", "-c", _ASSIGNMENTS.sub(r"\g<0>exec ", command)],
            cwd=directory,
            env=environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self._collector = threading.Thread(target=self._collect)
        self._collector.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._collector.join()
        self._process.stdout.close()
        complaints.hear(self.output)

    def _collect(self):
        for line in self._process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def says(self, expected):
        """Wait until the program has said something that a pattern matches; returns the match."""
        wanted = re.compile(expected) if isinstance(expected, str) else expected
        with self._changed:
            self._changed.wait_for(lambda: self._ended or wanted.search(self.output), TIMEOUT)
            found = wanted.search(self.output)
        assert found, f"{self.command} did not say {wanted.pattern!r} but:\n{self.output}"
        return found

    def url(self):
        """Wait until it listens; returns the URL, without its last slash."""
        return self.says(r"listening on (http://\S+)/\n")[1]

    def stop(self, number=signal.SIGTERM):
        """Stop it, and return its exit status."""
        self._process.send_signal(number)
        status = self._process.wait(TIMEOUT)
        self._collector.join(TIMEOUT)
        return status
