"""A client on a raw socket, which writes down what it does before it does it, and what it has heard.

Events have the client's number in `client`, and in `does`: connect (with its own port and the server's), send, hear (a
`unit`: a head, bytes, or the end), shut (no more is sent), close, reset.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from hostler.doctor.proof.structures import plain

if TYPE_CHECKING:
    from hostler.doctor.proof.recording import Recorder

__all__ = ["Client", "Head", "connect"]

_RESET: Final = struct.pack("hh", 1, 0) if hasattr(socket, "SO_EXCLUSIVEADDRUSE") else struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing resets. Windows has it in 16 bits."""


@frozen
class Head:
    """The head of an answer."""

    status: int
    headers: dict[str, str]
    """By lower-case name; of those that repeat, the last."""


class Client:
    """One connection to 127.0.0.1."""

    def __init__(
        self, recorder: Recorder, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._recorder = recorder
        self._number = number
        self._reader, self._writer = reader, writer

    def _note(self, does: str, **more: Any) -> None:
        self._recorder.note(client=self._number, does=does, **more)

    # -- sending

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self._note("send", data=plain(data))
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, target: str, *headers: str, method: str = "GET", body: bytes = b"") -> None:
        """Send a request; with a body, its length."""
        port = self._writer.get_extra_info("peername")[1]
        lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{port}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if body:
            await self.send(body)

    # -- hearing

    async def head(self) -> Head:
        """Read the head of an answer."""
        data = await self._reader.readuntil(b"\r\n\r\n")
        self._note("hear", unit="head", data=plain(data))
        first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        return Head(int(first.split(" ")[1]), {name.lower(): value.strip() for name, value in pairs})

    async def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        data = await self._reader.readexactly(size)
        self._note("hear", unit="bytes", data=plain(data))
        return data

    async def chunk(self) -> bytes:
        """Read a chunk of a body, b"" for the last, without trailers."""
        line = await self._reader.readuntil(b"\r\n")
        rest = await self._reader.readexactly(int(line, 16) + 2)
        self._note("hear", unit="bytes", data=plain(line + rest))
        return rest[:-2]

    async def body(self, head: Head) -> bytes:
        """Read the body of an answer."""
        if "content-length" in head.headers:
            return await self.exactly(int(head.headers["content-length"]))
        if head.headers.get("transfer-encoding") != "chunked":
            return b""
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
        return b"".join(pieces)

    async def answer(self) -> tuple[int, bytes]:
        """Read an answer; returns its status and its body."""
        head = await self.head()
        return head.status, await self.body(head)

    async def end(self) -> None:
        """Wait until the server has closed the connection, or reset it."""
        try:
            await self._reader.read()
        except ConnectionError:
            self._note("hear", unit="reset")
        else:
            self._note("hear", unit="end")

    # -- leaving

    def shut(self) -> None:
        """Say that nothing more is sent (FIN); what the server sends can still be read."""
        self._note("shut")
        self._writer.write_eof()

    def reset(self) -> None:
        """Break the connection off (RST)."""
        self._note("reset")
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        if not self._writer.transport.is_closing():
            self._note("close")
            self._writer.close()
        with suppress(ConnectionError):  # the server was faster
            await self._writer.wait_closed()


async def connect(recorder: Recorder, number: int, port: int) -> Client:
    """Connect to a port of this machine; raises OSError."""
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.bind(("127.0.0.1", 0))
        recorder.note(client=number, does="connect", port=sock.getsockname()[1], to=port)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
    except BaseException:
        sock.close()
        raise
    return Client(recorder, number, reader, writer)
