"""The fake's TCP side: what is registered with http listens on the loopback addresses, for curl and httpx.

One thread waits for all sockets; connections are `Http1Connection`s like those of clients in memory.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.http1 import Http1Connection

if TYPE_CHECKING:
    from tests.server.httpsys.model.machine import Machine

_RESET = struct.pack("ii", 1, 0)
_SIZE = 1 << 16
_IN, _OUT, _BROKEN = 0x1, 0x4, 0x8 | 0x10 | 0x20
"""What poll(2) knows; `select` has no names for it on Windows, where this file is imported too."""

_NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_LOOK = 1000
"""Milliseconds after which the thread looks again, should a wake-up be lost."""


class TcpWire:
    """One client's socket (connection.Wire)."""

    def __init__(self, listener: Listener, sock: socket.socket) -> None:
        self._listener = listener
        self.sock = sock
        self._out = bytearray()
        self._closing = self._broken = self._shut = self._ended = False
        self.connection = Http1Connection(
            listener.machine, self, sock.getpeername()[:2], sock.getsockname()[:2]
        )

    @property
    def waiting(self) -> int:
        return len(self._out)

    def send(self, data: bytes) -> None:
        self._out += data
        self._listener.wake()

    def close(self) -> None:
        self._closing = True
        self._listener.wake()

    def reset(self) -> None:
        self._out.clear()
        self._broken = True
        self._listener.wake()

    def resume(self) -> None:
        self._listener.wake()

    # -- in the thread

    @property
    def interest(self) -> int:
        """What to wait for; a break is noticed in any case."""
        if self._broken:
            return _OUT
        reads = self._shut or (not self._closing and not self._ended and self.connection.wants_more)
        writes = bool(self._out) or (self._closing and not self._shut)
        return (_IN if reads else 0) | (_OUT if writes else 0)

    def ready(self, events: int) -> None:
        """Read and write what is possible."""
        try:
            if self._broken:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self.finish()
                return
            if events & (_IN | _BROKEN):
                self._read()
            if self._out and events & _OUT:
                del self._out[: self.sock.send(self._out)]
                self.connection.drained()
            if self._closing and not self._out and not self._shut:
                # what the client still sends is read over, so that no reset overtakes the answer
                self._shut = True
                self.sock.shutdown(socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.connection.lost()
            self.finish()

    def _read(self) -> None:
        data = self.sock.recv(_SIZE)
        if data and not self._shut:
            self.connection.feed(data)
        elif not data:
            self._ended = True
            self.connection.eof()
            if self._shut:
                self.finish()

    def finish(self) -> None:
        """Close the socket."""
        self._listener.forget(self)
        self.sock.close()


class Listener:
    """All sockets of a machine, and the thread that serves them."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._listening: dict[tuple[str, int], socket.socket] = {}
        self._wires: dict[int, TcpWire] = {}
        """By file descriptor."""
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fake-http.sys", daemon=True)
        self._thread.start()

    def listen(self, endpoints: set[tuple[str, int]]) -> None:
        """Listen at these addresses and ports and no others; raises Win32 when one is taken."""
        for endpoint in sorted(endpoints - set(self._listening)):
            family = socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
            try:
                sock = socket.create_server(endpoint, family=family, backlog=512)
            except OSError as error:
                if error.errno in _NO_IPV6:
                    continue
                raise Win32(c.SHARING_VIOLATION) from None
            sock.setblocking(False)
            self._listening[endpoint] = sock
        for endpoint in set(self._listening) - endpoints:
            sock = self._listening.pop(endpoint)
            sock.shutdown(socket.SHUT_RDWR)  # closing alone waits for the thread that polls
            sock.close()
        self.wake()

    def wake(self) -> None:
        """Have the thread look at everything anew."""
        if threading.current_thread() is not self._thread:
            with contextlib.suppress(BlockingIOError):
                self._near.send(b"!")

    def forget(self, wire: TcpWire) -> None:
        """Forget a socket that is about to be closed."""
        self._wires.pop(wire.sock.fileno(), None)

    def close(self) -> None:
        """Close every socket and join the thread."""
        self._closed = True
        self.wake()
        self._thread.join()
        for sock in (self._near, self._far, *self._listening.values()):
            sock.close()

    # -- in the thread

    def _run(self) -> None:
        while not self._closed:
            poll = select.poll()
            with self.machine.lock:
                poll.register(self._far, _IN)
                for sock in self._listening.values():
                    poll.register(sock, _IN)
                for descriptor, wire in self._wires.items():
                    poll.register(descriptor, wire.interest)
            ready = poll.poll(_LOOK)
            with self.machine.step():
                for descriptor, events in ready:
                    self._handle(descriptor, events)
        with self.machine.step():
            for wire in list(self._wires.values()):
                wire.connection.lost()
                wire.finish()

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._far.fileno():
            self._far.recv(4096)
        elif descriptor in self._wires:
            self._wires[descriptor].ready(events)
        else:
            for sock in self._listening.values():
                if sock.fileno() == descriptor:
                    self._accept(sock)

    def _accept(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = sock.accept()
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._wires[accepted.fileno()] = TcpWire(self, accepted)
