"""A new configuration under load: the slowest answer beside it, and how long until it is in force.

A contender reads its configuration again with one route more, which is asked for until it is answered. What stalls the
process for a while is seen as an answer that took as long.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from attrs import evolve

from benchmarks.figures import FAILED, IN_FORCE, SLOWEST, UNDISTURBED, Sample
from benchmarks.load.own import Own
from benchmarks.load.task import LoadError

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.contenders.entry import Entry, Setup
    from benchmarks.contenders.field import Running

__all__ = ["visit"]

_PATIENCE: Final = 30.0
"""Seconds that a reload may take."""


def visit(running: Running, entry: Entry, setup: Setup, case: Case, seconds: float) -> Sample:
    """Load a contender, first for `seconds` without, then through a reload."""
    load = Own()
    quiet = load.run(running.url, case, seconds, lambda: None)
    reload = _Reload(running, entry, evolve(setup, routes=setup.routes + 1), delay=seconds / 4)
    thread = threading.Thread(target=reload.run, daemon=True)
    thread.start()
    loaded = load.run(
        running.url, case, _PATIENCE + seconds, lambda: None, stop=lambda: not thread.is_alive()
    )
    thread.join()
    if not reload.took:
        raise LoadError(f"the new configuration was not in force within {_PATIENCE:g} s")
    return {
        SLOWEST.name: loaded.slowest,
        UNDISTURBED.name: quiet.slowest,
        IN_FORCE.name: reload.took * 1e3,
        FAILED.name: float(loaded.failures),
    }


class _Reload:
    """Changes the configuration from a thread of its own."""

    def __init__(self, running: Running, entry: Entry, setup: Setup, delay: float) -> None:
        self._running = running
        self._entry = entry
        self._setup = setup
        self._delay = delay
        self.took = 0.0
        """Seconds until the new route was answered; 0 when it never was."""

    def run(self) -> None:
        """Write the new configuration, wait until it is in force, and a moment longer."""
        time.sleep(self._delay)
        assert self._entry.command is not None
        assert self._running.proxy is not None
        self._entry.command(self._setup)
        began = time.perf_counter()
        if not self._entry.ours:  # hostler follows its file
            os.kill(self._running.proxy.popen.pid, signal.SIGHUP)
        while (took := time.perf_counter() - began) < _PATIENCE:
            if self._answered():
                self.took = took
                time.sleep(self._delay)
                return
            time.sleep(0.05)

    def _answered(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._setup.port, timeout=10)
        try:
            connection.request("GET", f"/route-{self._setup.routes - 1}/small")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
