"""The program's end of the channel to the test that runs it: settings, then commands, each answered; then the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
import traceback

WATCHDOG = 240.0
"""Seconds after which a program ends, whatever it is doing."""

LAST_WORDS = 15.0
"""Seconds that a program has to end in once its test is gone."""


def _end(status):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def end_after(seconds, status):
    """End this process then, whatever it is doing."""
    timer = threading.Timer(seconds, _end, [status])
    timer.daemon = True
    timer.start()


class Channel:
    """The connection to the test; `settings` is what the test said first."""

    def __init__(self):
        end_after(WATCHDOG, 98)
        self._socket = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self.settings = self.hear()

    def hear(self):
        """Wait for a line of the test's; None when there is no test any more."""
        try:
            line = self._lines.readline()
        except OSError:
            line = ""
        if line:
            return json.loads(line)
        end_after(LAST_WORDS, 97)
        return None

    def say(self, result):
        """Answer the test."""
        self._send({"result": result})

    def _send(self, message):
        with contextlib.suppress(OSError):  # the test is gone, which `hear` says
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    async def obey(self, commands):
        """Do what the test says, by the methods of `commands`, until it is gone."""
        while (message := await asyncio.to_thread(self.hear)) is not None:
            name = message.pop("do")
            try:
                async with asyncio.timeout(20):
                    result = await getattr(commands, name)(**message)
            except Exception as error:  # noqa: BLE001 - the test's business
                traceback.print_exc()
                self._send({"error": f"{type(error).__name__}: {error}"})
            else:
                self.say(result)
