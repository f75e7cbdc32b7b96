"""Programs in processes of their own: started, watched line by line, signalled, and always cleaned up."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from tests.complaints import complaints

TIMEOUT = 20.0
HERE = Path(__file__).parent
APPS = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
"""A PYTHONPATH with the applications of these tests."""


class Program:
    """A running program, in a session of its own."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid
        self.out = []
        self.err = []
        self._changed = asyncio.Condition()
        self._tasks = [
            asyncio.create_task(self._collect(process.stdout, self.out)),
            asyncio.create_task(self._collect(process.stderr, self.err)),
        ]

    async def _collect(self, stream, lines):
        while line := await stream.readline():
            async with self._changed:
                lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()
        async with self._changed:
            lines.append(None)
            self._changed.notify_all()

    async def says(self, pattern, stream="out"):
        """Wait for a line; returns the match."""
        lines = getattr(self, stream)

        def found():
            return next((match for line in lines if line and (match := re.search(pattern, line))), None)

        async with asyncio.timeout(TIMEOUT), self._changed:
            await self._changed.wait_for(lambda: found() or None in lines)
        match = found()
        assert match, f"{pattern!r} was never said:\n{self}"
        return match

    async def url(self):
        """Wait until it listens; returns the URL without its last slash."""
        return (await self.says(r"listening on (https?://\S+)/$"))[1]

    async def ends(self):
        """Wait for the end; returns the exit status, with everything said in `out` and `err`."""
        async with asyncio.timeout(TIMEOUT):
            status = await self.process.wait()
            await asyncio.gather(*self._tasks)
        return status

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def kill_group(self, number):
        os.killpg(self.pid, number)

    @property
    def errors(self):
        return "\n".join(filter(None, self.err))

    @property
    def output(self):
        return "\n".join(filter(None, self.out))

    def __str__(self):
        return f"--- out\n{self.output}\n--- err\n{self.errors}"


@asynccontextmanager
async def program(*args, pass_fds=(), **environment):
    """Run `python ARGS` in the directory of these tests, with descriptors besides its standard ones."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, args),
        cwd=HERE,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        pass_fds=pass_fds,
    )
    running = Program(process)
    try:
        yield running
    finally:
        for pid in [*session(running.pid), running.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await running.ends()
        complaints.hear(running.errors)


def hostler(*args, **environment):
    """Run the command `hostler`."""
    return program("-m", "hostler", *args, **environment)


def session(leader):
    """Return the processes of a session that are not zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(sid) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


async def until(condition):
    """Wait until a condition holds that nobody tells us about."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.01)
