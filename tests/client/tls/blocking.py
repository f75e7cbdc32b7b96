"""A destination on a blocking socket: it says by an alert why a handshake fails, where asyncio's closes without a word."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

__all__ = ["blocking"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@asynccontextmanager
async def blocking(context, serve=lambda encrypted: encrypted.sendall(OK), connections=1):
    """Accept so many connections; `serve` is called, in a thread, with each whose first request's head has come.

    Gives the port, and a list of what became of each handshake: None, or the error.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)
    ends = []

    def run():
        for _ in range(connections):
            ends.append(_serve_one(listening.accept()[0], context, serve))

    served = asyncio.create_task(asyncio.to_thread(run))
    try:
        yield listening.getsockname()[1], ends
    finally:
        try:
            await served
        finally:
            listening.close()


def _serve_one(sock, context, serve):
    encrypted = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    try:
        encrypted.do_handshake()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = encrypted.recv(1 << 16)
            if not piece:
                return None
            head += piece
        serve(encrypted)
        encrypted.unwrap()
    except ssl.SSLError as error:
        return error
    except OSError:
        return None
    else:
        return None
    finally:
        with suppress(OSError), socket.socket(fileno=encrypted.detach()) as plain:
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(1 << 16):  # a reset would overtake the alert
                pass
