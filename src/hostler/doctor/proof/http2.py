"""A client with HTTP/2 over TLS, by the library `h2`: its requests are written down as values, and so are the answers.

Events have the client's number in `client`, and in `does`: ask (with the connection's own port and the server's), and
answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, field

from hostler.doctor.proof.errors import BrokenPromiseError, NotTriedError
from hostler.doctor.proof.structures import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.doctor.proof.recording import Recorder

__all__ = ["Answer", "Http2Client", "RecordedHttp2", "connect_http2"]

_SIZE: Final = 1 << 16

Pairs = list[tuple[str, str]]


@define(eq=False)
class Answer:
    """An answer, as far as it has come."""

    status: int = 0
    body: bytes = b""
    trailers: Pairs = field(factory=list)
    reset: int | None = None
    """The code that the stream was reset with."""


class Http2Client(Protocol):
    """One connection."""

    port: int
    """The client's own."""

    async def ask(self, requests: Iterable[tuple[str, str, bytes]]) -> list[Answer]:
        """Send requests (method, target, body) at the same time; return their answers."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class RecordedHttp2:
    """A client that writes down what it asks, and what it is answered."""

    def __init__(self, client: Http2Client, recorder: Recorder, number: int, to: int) -> None:
        self._client = client
        self._recorder = recorder
        self._number = number
        self._to = to

    async def ask(self, *requests: tuple[str, str, bytes]) -> list[Answer]:
        """Send requests (method, target, body) at the same time; return their answers."""
        number, recorder = self._number, self._recorder
        for at, (method, target, body) in enumerate(requests):
            ports = {"port": self._client.port, "to": self._to}
            asked: dict[str, Any] = {"method": method, "target": target, "data": plain(body)}
            recorder.note(client=number, does="ask", request_number=at, **ports, **asked)
        answers = await self._client.ask(requests)
        for at, answer in enumerate(answers):
            said: dict[str, Any] = {
                "status": answer.status,
                "data": plain(answer.body),
                "trailers": answer.trailers,
            }
            recorder.note(client=number, does="answered", request_number=at, reset=answer.reset, **said)
        return answers

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


class _TlsClient:
    """A connection to a port of this machine, which need not prove whose it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        from h2.connection import H2Connection  # noqa: PLC0415 - not everybody has it

        self._reader, self._writer = reader, writer
        self._authority = authority
        self._connection = H2Connection()
        self._connection.initiate_connection()
        self._answers: defaultdict[int, Answer] = defaultdict(Answer)
        self._open: set[int] = set()
        self.port: int = writer.get_extra_info("sockname")[1]

    async def ask(self, requests: Iterable[tuple[str, str, bytes]]) -> list[Answer]:
        """Send requests (method, target, body) at the same time; return their answers."""
        streams = [self._send(*request) for request in requests]
        self._open.update(streams)
        while self._open:
            self._writer.write(self._connection.data_to_send())
            data = await self._reader.read(_SIZE)
            if not data:
                raise BrokenPromiseError("expected answers; the connection was closed")
            for event in self._connection.receive_data(data):
                self._take(event)
        return [self._answers.pop(stream) for stream in streams]

    def _send(self, method: str, target: str, body: bytes) -> int:
        connection = self._connection
        stream: int = connection.get_next_available_stream_id()
        head = [(":method", method), (":path", target), (":scheme", "https"), (":authority", self._authority)]
        connection.send_headers(stream, head, end_stream=not body)
        if body:
            connection.send_data(
                stream, body, end_stream=True
            )  # less than the first window, without a length
        return stream

    def _take(self, event: Any) -> None:
        answer = self._answers[event.stream_id] if getattr(event, "stream_id", None) else Answer()
        match type(event).__name__:
            case "ResponseReceived":
                answer.status = int(dict(_texts(event.headers))[":status"])
            case "DataReceived":
                answer.body += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case "TrailersReceived":
                answer.trailers = _texts(event.headers)
            case "StreamReset":
                answer.reset = int(event.error_code)
                self._open.discard(event.stream_id)
            case "StreamEnded":
                self._open.discard(event.stream_id)

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the server was faster


def _texts(headers: Iterable[tuple[bytes | str, bytes | str]]) -> Pairs:
    return [(_text(name), _text(value)) for name, value in headers]


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


async def connect_http2(port: int) -> Http2Client:
    """Connect over TLS; raises NotTriedError without the library, BrokenPromiseError when HTTP/2 is not agreed upon."""
    try:
        import h2  # noqa: F401, PLC0415 - not everybody has it
    except ImportError:
        raise NotTriedError("the client needs the library h2: pip install h2") from None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is the proof's own
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    if agreed != "h2":
        writer.close()
        raise BrokenPromiseError(f"expected that h2 is agreed upon; got {agreed!r}")
    return _TlsClient(reader, writer, f"localhost:{port}")
