"""A client's request without a socket, and its answer: its coroutines can be awaited whatever thread answers.

`fake_client_http1.Client` and `fake_client_http2.Http2Client` make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.server.httpsys.model.machine import Machine

Pairs = list[tuple[bytes, bytes]]
PORTS = {"http": 80, "https": 443}


@frozen
class Response:
    """What came back."""

    status: int
    reason: bytes
    headers: Pairs
    body: bytes
    trailers: Pairs

    def header(self, name: str) -> bytes | None:
        """Give a header's value, of the first of that name."""
        wanted = name.lower().encode()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@define(eq=False)
class ClientCall:
    """A request, and as much of its answer as has come."""

    machine: Machine
    _send: Callable[[bytes], None] = field(repr=False)
    """Sends a piece of the body."""
    _finish: Callable[[Pairs], None] = field(repr=False)
    status: int = 0
    reason: bytes = b""
    headers: Pairs = field(factory=list)
    body: bytearray = field(factory=bytearray)
    trailers: Pairs = field(factory=list)
    informational: list[int] = field(factory=list)
    """Statuses of interim responses: 100 when it was asked to go on."""
    complete: bool = False
    reset: bool = False
    """The connection, or the stream, was broken before the answer was complete."""
    reset_code: int | None = None
    """With which code a stream was (HTTP/2)."""
    broken: str = ""
    """What was wrong with the bytes that came."""
    upgraded: bool = False
    waiting: int = 0

    # -- the request's body

    def send(self, data: bytes) -> None:
        """Send more of the request's body; after an upgrade, bytes as they are."""
        with self.machine.step():
            self._send(data)

    def finish(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """End the request's body."""
        with self.machine.step():
            self._finish([(name.encode(), value.encode()) for name, value in trailers])

    # -- the answer

    @property
    def _over(self) -> bool:
        return self.complete or self.reset or bool(self.broken)

    async def head(self, timeout: float = 5.0) -> Response:
        """Wait for the head of the answer."""
        await self.machine.until(lambda: self.status or self._over, timeout)
        self._raise_unless(self.status)
        return self._response()

    async def response(self, timeout: float = 5.0) -> Response:
        """Wait for all of the answer; raises ConnectionResetError when it is broken off."""
        await self.machine.until(lambda: self._over, timeout)
        self._raise_unless(self.complete)
        return self._response()

    async def read(self, size: int, timeout: float = 5.0) -> bytes:
        """Wait for that many bytes of the body, counted from its start."""
        await self.machine.until(lambda: len(self.body) >= size or self._over, timeout)
        self._raise_unless(len(self.body) >= size)
        return bytes(self.body)

    async def over(self, timeout: float = 5.0) -> None:
        """Wait until the answer is complete or broken off."""
        await self.machine.until(lambda: self._over, timeout)

    def wait(self, timeout: float = 5.0) -> Response:
        """Wait for all of the answer, in a thread."""
        self.machine.wait_for(lambda: self._over, timeout)
        self._raise_unless(self.complete)
        return self._response()

    def _raise_unless(self, condition: object) -> None:
        if not condition:
            raise ConnectionResetError(
                self.broken or "the connection was reset" if self.reset else "it is over"
            )

    def _response(self) -> Response:
        return Response(self.status, self.reason, list(self.headers), bytes(self.body), list(self.trailers))

    # -- a stream's answer (HTTP/2)

    def begun(self, status: int, reason: bytes, headers: Pairs) -> None:
        self.status, self.reason, self.headers = status, reason, headers

    def data(self, data: bytes) -> None:
        self.body += data

    def ended(self, trailers: Pairs) -> None:
        self.trailers, self.complete = trailers, True

    def was_reset(self, code: int) -> None:
        self.reset, self.reset_code = True, code
