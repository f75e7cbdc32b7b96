"""Runs hostler's command line, each time in a process and a console of its own, as the test says.

Started with `hostler` and arguments this file is the command itself, on Wine without its stubs; with `interrupt` and a
process id it is Ctrl-C for the console of that process.
"""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
import sys

from tests.wine.programs import wine_api
from tests.wine.programs.channel import WATCHDOG, Channel, end_after


class Running:
    """A command that runs, and what it has said."""

    def __init__(self, process):
        self.process = process
        self.texts = {"out": "", "err": ""}
        self._news = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read("out", process.stdout)),
            asyncio.create_task(self._read("err", process.stderr)),
        ]

    async def _read(self, name, stream):
        while line := await stream.readline():
            async with self._news:
                self.texts[name] += line.decode(errors="replace").replace("\r\n", "\n")
                self._news.notify_all()

    async def until(self, name, text):
        """Wait until it has said that; raises RuntimeError when it ends without."""
        ended = asyncio.create_task(self.ended())
        said = asyncio.create_task(self._said(name, text))
        try:
            await asyncio.wait([ended, said], return_when=asyncio.FIRST_COMPLETED)
            if text not in self.texts[name]:
                raise RuntimeError(f"it ended, and never said {text!r}: {self.texts}")
        finally:
            ended.cancel()
            said.cancel()

    async def _said(self, name, text):
        async with self._news:
            await self._news.wait_for(lambda: text in self.texts[name])

    async def ended(self):
        """Wait until it has ended and all that it said is here; returns its exit status."""
        await asyncio.wait(self._readers)
        return await self.process.wait()


class Commands:
    """What a test can have the program do; a command is named by its process id."""

    def __init__(self):
        self._running = {}

    async def start(self, arguments, directory):
        """Start the command in a directory; returns its process id."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "hostler", *arguments,
            cwd=directory, creationflags=subprocess.CREATE_NO_WINDOW,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._running[process.pid] = Running(process)
        return process.pid

    async def until(self, pid, name, text):
        """Wait until a command has said that on `out` or `err`; returns what it has said there."""
        running = self._running[pid]
        try:
            await running.until(name, text)
        except asyncio.CancelledError:
            sys.stdout.write(f"{text!r} is not in {running.texts}\n")
            raise
        return running.texts[name]

    async def interrupt(self, pid):
        """Press Ctrl-C in a command's console."""
        # not from here: a process has one console at a time, and its own gets the event too
        process = await asyncio.create_subprocess_exec(sys.executable, __file__, "interrupt", str(pid))
        assert await process.wait() == 0, "the console cannot be had"

    async def ended(self, pid):
        """Wait until a command has ended; returns its exit status, and what it said."""
        running = self._running[pid]
        try:
            status = await running.ended()
        except asyncio.CancelledError:
            sys.stdout.write(f"still running: {running.texts}\n")
            raise
        return [status, running.texts["out"], running.texts["err"]]

    async def kill(self):
        """End what still runs; returns what that had said."""
        left = [running for running in self._running.values() if running.process.returncode is None]
        for running in left:
            running.process.kill()
            await running.ended()
        return [running.texts for running in left]


async def direct(channel):
    """Do what the test says until it is gone."""
    channel.say(None)
    commands = Commands()
    try:
        await channel.obey(commands)
    finally:
        await commands.kill()


def interrupt(pid):
    """Cause Ctrl-C in the console of another process; returns whether that was possible."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.FreeConsole()
    # the last but one: it is an event for this process too, once it is there
    return (
        kernel.AttachConsole(pid)
        and kernel.SetConsoleCtrlHandler(None, 1)
        and kernel.GenerateConsoleCtrlEvent(0, 0)
    )


def command(arguments):
    """Be the command; returns the exit status."""
    from hostler.cli import main  # noqa: PLC0415 - measured by its own process only
    from hostler.server.httpsys import api  # noqa: PLC0415 - as above

    end_after(WATCHDOG, 98)
    api.load = wine_api.load
    return main(arguments)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["hostler", *arguments]:
            sys.exit(command(arguments))
        case ["interrupt", pid]:
            sys.exit(0 if interrupt(int(pid)) else 1)
        case _:
            asyncio.run(direct(Channel()))
