"""What a client can do wrong over TLS, many times over: each function does so against a port of 127.0.0.1.

They run in a process of their own, with less claim to the processor than whom they disturb.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ATTACKS", "attack"]

_PATIENCE: Final = 30.0
_SMALL: Final = b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_LARGE: Final = b"GET /1m HTTP/1.1\r\nHost: localhost\r\n\r\n"
_UPLOAD: Final = b"POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n" + 900 * b"x"
_DEAF: Final = 64
"""Clients that never read."""

_TRICKLING: Final = 8


def attack(name: str, port: int, count: int) -> None:
    """Run one of the attacks."""
    os.nice(10)
    ATTACKS[name](port, count)


def _context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    return context


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)


def _client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    client = _context().wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def half_open(port: int, count: int) -> None:
    """Begin handshakes and say no more: nothing, half of a ClientHello, all of it; until the server gives up."""
    hello = _client_hello()
    with ExitStack() as stack:
        connections = []
        for number in range(count):
            connection = stack.enter_context(_connect(port))
            connection.sendall((b"", hello[:50], hello)[number % 3])
            connections.append(connection)
        for connection in connections:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1 << 16):
                    pass  # its side of the handshake


def renegotiation(port: int, count: int) -> None:
    """Ask for renegotiations, which only openssl does."""
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2")
    for _ in range(count):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"R\n")
        process.stdin.flush()
        process.stdout.read()
        process.communicate(timeout=_PATIENCE)


def resumptions(port: int, count: int) -> None:
    """Resume a session again and again, each on a new connection that asks once."""
    context, session = _context(), None
    for _ in range(count):
        with context.wrap_socket(_connect(port), session=session) as connection:
            connection.sendall(_SMALL)
            while connection.recv(1 << 16):
                pass
            if session is not None and not connection.session_reused:
                raise AssertionError("a session was not resumed")
            session = connection.session


def one_byte_records(port: int, count: int) -> None:
    """Send requests in records of one byte, `count` of them on each of several connections."""
    with ExitStack() as stack:
        context = _context()
        connections = [stack.enter_context(context.wrap_socket(_connect(port))) for _ in range(_TRICKLING)]
        for _ in range(max(1, count // len(_UPLOAD))):
            for byte in _UPLOAD:
                for connection in connections:
                    connection.send(bytes((byte,)))
            for connection in connections:
                if not connection.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                    raise AssertionError("the answer was not 200")


def never_reading(port: int, count: int) -> None:
    """Ask for much on many connections and read none of it, for a while."""
    with ExitStack() as stack:
        context = _context()
        for _ in range(_DEAF):
            raw = _connect(port)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection = stack.enter_context(context.wrap_socket(raw))
            connection.sendall(_LARGE * min(count, 50))
        time.sleep(3)


def no_tls(port: int, count: int) -> None:
    """Send what is no TLS: a request of HTTP, and bytes of no meaning."""
    for number in range(count):
        with _connect(port) as connection, contextlib.suppress(OSError):
            connection.sendall(_SMALL if number % 2 else os.urandom(300))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass


ATTACKS: Final[dict[str, Callable[[int, int], None]]] = {
    "half-open": half_open,
    "renegotiation": renegotiation,
    "resumptions": resumptions,
    "one-byte-records": one_byte_records,
    "never-reading": never_reading,
    "no-tls": no_tls,
}
