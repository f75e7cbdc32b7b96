"""Ctrl-C, Ctrl-Break and the end of the console, for real programs in a console of their own.

A console's processes get its events all together. So each test starts a director there, which starts the program, waits
until it says what it is waited for, causes the event, and prints what became of the program.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from hostler.windows.constants import ConsoleEvent
from tests.wine.programs.wine_api import is_wine

DIRECTOR = """
import json, os, signal, subprocess, sys
wanted, event, *command = sys.argv[1:]
for number in (signal.SIGINT, signal.SIGBREAK):
    signal.signal(number, lambda *_: None)
pipe = subprocess.PIPE
program = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
lines = []
for line in program.stdout:
    lines.append(line)
    if line.startswith(wanted):
        break
if event == "say":
    program.stdin.write("end\\n")
    program.stdin.flush()
else:
    os.kill(0, int(event))
lines += program.stdout
print(json.dumps([program.wait(), "".join(lines)]))
"""

ENDED = """
import ctypes, sys, threading
import hostler

async def handler(exchange):
    raise NotImplementedError

def end():
    # as Windows does it: in a thread that is not Python's
    sys.stdin.readline()
    kernel, routine = ctypes.WinDLL("kernel32"), ctypes.WinDLL("kernelbase").CtrlRoutine
    kernel.CreateThread(None, None, routine, ctypes.c_void_p(int(sys.argv[1])), 0, None)

threading.Thread(target=end, daemon=True).start()
hostler.run(handler, ["http://127.0.0.1:0/"], server="usermode")
print("stopped", flush=True)
sys.exit(7)
"""


def direct(wanted, event, *command):
    """Run a program in a console of its own; returns its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", DIRECTOR, wanted, str(event), sys.executable, *command],
        creationflags=subprocess.CREATE_NO_WINDOW,
        stdout=subprocess.PIPE,
        check=True,
        timeout=50,
    )
    return json.loads(done.stdout)


SERVE = ["-m", "hostler", "serve", "hostler.demo.apps:worker", "--url", "http://127.0.0.1:0/"]


@pytest.mark.parametrize("event", [signal.CTRL_C_EVENT, signal.CTRL_BREAK_EVENT])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupt_stops_a_program_and_its_workers_gracefully(event, workers):
    if event == signal.CTRL_BREAK_EVENT and is_wine():
        pytest.skip("Wine's C runtime makes no SIGBREAK of it")
    wanted = "serving" if workers else "listening"
    status, said = direct(wanted, int(event), *SERVE, "--server", "usermode", "--workers", str(workers))
    assert status == 0, said
    assert "Traceback" not in said
    assert "killed" not in said


@pytest.mark.parametrize("event", [ConsoleEvent.CLOSE, ConsoleEvent.SHUTDOWN])
def test_the_end_of_the_console_lets_a_program_come_to_its_own_end(event):
    status, said = direct("listening", "say", "-c", ENDED, str(int(event)))
    assert said.splitlines()[1:] == ["stopped"]
    assert status == 7
