"""The fake returns what an implementation of http.sys was measured to return, and posts packets when that did."""

import pytest

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import NULL, URL, Io, Program

REQUEST_V1 = 848


@pytest.fixture
def machine():
    made = Machine()
    yield made
    made.close()


@pytest.fixture(params=["default", "skip-on-success"])
def skips(request):
    return request.param == "skip-on-success"


@pytest.fixture
def program(machine, skips):
    return Program(machine, skips=skips)


def packet_unless(skips, io, code, size):
    return [] if skips else [(io.address, code, size)]


def test_a_receive_with_nothing_waiting_pends_and_its_packet_comes_later(program, client):
    io = program.receive()
    assert io.code == c.IO_PENDING
    assert io.overlapped.Internal == c.STATUS_PENDING
    assert program.packets() == []
    client.request("GET", URL)
    [(address, code, size)] = program.packets()
    assert (address, code) == (io.address, c.OK)
    assert size == io.overlapped.InternalHigh > REQUEST_V1
    assert io.request.pRawUrl[0] == b"/"


def test_a_receive_with_a_request_waiting_is_over_at_once(program, client, skips):
    client.request("GET", URL)
    io = program.receive()
    assert io.code == c.OK
    assert io.size > REQUEST_V1
    assert program.packets() == packet_unless(skips, io, c.OK, io.size)


def test_a_pending_receive_with_too_small_a_buffer_gets_the_id_and_the_size(program, client):
    io = program.receive(REQUEST_V1)
    client.request("GET", URL)
    code, needed = program.result(io)
    assert code == c.MORE_DATA
    assert needed > REQUEST_V1
    again = program.receive(needed, io.request.RequestId)
    assert again.code == c.OK
    assert again.request.RequestId == io.request.RequestId


def test_a_receive_with_too_small_a_buffer_and_a_request_waiting_says_so_at_once(program, client, skips):
    client.request("GET", URL)
    io = program.receive(REQUEST_V1)
    assert io.code == c.MORE_DATA
    assert program.packets() == packet_unless(skips, io, c.MORE_DATA, io.size)
    assert program.receive(io.size - 1, io.request.RequestId).code == c.MORE_DATA
    program.packets()
    assert program.receive(io.size, io.request.RequestId).code == c.OK


def test_a_buffer_that_cannot_even_hold_the_structure_is_refused(program, client):
    client.request("GET", URL)
    assert program.receive(REQUEST_V1 - 1).code == c.INSUFFICIENT_BUFFER
    assert program.packets() == []
    assert program.take()


@pytest.mark.parametrize("call", ["receive", "read", "respond", "send"])
def test_an_unknown_request_is_no_connection(program, call):
    calls = {
        "receive": lambda: program.receive(request_id=99),
        "read": lambda: program.read(99),
        "respond": lambda: program.respond(99),
        "send": lambda: program.send(99),
    }
    assert calls[call]().code == c.CONNECTION_INVALID
    assert program.packets() == []


def test_a_read_of_a_body_that_is_there_is_over_at_once(program, client, skips):
    client.request("POST", URL, body=b"abc")
    request = program.take().request
    program.packets()
    io = program.read(request.RequestId)
    assert (io.code, io.data) == (c.OK, b"abc")
    assert program.packets() == packet_unless(skips, io, c.OK, 3)


def test_a_read_at_the_end_of_a_body_is_an_end_of_file_without_a_packet(program, client):
    client.request("POST", URL, body=b"abc")
    request = program.take().request
    program.read(request.RequestId)
    program.packets()
    assert program.read(request.RequestId).code == c.HANDLE_EOF
    assert program.packets() == []


def test_an_overlapped_send_is_over_at_once(program, client, skips):
    call = client.request("GET", URL)
    request = program.take().request
    program.packets()
    io = program.respond(request.RequestId, b"hello")
    assert io.code == c.OK
    assert io.size > len(b"hello")
    assert program.packets() == packet_unless(skips, io, c.OK, io.size)
    assert call.wait().body == b"hello"


def test_a_call_without_an_overlapped_posts_a_packet_with_a_dead_address(machine, program, client):
    client.request("GET", URL)
    io = Io(overlapped=NULL, buffer=program.receive().buffer)
    program.packets()
    client.request("GET", URL)
    machine.client().request("GET", URL)
    assert program.receive(io=io).code == c.OK
    [(address, code, _)] = program.packets()
    assert code == c.OK
    assert address != 0
    assert machine.defects == [
        "HttpReceiveHttpRequest with no OVERLAPPED on a queue that is associated with a port"
    ]


def test_a_response_to_a_client_that_is_gone_is_no_connection(program, client):
    client.request("GET", URL)
    request = program.take().request
    program.packets()
    client.disconnect()
    assert program.respond(request.RequestId).code == c.CONNECTION_INVALID
    assert program.packets() == []


def test_a_cancelled_operation_brings_its_packet_and_cannot_be_cancelled_again(program):
    io = program.receive()
    assert program.cancel(io) == 0
    assert program.cancel(io) == c.NOT_FOUND
    assert program.result(io) == (c.OPERATION_ABORTED, 0)
    assert program.cancel(io) == c.NOT_FOUND


def test_closing_a_queue_completes_every_receive_that_pends(program):
    pending = [program.receive() for _ in range(3)]
    assert program.http.HttpCloseRequestQueue(program.queue) == c.OK
    assert sorted(program.packets()) == sorted((io.address, c.OPERATION_ABORTED, 0) for io in pending)
