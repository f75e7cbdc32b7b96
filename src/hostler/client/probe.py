"""Asking for one thing, on a connection of its own, and taking a bounded answer: a probe of a health check, keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from hostler.http.headers import Headers
from hostler.http.message import Request

if TYPE_CHECKING:
    from hostler.client.upstream import ConnectionOpener, UpstreamConnection, UpstreamStream
    from hostler.errors import ProtocolError
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response

__all__ = ["BODY_LIMIT", "ProbeRequest", "ProbeResponse", "ask"]

BODY_LIMIT: Final = 1 << 14
"""How many bytes of an answer's body are read, if nobody asks for more; what follows them is not waited for."""


@frozen
class ProbeRequest:
    """What a destination is asked; `attrs.evolve` makes another one of it."""

    origin: str
    """Whom to ask: an address without a path, `scheme://host[:port]`."""

    target: str
    """What for: path and query, percent-encoded."""

    host: str | None = None
    """What Host says; None for the origin's."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Write it as a log line has it."""
        return f"{self.method} {self.origin}{self.target}"


@frozen(eq=False)
class ProbeResponse:
    """What a destination answered."""

    status: int
    headers: Headers = field(factory=Headers)
    body: bytes = b""
    """Its first bytes, at most as many as were asked for."""

    complete: bool = True
    """Whether that is all of it."""


async def ask(
    connector: ConnectionOpener, request: ProbeRequest, timeout: float, *, body_limit: int = BODY_LIMIT
) -> ProbeResponse:
    """Connect, ask, and close; once the answer's head is there, it is an answer, whatever its body does.

    Raises TimeoutError where that takes more than `timeout` seconds, OSError or UnicodeError for a connection that
    cannot be opened or breaks, ProtocolError for what is not HTTP.
    """
    answer = _Answer(body_limit)
    connection: UpstreamConnection | None = None
    stream: UpstreamStream | None = None
    try:
        async with asyncio.timeout(timeout):
            connection = await connector.connect(_NOBODY)
            stream = connection.begin(_outgoing(connector, request), answer, timeout)
            error = await answer.done
    except TimeoutError as late:
        error = late
    finally:
        if stream is not None and not answer.is_over:
            stream.cancel()
        elif connection is not None:
            connection.close()
    if answer.response is not None:
        response, body = answer.response, b"".join(answer.pieces)
        return ProbeResponse(response.status, response.headers, body, answer.is_complete)
    if error is None or isinstance(error, TimeoutError):
        if connection is None:
            timeout = min(timeout, connector.client.connect_timeout)
        raise TimeoutError(f"no {'connection' if connection is None else 'answer'} within {timeout:g} s")
    raise error


def _outgoing(connector: ConnectionOpener, request: ProbeRequest) -> Request:
    address = connector.address
    headers = Headers.of([("Host", address.authority), *request.headers, ("Connection", "close")])
    if address.proxy_authorization is not None:
        headers.add("Proxy-Authorization", address.proxy_authorization)
    target = address.base_path + request.target.encode("ascii")
    return Request(request.method, target, headers, host=address.authority)


class _Nobody:
    """The owner of a connection that nobody uses again."""

    def released(self, connection: UpstreamConnection) -> None:
        """Leave it to whoever asked."""

    def closed(self, connection: UpstreamConnection) -> None:
        """Leave it to whoever asked."""


_NOBODY: Final = _Nobody()


class _Answer:
    """The answer as far as it has come; `ExchangeSink`."""

    def __init__(self, room: int) -> None:
        self.done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        """Over when there is nothing more to wait for; its result is why, where that was an error."""
        self.is_over = False
        """The stream is over."""
        self.is_complete = False
        """The last byte of the answer has come."""
        self.response: Response | None = None
        self.pieces: list[bytes] = []
        self._room = room

    def takes_plain(self) -> bool:
        """Have the head as a value."""
        return False

    def answered_plain(
        self, status: int, block: bytes, has_date: bool, framing: int, data: bytes, complete: bool, /
    ) -> None:
        """Never called."""

    def informed(self, response: Response) -> None:
        """Wait for the final response."""

    def answered(self, response: Response, data: bytes) -> None:
        """Keep the head, and the first of the body."""
        self.response = response
        if data:
            self.received(data)

    def received(self, data: bytes) -> None:
        """Keep a piece of the body, while there is room."""
        self.pieces.append(data[: self._room])
        self._room -= len(data)
        if self._room <= 0:
            self._settle(None)

    def complete(self, trailers: RawHeaders) -> None:
        """Take the answer as it is."""
        self.is_complete = True
        self._end(None)

    def ended(self) -> None:
        """Never called: the request offers no upgrade."""

    def broken(self, error: ProtocolError) -> None:
        """Give up on what is not HTTP."""
        self._end(error)

    def disconnected(self, error: Exception | None, *, stale: bool) -> None:
        """Give up on a destination that is gone."""
        self._end(error or ConnectionResetError("the destination closed the connection"))

    def timed_out(self) -> None:
        """Give up on a destination that is silent."""
        self._end(TimeoutError())

    def pause_writing(self) -> None:
        """Do nothing: there is no body to hold back."""

    def resume_writing(self) -> None:
        """Do nothing."""

    def _end(self, error: Exception | None) -> None:
        self.is_over = True
        self._settle(error)

    def _settle(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(error)
