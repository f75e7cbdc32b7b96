"""The fake's bodies of requests: as they arrive, decoded, read over, held back."""

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.model.program import URL


def test_a_request_without_a_body_has_no_more(program, client):
    client.request("GET", URL)
    request = program.take().request
    assert request.Flags == 0
    assert program.read(request.RequestId).code == c.HANDLE_EOF


def test_a_body_comes_as_it_arrives(program, client):
    call = client.request("POST", URL, length=6)
    request = program.take().request
    assert request.Flags == c.MORE_ENTITY_BODY_EXISTS
    io = program.read(request.RequestId)
    assert io.code == c.IO_PENDING
    call.send(b"abc")
    assert program.result(io) == (c.OK, 3)
    assert ffi.unpack(io.buffer, 3) == b"abc"
    last = program.read(request.RequestId)
    call.send(b"def")
    assert program.result(last) == (c.OK, 3)
    assert program.read(request.RequestId).code == c.HANDLE_EOF


def test_a_read_that_waits_for_the_end_completes_with_it(program, client):
    call = client.request("POST", URL, chunked=True)
    io = program.read(program.take().request.RequestId)
    call.finish()
    assert program.result(io) == (c.HANDLE_EOF, 0)


def test_chunks_are_decoded_and_reads_take_what_fits(program, client):
    call = client.request("POST", URL, chunked=True)
    request_id = program.take().request.RequestId
    call.send(b"abcde")
    call.send(b"fgh")
    call.finish([("x-sum", "1")])
    assert program.read(request_id, 3).data == b"abc"
    assert program.read(request_id).data == b"defgh"
    assert program.read(request_id).code == c.HANDLE_EOF


def test_a_read_may_wait_until_its_buffer_is_full(program, client):
    call = client.request("POST", URL, length=5)
    request_id = program.take().request.RequestId
    call.send(b"abc")
    io = program.read(request_id, 4, c.FILL_BUFFER)
    assert io.code == c.IO_PENDING
    call.send(b"de")
    assert program.result(io) == (c.OK, 4)
    assert program.read(request_id, 4, c.FILL_BUFFER).data == b"e"


def test_several_reads_are_served_in_order(program, client):
    call = client.request("POST", URL, length=5)
    request_id = program.take().request.RequestId
    first, second = program.read(request_id, 2), program.read(request_id, 2)
    call.send(b"abc")
    assert [address for address, _, _ in program.packets()] == [first.address, second.address]
    assert (first.buffer[0], second.buffer[0]) == (b"a", b"c")


def test_a_body_can_come_with_the_head(program, client):
    client.request("POST", URL, body=b"hello")
    request = program.receive(flags=c.COPY_BODY).request
    chunk = request.pEntityChunks[0]
    assert (request.EntityChunkCount, chunk.FromMemory.BufferLength) == (1, 5)
    assert ffi.unpack(ffi.cast("char *", chunk.FromMemory.pBuffer), 5) == b"hello"
    assert request.Flags == 0
    assert program.read(request.RequestId).code == c.HANDLE_EOF


def test_the_rest_of_a_body_that_came_with_the_head_is_read(program, client):
    client.request("POST", URL, body=b"x" * 5000)
    request = program.receive(4096, flags=c.COPY_BODY).request
    copied = request.pEntityChunks[0].FromMemory.BufferLength
    assert 0 < copied < 4096
    assert request.Flags == c.MORE_ENTITY_BODY_EXISTS
    assert len(program.read(request.RequestId, 8192).data) == 5000 - copied


def test_100_continue_is_sent_when_the_body_is_first_asked_for(program, client):
    call = client.request("POST", URL, body=b"hello", expect=True)
    request = program.take().request
    assert call.informational == []
    io = program.read(request.RequestId)
    assert call.informational == [100]
    assert program.result(io) == (c.OK, 5)
    program.respond(request.RequestId)
    assert call.wait().status == 200


def test_an_answer_in_place_of_100_continue_ends_the_connection(program, client):
    call = client.request("POST", URL, body=b"hello", expect=True)
    program.respond(program.take().request.RequestId, status=417)
    response = call.wait()
    assert (response.status, response.header("connection")) == (417, b"close")
    assert call.informational == []


def test_held_reads_complete_when_the_test_says_so(machine, program, client):
    machine.pace = Pace.HELD
    client.request("POST", URL, body=b"hello")
    io = program.read(program.take().request.RequestId)
    assert io.code == c.IO_PENDING
    assert program.packets() == []
    assert machine.complete_sends() == 1
    assert program.result(io) == (c.OK, 5)


def test_reads_may_complete_by_packet_soon(machine, program, client):
    machine.pace = Pace.SOON
    client.request("POST", URL, body=b"hello")
    io = program.read(program.take().request.RequestId)
    assert io.code == c.IO_PENDING
    assert program.result(io) == (c.OK, 5)
