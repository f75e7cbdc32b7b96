"""The fake's connections: one request after another, how long they last, how they end."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.program import NULL, URL

BASE = "http://localhost:8080"


def test_requests_on_one_connection_follow_one_another(program, client):
    calls = [client.request("GET", f"{BASE}/{at}") for at in range(3)]
    for at in range(3):
        request = program.take().request
        assert ffi.unpack(request.pRawUrl, request.RawUrlLength) == b"/%d" % at
        assert program.receive().code == c.IO_PENDING  # the next is not there before this is answered
        program.kernel.CancelIoEx(program.queue, NULL)
        program.packets()
        program.respond(request.RequestId, b"%d" % at)
    assert [call.wait().body for call in calls] == [b"0", b"1", b"2"]


def test_a_body_that_nobody_read_is_read_over(program, client):
    first = client.request("POST", URL, length=6)
    program.respond(program.take().request.RequestId)
    first.send(b"abcdef")
    second = client.request("GET", f"{BASE}/next")
    program.respond(program.take().request.RequestId, b"second")
    assert second.wait().body == b"second"


@pytest.mark.parametrize(
    ("version", "header", "keeps", "says"),
    [
        ("1.1", [], True, None),
        ("1.1", [("Connection", "close")], False, b"close"),
        ("1.0", [], False, b"close"),
        ("1.0", [("Connection", "keep-alive")], True, b"keep-alive"),
    ],
)
def test_the_client_says_whether_the_connection_lasts(program, client, version, header, keeps, says):
    call = client.request("GET", URL, header, version=version)
    program.respond(program.take().request.RequestId)
    assert call.wait().header("connection") == says
    assert client.connection.gone is not keeps


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /%zz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_cannot_be_parsed_is_answered_and_the_connection_closed(program, client, raw, status):
    client.send_raw(raw, 8080)
    assert client.received.startswith(b"HTTP/1.1 %d " % status)
    assert client.connection.gone
    assert program.receive().code == c.IO_PENDING


@pytest.mark.parametrize("how", ["malformed", "cut off"])
def test_a_body_that_breaks_off_ends_its_reads_and_is_400(program, client, how):
    call = client.request("POST", URL, chunked=True)
    request_id = program.take().request.RequestId
    io = program.read(request_id)
    if how == "malformed":
        client.send_raw(b"zz\r\n")
    else:
        client.close()
    assert program.result(io) == (c.CONNECTION_INVALID, 0)
    assert program.respond(request_id).code == c.CONNECTION_INVALID
    assert call.wait().status == 400


def test_the_end_of_a_clients_sending_does_not_end_its_request(program, client):
    call = client.request("GET", URL)
    request = program.take().request
    wait = program.call("HttpWaitForDisconnectEx", request.ConnectionId, 0)
    client.close()
    assert program.packets() == []
    program.respond(request.RequestId, b"still")
    assert call.wait().body == b"still"
    assert program.result(wait) == (c.OK, 0)


def test_a_client_that_goes_away_ends_everything_of_its(machine, program, client):
    client.request("POST", URL, length=3)
    request = program.take().request
    read = program.read(request.RequestId)
    waits = [program.call("HttpWaitForDisconnectEx", request.ConnectionId, 0),
             program.call("HttpWaitForDisconnect", request.ConnectionId)]  # fmt: skip
    client.disconnect()
    results = {address: code for address, code, _ in program.packets()}
    assert results == {read.address: c.CONNECTION_INVALID, **{wait.address: c.OK for wait in waits}}
    assert program.call("HttpWaitForDisconnectEx", request.ConnectionId, 0).code == c.CONNECTION_INVALID
    assert program.call("HttpCancelHttpRequest", request.RequestId).code == c.CONNECTION_INVALID
    assert machine.alive().get("request") is None


def test_a_client_that_goes_away_while_it_waits_is_never_received(program, client):
    client.request("GET", URL)
    client.disconnect()
    assert program.receive().code == c.IO_PENDING


def test_a_client_that_goes_away_between_two_receives_is_noticed(program, client):
    client.request("GET", URL)
    io = program.receive(848)
    client.disconnect()
    assert program.receive(4096, io.request.RequestId).code == c.CONNECTION_INVALID


def test_streams_are_at_the_same_time_and_are_cancelled_one_by_one(machine, program):
    client = machine.client(http2=True)
    first, second = (client.request("POST", f"{BASE}/{at}", more=True) for at in range(2))
    one, two = program.take().request, program.take().request
    assert one.ConnectionId != two.ConnectionId
    assert one.RawConnectionId == two.RawConnectionId
    waits = [program.call("HttpWaitForDisconnectEx", each.ConnectionId, 0) for each in (one, two)]
    client.cancel(first)
    assert program.result(waits[0]) == (c.OK, 0)
    assert program.respond(one.RequestId).code == c.CONNECTION_INVALID
    second.send(b"abc")
    second.finish()
    assert program.read(two.RequestId).data == b"abc"
    program.respond(two.RequestId, b"fine")
    assert second.wait().body == b"fine"
    assert program.result(waits[1]) == (c.OK, 0)


def test_a_stream_is_reset_with_the_code_that_was_set(machine, program):
    call = machine.client(http2=True).request("GET", URL)
    request_id = program.take().request.RequestId
    error = ffi.new("HTTP_REQUEST_PROPERTY_STREAM_ERROR *", (2,))
    assert program.call("HttpSetRequestProperty", request_id, 5, error, 4).code == c.OK
    assert program.call("HttpCancelHttpRequest", request_id).code == c.OK
    assert (call.reset, call.reset_code) == (True, 2)
