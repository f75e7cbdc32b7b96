"""The ways to TLS that a server in Python has: `python -m benchmarks.programs.engines ENGINE PORT CERTIFICATE`.

Each answers from memory as soon as a request's head is there, so that nothing is measured but the engine.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from typing import TYPE_CHECKING, Any, Final

import uvloop

from benchmarks.cases import body_of

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
_ANSWERS: Final = {
    f"GET {path} ".encode(): _HEAD % len(body_of(path)) + body_of(path) for path in ("/small", "/1m")
}


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            path = self._received[: self._received.index(b" ", 4) + 1]
            self._transport.write(_ANSWERS[path])
            if b"\r\nconnection: close\r\n" in self._received:
                self._transport.close()
            self._received = b""


def of_the_loop(context: ssl.SSLContext) -> tuple[Callable[[], asyncio.Protocol], ssl.SSLContext | None]:
    """Return what a loop needs to encrypt by itself."""
    return Answering, context


def of_hostler(context: ssl.SSLContext) -> tuple[Callable[[], asyncio.Protocol], ssl.SSLContext | None]:
    """Return what a loop needs where hostler's transport encrypts."""
    from hostler.tls.engine import TlsEngine  # noqa: PLC0415 - the others do without
    from hostler.tls.transport import TlsTransport  # noqa: PLC0415

    class Handshake(asyncio.Protocol):
        """What comes before hostler's transport."""

        def connection_made(self, transport: Any) -> None:
            self._raw = transport
            self._engine = TlsEngine(context, server_side=True)

        def data_received(self, data: bytes) -> None:
            self._engine.incoming.write(data)
            complete = self._engine.shake_hands()
            self._raw.write(self._engine.outgoing.read())
            if complete:
                TlsTransport(asyncio.get_running_loop(), self._raw, self._engine, Answering())

    return Handshake, None


ENGINES: Final = {
    "hostler": (of_hostler, uvloop.new_event_loop),
    "hostler-asyncio": (of_hostler, asyncio.new_event_loop),
    "uvloop": (of_the_loop, uvloop.new_event_loop),
    "asyncio": (of_the_loop, asyncio.new_event_loop),
}


async def main(engine: str, port: int, certificate: str) -> None:
    """Serve until SIGTERM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    factory, encrypted = ENGINES[engine][0](context)
    server = await loop.create_server(factory, "127.0.0.1", port, backlog=4096, ssl=encrypted)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=ENGINES[sys.argv[1]][1]) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
