"""The fake's responses: heads, framing, flags, chunks of all kinds, opaque mode, clients that do not keep up."""

import pytest

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine, Pace
from tests.server.httpsys.model.program import URL, Program, memory_chunk, trailers_chunk

BASE = "http://localhost:8080"


def begun(program, client, method="GET", **more):
    """Send a request and receive it; returns the client's side and the id."""
    call = client.request(method, URL, **more)
    return call, program.take().request.RequestId


def expect(machine, *defects):
    assert machine.defects == list(defects)
    machine.defects.clear()


# -- heads


def test_what_http_sys_adds(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"hello", headers={"Content-Type": "text/plain", "X-Own": "1"})
    response = call.wait()
    assert (response.status, response.reason, response.body) == (200, b"Fine", b"hello")
    assert response.headers[:3] == [
        (b"Content-Type", b"text/plain"),
        (b"X-Own", b"1"),
        (b"Content-Length", b"5"),
    ]
    assert response.header("server") == b"Microsoft-HTTPAPI/2.0"
    assert response.header("date").endswith(b" GMT")


def test_the_applications_own_server_and_date(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, headers={"Server": "mine", "Date": "yesterday"})
    response = call.wait()
    assert response.header("server") == b"mine Microsoft-HTTPAPI/2.0"
    assert [value[-4:] for name, value in response.headers if name == b"Date"] == [b" GMT"]
    machine.disable_server_header = 2
    call, request_id = begun(program, client)
    program.respond(request_id)
    assert call.wait().header("server") is None


def test_a_known_header_may_be_there_several_times(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, several={"Set-Cookie": ["a=1", "b=2"]}, headers={"X": "1", "x": "2"})
    headers = call.wait().headers
    assert [value for name, value in headers if name == b"Set-Cookie"] == [b"a=1", b"b=2"]
    assert [pair for pair in headers if pair[0].lower() == b"x"] == [(b"X", b"1"), (b"x", b"2")]


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"X y": "1"}, {"Content-Length": "many"}])
def test_headers_that_cannot_be_sent_are_refused(program, client, headers):
    _, request_id = begun(program, client)
    assert program.respond(request_id, headers=headers).code == c.INVALID_PARAMETER


def test_how_many_bytes_were_sent_is_said(program, client):
    call, request_id = begun(program, client)
    io = program.respond(request_id, b"hello")
    call.wait()
    assert io.size == len(client.received)
    assert io.overlapped.InternalHigh == io.size


# -- framing


def test_a_body_in_pieces_with_a_length(program, client):
    call, request_id = begun(program, client)
    assert program.respond(request_id, b"ab", c.MORE, headers={"Content-Length": "5"}).code == c.OK
    assert bytes(call.body) == b"ab"
    assert program.send(request_id, b"cde", c.MORE).code == c.OK
    assert program.send(request_id).code == c.OK
    assert call.wait().body == b"abcde"
    assert not client.connection.gone


def test_a_body_that_the_application_chunks(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"", c.MORE, headers={"Transfer-Encoding": "chunked"})
    program.send(request_id, b"2\r\nab\r\n", c.MORE)
    program.send(request_id, b"0\r\nx-sum: 1\r\n\r\n")
    response = call.wait()
    assert (response.body, response.trailers) == (b"ab", [(b"x-sum", b"1")])


def test_chunks_that_are_none_are_noticed_here_and_by_the_client(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"no chunk\r\n", headers={"Transfer-Encoding": "chunked"})
    assert call.broken
    assert "chunk" in machine.defects.pop()


def test_a_last_chunk_that_is_missing_is_noticed(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"2\r\nab\r\n", headers={"Transfer-Encoding": "chunked"})
    assert not call.complete
    expect(machine, "the response to GET / is chunked and ends without the last chunk")


def test_a_body_of_unknown_length_ends_with_the_connection(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"ab", c.MORE)
    program.send(request_id, b"cd", c.DISCONNECT)
    response = call.wait()
    assert response.body == b"abcd"
    assert response.header("connection") == b"close"
    assert client.connection.gone


def test_a_body_of_unknown_length_without_disconnect_is_noticed(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"ab", c.MORE)
    program.send(request_id, b"cd")
    assert call.wait().body == b"abcd"
    assert client.connection.gone
    expect(machine, "the response to GET / is of unknown length and is not ended with DISCONNECT")


def test_http_sys_chunks_when_told_to(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"ab", c.MORE | c.AUTOMATIC_CHUNKING)
    program.send(request_id, [memory_chunk(b"cd"), trailers_chunk({"x-sum": "2"})], c.AUTOMATIC_CHUNKING)
    response = call.wait()
    assert (response.body, response.trailers) == (b"abcd", [(b"x-sum", b"2")])
    assert not client.connection.gone


def test_a_body_that_is_shorter_than_it_says_breaks_the_connection(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"abcd", headers={"Content-Length": "9"})
    assert call.reset
    expect(machine, "the response to GET / ends after 4 bytes of a Content-Length of 9")


def test_a_body_that_is_longer_than_it_says_is_not_cut(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"abcd", headers={"Content-Length": "3"})
    assert call.wait().body == b"abc"
    assert bytes(client.received).endswith(b"abcd")
    expect(machine, "the response to GET / has 4 bytes of a Content-Length of 3")


