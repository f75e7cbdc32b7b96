"""Telling the service manager how it goes: ready, reloading, stopping, alive (sd_notify(3)).

Where NOTIFY_SOCKET is set, as systemd does for units of Type=notify and notify-reload; else nothing is told to anybody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Notifier"]

_log = logging.getLogger("hostler.server")

RETRY_INTERVAL: Final = 0.1
"""Seconds until a service manager that has no room for more is told again."""

_MICROSECONDS: Final = 1_000_000
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_HAS_UNIX_SOCKETS: Final = sys.platform != "win32"

if sys.platform == "win32":

    def _send(data: bytes, address: str) -> None:
        """Never called."""
else:

    def _send(data: bytes, address: str) -> None:
        """Send a datagram to a path, or to a name that begins with @ (abstract, unix(7))."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(data, "\0" + address[1:] if address.startswith("@") else address)


class Notifier:
    """Tells whoever started this process how it goes; nobody without `address`, a Unix socket's path or @name.

    `interval` is in which time it wants to hear that the process is alive, in seconds; None for never.
    """

    def __init__(self, address: str | None = None, interval: float | None = None) -> None:
        self._address = address
        self._interval = interval
        self._untold: list[str] = []
        """What there was no room for, and what came after that."""
        self._retry: asyncio.TimerHandle | None = None
        self._is_failing = False
        """That it cannot be told has been said."""

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier:
        """Return that for NOTIFY_SOCKET, and for WATCHDOG_USEC where it is for this process."""
        address = environ.get("NOTIFY_SOCKET") or None
        if address is None:
            return cls()
        if not _HAS_UNIX_SOCKETS or address[0] not in "/@":
            _log.warning(
                "NOTIFY_SOCKET is %r, which is no path of a Unix socket and no @name: nobody is told that hostler is ready",
                address,
            )
            return cls()
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        is_watched = _NUMBER.fullmatch(usec) is not None and int(usec) > 0 and pid in {"", str(os.getpid())}
        return cls(address, int(usec) / _MICROSECONDS if is_watched else None)

    def ready(self, status: str | None = None) -> None:
        """Tell that it serves, or serves with what was reloaded; `status` is for people."""
        self._tell("READY=1", *([] if status is None else [f"STATUS={status}"]))

    def reloading(self) -> None:
        """Tell that it reloads; `ready` is to follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that it stops."""
        self._tell("STOPPING=1", "STATUS=finishing what is in progress")

    @contextmanager
    def running(self, status: str) -> Iterator[None]:
        """Tell that it is ready on entry, that it stops on exit, and in between that its event loop turns."""
        self.ready(status)
        watchdog = None if self._interval is None else _Watchdog(self._interval / 2, self._alive)
        try:
            yield
        finally:
            if watchdog is not None:
                watchdog.end()
            self.stopping()

    def telling(self, reload: Callable[[Callable[[], object]], bool]) -> Callable[[], bool]:
        """Return a function that reloads, and tells of it; `reload` calls back when that is over."""

        def begin() -> bool:
            self.reloading()
            if reload(self.ready):
                return True
            self.ready()
            return False

        return begin

    def _alive(self) -> None:
        if not self._untold:
            self._tell("WATCHDOG=1")

    def _tell(self, *assignments: str) -> None:
        if self._address is not None:
            self._untold.append("\n".join(assignments))
            if self._retry is None:
                self._tell_rest(self._address)

    def _tell_rest(self, address: str) -> None:
        """Tell what is left to tell, in its order; what finds no room is told after a while."""
        self._retry = None
        while self._untold:
            data = self._untold[0]
            try:
                _send(data.encode(), address)
            except OSError as error:
                if not self._is_failing:
                    what = data.partition("\n")[0]
                    _log.warning("the service manager cannot be told %s: %s", what, error)
                self._is_failing = True
                if isinstance(error, BlockingIOError):
                    loop = asyncio.get_running_loop()
                    self._retry = loop.call_later(RETRY_INTERVAL, self._tell_rest, address)
                    return
            else:
                self._is_failing = False
            del self._untold[0]


class _Watchdog:
    """Tells at intervals that the event loop turns; a loop that something blocks does not."""

    def __init__(self, interval: float, tell: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._interval = interval
        self._tell = tell
        self._on_turn()

    def _on_turn(self) -> None:
        self._tell()
        self._timer = self._loop.call_later(self._interval, self._on_turn)

    def end(self) -> None:
        """Tell no more: stopping takes as long as it takes, and has a limit of its own (TimeoutStopSec)."""
        self._timer.cancel()
