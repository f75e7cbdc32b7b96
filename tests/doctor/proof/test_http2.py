"""The client with HTTP/2 over TLS, with a server that is not ours: h2 answers."""

import asyncio
import ssl
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from hostler.doctor.proof.errors import BrokenPromiseError
from hostler.doctor.proof.http2 import RecordedHttp2, connect_http2
from hostler.doctor.proof.recording import Recorder

CERTIFICATES = Path(__file__).parents[2] / "client" / "certificates"


class Answering:
    """A connection of the server's: says how much came; /reset is reset, and /close closes the connection."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._connection = H2Connection(H2Configuration(client_side=False))
        self._requests = {}

    async def run(self):
        self._connection.initiate_connection()
        while data := await self._reader.read(65536):
            for event in self._connection.receive_data(data):
                self._take(event)
            self._writer.write(self._connection.data_to_send())
        self._writer.close()

    def _take(self, event):
        connection = self._connection
        if isinstance(event, RequestReceived):
            self._requests[event.stream_id] = [dict(event.headers)[b":path"], 0]
        elif isinstance(event, DataReceived):
            self._requests[event.stream_id][1] += len(event.data)
        elif isinstance(event, StreamEnded):
            path, size = self._requests.pop(event.stream_id)
            if path == b"/reset":
                connection.reset_stream(event.stream_id, 8)
            elif path == b"/close":
                self._writer.close()
            else:
                connection.send_headers(event.stream_id, [(":status", "201")])
                connection.send_data(event.stream_id, b"%s %d" % (path, size))
                connection.send_headers(event.stream_id, [("x-after", "all")], end_stream=True)


@pytest.fixture
async def port(request):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    context.set_alpn_protocols(getattr(request, "param", ["h2"]))
    server = await asyncio.start_server(
        lambda reader, writer: Answering(reader, writer).run(), "127.0.0.1", 0, ssl=context
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_requests_at_the_same_time_get_their_answers(port):
    recorder = Recorder("here")
    client = RecordedHttp2(await connect_http2(port), recorder, 1, port)
    answers = await client.ask(("GET", "/one", b""), ("POST", "/two", b"x" * 5000), ("GET", "/reset", b""))
    await client.close()
    assert [(answer.status, answer.body) for answer in answers] == [
        (201, b"/one 0"),
        (201, b"/two 5000"),
        (0, b""),
    ]
    assert [answer.trailers for answer in answers] == [[("x-after", "all")], [("x-after", "all")], []]
    assert [answer.reset for answer in answers] == [None, None, 8]
    events = recorder.take()
    assert [event["does"] for event in events] == ["ask"] * 3 + ["answered"] * 3
    assert events[1]["data"] == [{"run": "x", "times": 5000}]
    assert events[3]["trailers"] == [("x-after", "all")]


async def test_a_connection_that_is_closed_is_a_broken_promise(port):
    client = await connect_http2(port)
    with pytest.raises(BrokenPromiseError, match="closed"):
        await client.ask([("GET", "/close", b"")])
    await client.close()


@pytest.mark.parametrize("port", [["http/1.1"]], indirect=True)
async def test_what_speaks_no_http2_is_a_broken_promise(port):
    with pytest.raises(BrokenPromiseError, match="h2 is agreed upon"):
        await connect_http2(port)
