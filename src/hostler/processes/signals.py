"""How a program is asked to stop: signals, on Windows Ctrl-C, Ctrl-Break and the end of the console too.

What the platforms differ in is here, and in `hostler.windows.console`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

if sys.platform == "win32":
    from functools import cache

    from hostler.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from hostler.windows.console import Console

__all__ = ["Stop", "on_signals", "stop_signals"]

if sys.platform == "win32":
    _STOP: Final = (signal.SIGINT, signal.SIGBREAK, signal.SIGTERM)
else:
    _STOP: Final = (signal.SIGINT, signal.SIGTERM)


_CANCEL_INTERVAL: Final = 0.05
"""Seconds that what is awaited on the way out of a cancelled program has, before it is cancelled as well."""


class Stop:
    """The wish to stop. The first one ends `wait`; the second, or one that nobody waits for, cancels the program."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._asked = asyncio.Event()
        self._waited = False
        self.status = 0
        """The program's exit status: 128 and the signal's number when it had to be asked twice."""

    async def wait(self) -> None:
        """Wait for the first wish. Call it once everything is in place."""
        self._waited = True
        await self._asked.wait()

    def request(self, number: int = signal.SIGTERM) -> None:
        """Ask to stop, as the signal `number` does."""
        again = self._asked.is_set()
        self._asked.set()
        if again:
            self.status = 128 + number
        if again or not self._waited:
            self._cancel()

    def request_once(self, number: int = signal.SIGTERM) -> None:
        """Ask to stop; nothing new when it was asked for already."""
        if not self._asked.is_set():
            self.request(number)


class _Cancellation:
    """Cancels its body, in the task that entered it, and everything that the body awaits on its way out."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._cancelled_before = task.cancelling()
        self._count = 0
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Cancel the body, once and for all."""
        if self._next is None:
            self._cancel()

    def _cancel(self) -> None:
        self._count += 1
        self._task.cancel()
        self._next = self._loop.call_later(_CANCEL_INTERVAL, self._cancel)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End here the cancellation that began here."""
        if self._next is None:
            return False
        self._next.cancel()
        for _ in range(self._count):
            self._task.uncancel()
        return kind is asyncio.CancelledError and self._task.cancelling() == self._cancelled_before


@contextmanager
def stop_signals(*numbers: signal.Signals, once: bool = False) -> Iterator[Stop]:
    """Have signals ask the body to stop; the second cancels it, unless asking `once` is all there is.

    They are SIGINT and SIGTERM unless others are named; on Windows Ctrl-Break too. The end of the console, or of
    Windows, asks as well.
    """
    with _Cancellation() as cancellation:
        stop = Stop(cancellation.begin)
        with (
            on_signals(numbers or _STOP, stop.request_once if once else stop.request),
            _on_console_end(stop.request_once),
        ):
            yield stop


@contextmanager
def on_signals(numbers: Iterable[signal.Signals], callback: Callable[[int], object]) -> Iterator[None]:
    """Call back from the event loop when one of the signals arrives."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        before = {number: signal.getsignal(number) for number in numbers}
        for number in before:
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(callback, number))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    else:
        handled = tuple(numbers)
        for number in handled:
            loop.add_signal_handler(number, callback, number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


if sys.platform == "win32":

    @contextmanager
    def _on_console_end(callback: Callable[[], object]) -> Iterator[None]:
        """Call back from the event loop when the console, or Windows, ends; Windows waits for this process then."""
        loop, console = asyncio.get_running_loop(), _console()
        if console is None:
            yield
        else:
            with console.on_end(lambda: loop.call_soon_threadsafe(callback)):
                yield

    @cache
    def _console() -> Console | None:
        from hostler.windows.console import Console  # noqa: PLC0415 - only a program that runs needs cffi for this
        from hostler.windows.libraries import load  # noqa: PLC0415 - as above

        try:
            return Console(load().kernel)
        except UnsupportedError:
            return None  # a 32-bit Python: it ends as Windows ends any program
else:

    @contextmanager
    def _on_console_end(callback: Callable[[], object]) -> Iterator[None]:
        """Do nothing: the end of a terminal is SIGHUP, and that of the system SIGTERM."""
        yield
