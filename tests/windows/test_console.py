"""The end of the console on Windows, with a kernel that is told when to end it."""

from __future__ import annotations

import asyncio
import logging
import threading

import anyio
import pytest

from hostler.processes.signals import Stop
from hostler.windows.console import Console
from hostler.windows.constants import ConsoleEvent

END = [ConsoleEvent.CLOSE, ConsoleEvent.SHUTDOWN]


class Kernel:
    """kernel32.dll: calls the routine as Windows does, in a thread that Python did not make known."""

    def __init__(self, *, accepts=True):
        self._accepts = accepts
        self.routines = []

    def SetConsoleCtrlHandler(self, routine, add):  # noqa: N802 - Microsoft's
        if not self._accepts:
            return 0
        assert add == 1
        self.routines.append(routine)
        return 1

    def send(self, event):
        """Begin an event; `answer` of what is returned waits for the routine."""
        (routine,) = self.routines
        return Sent(routine, event)


class Sent:
    """An event that Windows waits for an answer to."""

    def __init__(self, routine, event):
        self._answered = threading.Event()
        self._answer = None

        def call():
            self._answer = routine(event)
            self._answered.set()

        threading.Thread(target=call, daemon=True).start()

    @property
    def waits(self):
        return not self._answered.is_set()

    def answer(self):
        assert self._answered.wait(5)
        return self._answer


@pytest.fixture
def ended():
    """The end of the process."""
    ended = threading.Event()
    yield ended
    ended.set()


@pytest.mark.parametrize("event", END)
def test_windows_waits_until_the_process_has_ended(event, ended):
    kernel, asked = Kernel(), threading.Event()
    with Console(kernel, ended.wait).on_end(asked.set):
        sent = kernel.send(event)
        assert asked.wait(5)
        assert sent.waits
    assert sent.waits  # the program has stopped, and has yet to write what it has, and to exit
    ended.set()
    assert sent.answer() == 1


@pytest.mark.parametrize("event", END)
async def test_a_program_is_asked_to_stop(event, ended):
    kernel, loop = Kernel(), asyncio.get_running_loop()
    with anyio.CancelScope() as scope:
        stop = Stop(scope.cancel)
        with Console(kernel, ended.wait).on_end(lambda: loop.call_soon_threadsafe(stop.request_once)):
            kernel.send(event)
            with anyio.fail_after(5):
                await stop.wait()
    assert stop.status == 0


@pytest.mark.parametrize("event", [ConsoleEvent.C, ConsoleEvent.BREAK])
def test_control_c_and_break_are_left_to_the_signals(event):
    kernel = Kernel()
    with Console(kernel).on_end(lambda: pytest.fail("it is not the end")):
        assert kernel.send(event).answer() == 0


def test_a_service_stays_when_somebody_logs_off():
    kernel = Kernel()
    with Console(kernel).on_end(lambda: pytest.fail("it is not the end")):
        assert kernel.send(ConsoleEvent.LOGOFF).answer() == 1


@pytest.mark.parametrize("event", list(ConsoleEvent))
def test_a_process_that_serves_nothing_ends_as_any_other(event):
    kernel = Kernel()
    with Console(kernel).on_end(lambda: pytest.fail("nobody is there")):
        pass
    assert kernel.send(event).answer() == 0


def test_what_is_over_already_keeps_windows_waiting_all_the_same(ended):
    kernel = Kernel()

    def over():
        raise RuntimeError("Event loop is closed")

    asked = threading.Event()
    console = Console(kernel, ended.wait)
    with console.on_end(over), console.on_end(asked.set):
        sent = kernel.send(ConsoleEvent.CLOSE)
        assert asked.wait(5)
        ended.set()
        assert sent.answer() == 1


def test_a_console_that_tells_nothing_is_logged(caplog):
    with caplog.at_level(logging.WARNING, "hostler.console"):
        Console(Kernel(accepts=False))
    assert "SetConsoleCtrlHandler failed" in caplog.text
