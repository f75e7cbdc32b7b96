"""Our own load generator, which does every case, on every machine that has Python."""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.load.client import Client, Tally, script_of
from benchmarks.load.task import LoadError, Result, latencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cases import Case

__all__ = ["Own"]

_AT_ONCE: Final = 256
"""How many connections are opened together: no server's backlog is longer for sure."""

_OPENING: Final = 30.0
_COUNTED: Final = 60.0
_LAST: Final = 10.0
"""Seconds that opening every connection, a counted number of requests, and the last answers may take."""


class Own:
    """Connections of one thread, each of which asks again as soon as it is answered."""

    name = "our own load generator"

    def run(
        self,
        url: str,
        case: Case,
        seconds: float,
        mark: Callable[[], Any],
        stop: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Run for `seconds`, until `stop()`, or for the case's count of requests.

        Before that, what does not count: connections are opened, a batch at a time, and each asks once; then all ask
        together, so that what is behind a proxy has as many connections as it will need. What has begun when the time
        is over is waited for: it has cost something.
        """
        host = url.partition("://")[2]
        name, _, port = host.partition(":")
        script, tally = script_of(host, case), Tally()
        with selectors.DefaultSelector() as selector:
            clients = [Client((name, int(port)), script, tally, selector) for _ in range(case.connections)]
            try:
                self._open(clients, tally, selector, url)
                if not case.new_connections:
                    self._ask_together(clients, tally, selector, url)
                mark()
                began = time.perf_counter()
                self._ask(clients, tally, case)
                end = began + (_COUNTED if case.count else seconds)
                while time.perf_counter() < end and not stop():
                    if case.count and len(tally.times) + tally.failures >= case.count:
                        break
                    _turn(selector)
                tally.to_ask = 0
                while tally.waiting and time.perf_counter() < end + _LAST:
                    _turn(selector)
                took = time.perf_counter() - began
                mark()
            finally:
                for client in clients:
                    client.close()
        return Result(len(tally.times), tally.failures, len(tally.times) / took, *latencies(tally.times))

    @staticmethod
    def _open(clients: list[Client], tally: Tally, selector: selectors.BaseSelector, url: str) -> None:
        for at in range(0, len(clients), _AT_ONCE):
            batch = clients[at : at + _AT_ONCE]
            for client in batch:
                client.open()
            _until_answered(at + len(batch), tally, selector, url)

    @staticmethod
    def _ask_together(
        clients: list[Client], tally: Tally, selector: selectors.BaseSelector, url: str
    ) -> None:
        for client in clients:
            client.ask()
        _until_answered(2 * len(clients), tally, selector, url)

    @staticmethod
    def _ask(clients: list[Client], tally: Tally, case: Case) -> None:
        tally.failures = 0
        tally.counting = True
        if case.count:
            tally.to_ask = case.count
        if not case.new_connections:
            for client in clients:
                client.ask()


def _until_answered(answers: int, tally: Tally, selector: selectors.BaseSelector, url: str) -> None:
    end = time.perf_counter() + _OPENING
    while tally.answers < answers:
        _turn(selector)
        if tally.failures > _AT_ONCE or time.perf_counter() > end:
            raise LoadError(
                f"{url}: {tally.answers} of {answers} requests were answered, {tally.failures} failed"
            )


def _turn(selector: selectors.BaseSelector) -> None:
    for key, events in selector.select(0.05):
        key.data.ready(events)
