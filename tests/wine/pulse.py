"""Keeps Wine's HTTP driver awake ("wake-ups" in tests/wine/limits.py).

Its one thread sleeps until a socket has something new. When several do at a time, the notice of one can get lost, and
then neither that socket nor any new connection is looked at until another open connection brings a byte. So a test
keeps such a connection, on which a request begins that never ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading

EVERY = 0.02
"""Seconds from byte to byte."""

MOST = 4000
"""Bytes of a connection: the driver gives up one whose buffer is full."""


class Pulse:
    """A connection that brings a byte every now and then; one follows another, until it is closed."""

    def __init__(self, port):
        self._port = port
        self._over = threading.Event()
        self._socket = self._connect()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def _connect(self):
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        sock.sendall(b"GET /pulse HTTP/1.1\r\nX-Pulse: ")
        return sock

    def _run(self):
        sent = 0
        with contextlib.suppress(OSError):  # the server is gone
            while not self._over.wait(EVERY):
                self._socket.sendall(b"x")
                sent += 1
                if sent % MOST == 0:
                    after = self._connect()
                    self._socket.close()
                    self._socket = after

    def close(self):
        self._over.set()
        self._thread.join()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
