"""A destination with as little in it as can be: `python -m benchmarks.programs.origin PORT [CERTIFICATE]`.

It reads request bodies, which nginx does not wait for, answers in chunks, and echoes WebSocket messages. Where there is
no nginx, it answers for the files too. Its processor time is nobody's cost.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import signal
import ssl
import sys
from typing import Any, Final

from benchmarks.cases import ANSWERS, SMALL_BODY

_CHUNKED: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    + 3 * (b"%x\r\n%b\r\n" % (len(SMALL_BODY), SMALL_BODY))
    + b"0\r\n\r\n"
)
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)
_KEY: Final = re.compile(rb"\r\nsec-websocket-key: *([^\r ]+)", re.IGNORECASE)
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PIECE: Final = bytes(1 << 18)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CODING: Final = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


class Origin(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""
        self._path = b""
        self._left = 0
        """Bytes of the request's body that are still to come; -1 until the last chunk."""
        self._writing: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._echoing = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._writing is not None:
            self._writing.cancel()

    def data_received(self, data: bytes) -> None:
        if self._echoing:
            self._echo(data)
        elif self._left:
            self._take(data)
        else:
            self._received += data
            if b"\r\n\r\n" in self._received:
                head, _, rest = self._received.partition(b"\r\n\r\n")
                self._received = b""
                self._begin(head + b"\r\n", rest)

    def _begin(self, head: bytes, rest: bytes) -> None:
        self._path = head.split(b" ", 2)[1]
        self._close = _CLOSE.search(head) is not None
        if self._path == b"/echo":
            self._echoing = True
            self._transport.write(_SWITCHING % _accept(head))
            return
        length = _LENGTH.search(head)
        self._left = -1 if _CODING.search(head) else int(length[1]) if length else 0
        self._take(rest)

    def _take(self, data: bytes) -> None:
        if self._left < 0:
            self._received = (self._received + data)[-5:]
            if self._received != b"0\r\n\r\n":
                return
            self._received, self._left = b"", 0
        elif self._left:
            self._left -= len(data)
        if not self._left:
            self._answer()

    def _answer(self) -> None:
        path = "/" + self._path.decode().rpartition("/")[2]
        if path == "/chunked":
            self._transport.write(_CHUNKED)
        else:
            size = ANSWERS[path]
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size
            if size > len(_PIECE):
                self._transport.write(head)
                self._writing = asyncio.get_running_loop().create_task(self._write(size))
                return
            self._transport.write(head + (SMALL_BODY if size == len(SMALL_BODY) else _PIECE[:size]))
        self._answered()

    async def _write(self, size: int) -> None:
        for at in range(0, size, len(_PIECE)):
            await self._flowing.wait()
            self._transport.write(_PIECE[: size - at])
        self._answered()

    def _answered(self) -> None:
        if self._close:
            self._transport.close()

    def _echo(self, data: bytes) -> None:
        """Send messages back: from masked frames of less than 126 bytes to frames without a mask (RFC 6455 5.2)."""
        data = self._received + data
        at = 0
        answers = bytearray()
        while len(data) - at >= 6 and len(data) - at >= 6 + (size := data[at + 1] & 0x7F):
            mask, payload = data[at + 2 : at + 6], data[at + 6 : at + 6 + size]
            plain = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
            answers += bytes((data[at], size)) + plain.to_bytes(size, "big")
            at += 6 + size
        self._received = data[at:]
        self._transport.write(bytes(answers))


def _accept(head: bytes) -> bytes:
    """Return what answers a handshake's key (RFC 6455 4.2.2)."""
    key = _KEY.search(head)
    return base64.b64encode(hashlib.sha1(key[1] + _GUID).digest()) if key else b""


async def main(port: int, certificate: str = "") -> None:
    """Serve until SIGTERM, over TLS if there is a certificate."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(Origin, "127.0.0.1", port, backlog=4096, ssl=context)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), *sys.argv[2:]))
