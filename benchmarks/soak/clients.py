"""The load of a soak: clients that ask again and again, and remember what did not go well."""

from __future__ import annotations

import asyncio
import enum
import time
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from benchmarks.soak.application import answer_to

if TYPE_CHECKING:
    from random import Random

__all__ = ["Clients", "Ending", "Failed"]

_TIMEOUT: Final = 20.0
"""Seconds after which a request counts as stuck."""

_MAX_BODY: Final = 40_000


class Ending(enum.Enum):
    """What becomes of a request."""

    RIGHT = "answered"
    WRONG = "answered wrongly"
    STATUS = "refused"
    UNANSWERED = "closed without an answer"
    BROKEN_OFF = "broken off in the answer"
    STUCK = "stuck"


@frozen
class Failed:
    """A request that was not answered as it should be; times are of `time.monotonic`."""

    route: str
    began: float
    ended: float
    ending: Ending
    reused: bool
    """On a connection that had answered before."""

    detail: str


@define(eq=False)
class Clients:
    """As many connections as asked for on each route, each with one request at a time; bodies are drawn by `random`."""

    port: int
    random: Random
    answered: dict[str, int] = field(factory=dict)
    failed: list[Failed] = field(factory=list)
    _number: int = 0

    async def run(self, route: str, stopping: asyncio.Event) -> None:
        """Be one client, until `stopping`."""
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        reused = False
        while not stopping.is_set():
            if connection is None:
                connection, reused = await asyncio.open_connection("127.0.0.1", self.port), False
            self._number += 1
            path, size = f"/{route}/{self._number}", self._size()
            began = time.monotonic()
            ending, detail = await self._ask(*connection, path, size)
            if ending is Ending.RIGHT:
                self.answered[route] = self.answered.get(route, 0) + 1
                reused = True
                continue
            self.failed.append(Failed(route, began, time.monotonic(), ending, reused, f"{path} {detail}"))
            connection[1].transport.abort()
            connection = None
        if connection is not None:
            connection[1].close()

    def _size(self) -> int:
        """Draw the size of a body; most requests have none."""
        return self.random.randrange(1, _MAX_BODY) if self.random.random() < 0.2 else 0

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, size: int
    ) -> tuple[Ending, str]:
        received = bytearray()
        try:
            async with asyncio.timeout(_TIMEOUT):
                writer.write(self._request(path, size))
                return await _answer(reader, received, answer_to(path, size))
        except TimeoutError:
            return Ending.STUCK, f"{len(received)} bytes in {_TIMEOUT:g} s"
        except (OSError, EOFError) as error:
            ending = Ending.BROKEN_OFF if received else Ending.UNANSWERED
            return ending, f"{type(error).__name__} after {len(received)} bytes"

    def _request(self, path: str, size: int) -> bytes:
        """Make a request; half of those with a body are chunked."""
        if not size:
            return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        body = b"x" * size
        if self.random.random() < 0.5:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
            return head.encode() + body
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
        return head.encode() + body + b"\r\n0\r\n\r\n"


async def _answer(reader: asyncio.StreamReader, received: bytearray, expected: bytes) -> tuple[Ending, str]:
    """Read an answer into `received`, and judge it; raises OSError, EOFError when the connection ends before it does."""
    while b"\r\n\r\n" not in received:
        received += await _some(reader)
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split(None, 2)[1])
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        return Ending.WRONG, f"{status} without a length"
    length = int(rest.partition(b"\r\n")[0])
    while len(body) < length:
        piece = await _some(reader)
        received += piece
        body += piece
    if status != 200:
        return Ending.STATUS, f"{status} {bytes(body).decode(errors='replace').strip()}"
    if body != expected:
        return Ending.WRONG, f"{bytes(body)!r}, expected {expected!r}"
    return Ending.RIGHT, ""


async def _some(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(1 << 16)
    if not data:
        raise EOFError
    return data