def test_a_head_request_gets_no_body(program, client):
    call, request_id = begun(program, client, "HEAD")
    program.respond(request_id, b"hello")
    response = call.wait()
    assert (response.body, response.header("content-length")) == (b"", b"5")
    call, request_id = begun(program, client, "HEAD")
    program.respond(request_id, headers={"Content-Length": "9"})
    assert call.wait().header("content-length") == b"9"
    call, request_id = begun(program, client, "HEAD")
    program.respond(request_id)
    assert call.wait().header("content-length") is None


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_that_have_no_body(program, client, status):
    call, request_id = begun(program, client)
    program.respond(request_id, status=status)
    response = call.wait()
    assert (response.status, response.header("content-length")) == (status, None)
    assert not client.connection.gone


def test_disconnect_closes_the_connection_after_the_answer(program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"bye", c.DISCONNECT)
    response = call.wait()
    assert (response.body, response.header("connection")) == (b"bye", b"close")
    assert client.connection.gone


def test_streams_need_no_framing(machine, program):
    call = machine.client(http2=True).request("GET", URL)
    request_id = program.take().request.RequestId
    program.respond(request_id, b"ab", c.MORE)
    program.send(request_id, [memory_chunk(b"cd"), trailers_chunk({"x-sum": "2"})])
    response = call.wait()
    assert (response.body, response.trailers) == (b"abcd", [(b"x-sum", b"2")])
    assert response.header("content-length") is None


def test_a_stream_with_transfer_encoding_is_noticed(machine, program):
    machine.client(http2=True).request("GET", URL)
    program.respond(program.take().request.RequestId, headers={"Transfer-Encoding": "chunked"})
    expect(machine, "the response to GET / has Transfer-Encoding on a version that has none")


# -- calls in the wrong order, flags


def test_after_the_last_send_the_request_is_unknown(program, client):
    _, request_id = begun(program, client)
    program.respond(request_id)
    assert program.send(request_id).code == c.CONNECTION_INVALID
    assert program.respond(request_id).code == c.CONNECTION_INVALID
    assert program.read(request_id).code == c.CONNECTION_INVALID


def test_heads_come_once_and_first(program, client):
    _, request_id = begun(program, client)
    assert program.send(request_id, b"x", c.MORE).code == c.INVALID_PARAMETER
    assert program.respond(request_id, b"", c.MORE).code == c.OK
    assert program.respond(request_id, b"", c.MORE).code == c.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("flags", "status", "code"),
    [
        (c.DISCONNECT | c.MORE, 200, c.INVALID_PARAMETER),
        (c.OPAQUE, 200, c.INVALID_PARAMETER),
        (0, 101, c.INVALID_PARAMETER),
        (0, 100, c.INVALID_PARAMETER),
        (0, 103, c.INVALID_PARAMETER),
        (0x1000, 200, c.INVALID_PARAMETER),
        (c.BUFFER_DATA | c.NAGLING | c.GOAWAY, 200, c.OK),
    ],
)
def test_flags_and_statuses(program, client, flags, status, code):
    _, request_id = begun(program, client)
    assert program.respond(request_id, b"", flags, status=status).code == code


def test_an_older_windows_does_not_know_newer_flags():
    machine = Machine(version="2019")
    program = Program(machine)
    _, request_id = begun(program, machine.client())
    assert program.respond(request_id, b"", c.GOAWAY).code == c.INVALID_PARAMETER
    assert program.respond(request_id, b"").code == c.OK
    machine.close()


def test_one_send_at_a_time(machine, program, client):
    machine.pace = Pace.HELD
    call, request_id = begun(program, client)
    first = program.respond(request_id, b"a", c.MORE | c.AUTOMATIC_CHUNKING)
    assert first.code == c.IO_PENDING
    assert program.send(request_id, b"b", c.MORE | c.AUTOMATIC_CHUNKING).code == c.BAD_COMMAND
    machine.complete_sends()
    assert program.result(first)[0] == c.OK
    program.send(request_id, b"c", c.AUTOMATIC_CHUNKING)
    machine.complete_sends()
    assert call.wait().body == b"ac"


# -- awaiting it


async def test_coroutines_wait_for_what_threads_do(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"ab", c.MORE, headers={"Content-Length": "4"})
    assert (await call.head()).status == 200
    assert await call.read(2) == b"ab"
    program.send(request_id, b"cd")
    assert (await call.response()).body == b"abcd"
    assert await machine.until(lambda: call.complete)


async def test_a_broken_answer_is_an_error_for_who_awaits_it(program, client):
    call, request_id = begun(program, client)
    program.call("HttpCancelHttpRequest", request_id)
    with pytest.raises(ConnectionResetError):
        await call.response()


async def test_waiting_has_an_end(machine):
    with pytest.raises(TimeoutError):
        await machine.until(lambda: False, timeout=0.01)


def test_goaway_is_for_streams_and_newer_windows(machine, program, client):
    streams = machine.client(http2=True)
    call = streams.request("GET", URL)
    assert program.respond(program.take().request.RequestId, b"x", c.GOAWAY).code == c.OK
    assert call.wait().body == b"x"
    assert streams.connection.going_away
    call = client.request("GET", URL)
    assert program.respond(program.take().request.RequestId, b"x", c.GOAWAY).code == c.OK
    assert call.wait().body == b"x"
    machine.release = 2019
    streams.request("GET", URL)
    assert program.respond(program.take().request.RequestId, b"x", c.GOAWAY).code == c.INVALID_PARAMETER
