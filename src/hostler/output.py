"""What a program writes: lines on standard output, hostler's log on standard error, and nobody waits for either.

A pipe that nobody reads, a terminal that was stopped, and a full disk must not stop a server. So each of the two has a
bounded buffer, and a thread that writes what its reader does not take at once; what does not fit is dropped and
counted. Writing is by `os.write` and takes no lock of `sys.stdout`, so that a process can end while the thread is stuck.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import select
import sys
import time
from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Output", "log_to_stderr", "write_error", "write_out"]

_log: Final = logging.getLogger("hostler.output")

MAX_WAITING: Final = 1 << 20
"""Characters that may wait for a stream's reader; more are dropped."""

FLUSH_TIMEOUT: Final = 1.0
"""Seconds that what waits has to be written when the program ends."""

_REPORT_INTERVAL: Final = 60.0
"""Seconds between two reports that a stream does not take what is written."""


class Output:
    """Text on its way to a stream's descriptor, in order; `write` never blocks and never raises.

    It is open until its reader is gone (EPIPE), and then drops everything. `report` gets a sentence when text was
    dropped, from the thread, and no more than one a minute.
    """

    def __init__(self, stream: TextIO, report: Callable[[str], object], limit: int = MAX_WAITING) -> None:
        """Write to `stream` past its buffer; raises OSError or ValueError for one without a descriptor."""
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._name = stream.name
        self._report = report
        self._limit = limit
        self._changed = Condition()
        self._waiting: deque[str] = deque()
        self._size = 0
        self._busy = False
        self._dropped = 0
        self._next_report = 0.0
        self._thread: Thread | None = None
        self.closed = False
        """The reader is gone."""
        self._takes = _room_on(self._descriptor)

    def write(self, text: str) -> None:
        """Have text written, whole or not at all."""
        with self._changed:
            if self.closed:
                return
            if not self._waiting and not self._busy:
                text = self._write_now(text)
                if not text:
                    return
            if self._size + len(text) > self._limit:
                self._dropped += 1
                return
            self._waiting.append(text)
            self._size += len(text)
            if self._thread is None:
                self._thread = Thread(target=self._run, name=f"hostler-write-{self._name}", daemon=True)
                self._thread.start()
                atexit.register(self.flush)
            self._changed.notify_all()

    def _write_now(self, text: str) -> str:
        """Write if that needs no waiting, so that the lines of both streams stand in order; return what is left."""
        data = text.encode(self._encoding, "backslashreplace")
        if not self._takes(len(data)):
            return text
        self._write(data)
        return ""

    def flush(self, timeout: float | None = FLUSH_TIMEOUT) -> bool:
        """Wait until everything is written, or the time is over (None: for ever); returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    # -- in the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text, self._size = "".join(self._waiting), 0
                self._waiting.clear()
                self._busy = True
            self._write(text.encode(self._encoding, "backslashreplace"))
            self._report_dropped()

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            if error.errno in {errno.EPIPE, errno.EBADF}:
                self._close()
            self._tell(f"{self._name} cannot be written to ({error.strerror}): text was dropped")

    def _close(self) -> None:
        with self._changed:
            self.closed = True
            self._waiting.clear()
            self._size = 0

    def _report_dropped(self) -> None:
        with self._changed:
            count = self._dropped
            if not count or not self._is_due():
                return
            self._dropped = 0
        self._tell(f"{self._name}: {count} pieces of text were dropped, because its reader does not keep up")

    def _is_due(self) -> bool:
        return time.monotonic() >= self._next_report

    def _tell(self, sentence: str) -> None:
        if self._is_due():
            self._next_report = time.monotonic() + _REPORT_INTERVAL
            self._report(sentence)


if sys.platform == "win32":

    def _room_on(descriptor: int) -> Callable[[int], bool]:
        return lambda size: False

else:

    def _room_on(descriptor: int) -> Callable[[int], bool]:
        """Return what says whether a descriptor takes so many bytes without blocking (`select.PIPE_BUF`)."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return lambda size: size <= select.PIPE_BUF and bool(poll.poll(0))


_outputs: Final[dict[int, Output]] = {}


def _output_of(stream: TextIO, report: Callable[[str], object]) -> Output | None:
    """Return the Output of a standard stream; None for one that is not written to by descriptor.

    That is one which a test put there, or a console of Windows, which takes characters and not bytes.
    """
    if sys.platform == "win32" and stream.isatty():
        return None
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return None
    output = _outputs.get(descriptor)
    if output is None:
        output = _outputs[descriptor] = Output(stream, report)
    return output


def write_out(text: str) -> None:
    """Write to standard output, without waiting for its reader."""
    _write(sys.stdout, text, _log.warning)


def write_error(text: str, *, wait: bool = False) -> None:
    """Write to standard error; `wait` for its reader where nobody else waits, as in a command that only says something."""
    output = _write(sys.stderr, text, lambda sentence: write_error(f"hostler: {sentence}\n"))
    if wait and output is not None:
        output.flush(None)


def _write(stream: TextIO | None, text: str, report: Callable[[str], object]) -> Output | None:
    if stream is None:
        return None  # it was closed before Python began
    output = _output_of(stream, report)
    if output is None:
        stream.write(text)
        stream.flush()
    else:
        output.write(text)
    return output


class _ErrorHandler(logging.Handler):
    """Writes log records to standard error, without waiting for its reader."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            write_error(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - logging's own rule: a record that cannot be formatted is reported
            self.handleError(record)


def log_to_stderr(level: int) -> logging.Handler:
    """Write what hostler logs from `level` on to standard error; returns the handler that does.

    That a reload worked is said at every level, since somebody waits for it, and of which layers a configuration is,
    since not all of them were named.
    """
    handler = _ErrorHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("hostler")
    logger.setLevel(level)
    for name in ("hostler.reload", "hostler.layers"):
        logging.getLogger(name).setLevel(logging.INFO)
    logger.addHandler(handler)
    return handler
