"""The fake's sends: chunks of all kinds, opaque mode, clients that do not keep up, requests that are cancelled."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.model.program import NULL, URL, memory_chunk, trailers_chunk


def begun(program, client, method="GET", **more):
    """Send a request and receive it; returns the client's side and the id."""
    call = client.request(method, URL, **more)
    return call, program.take().request.RequestId


def expect(machine, *defects):
    assert machine.defects == list(defects)
    machine.defects.clear()


# -- chunks


def file_chunk(handle, offset, length):
    chunk = ffi.new("HTTP_DATA_CHUNK *", {"DataChunkType": c.FROM_FILE})
    chunk.FromFileHandle.FileHandle = handle
    chunk.FromFileHandle.ByteRange.StartingOffset, chunk.FromFileHandle.ByteRange.Length = offset, length
    return chunk


@pytest.fixture
def opened(program, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    handle = program.kernel.CreateFileW(str(path), 0x80000000, 1, NULL, 3, 0, NULL)
    size = ffi.new("int64_t *")
    assert program.kernel.GetFileSizeEx(handle, size)
    assert size[0] == 10
    return handle


def test_parts_of_a_file(program, client, opened):
    call, request_id = begun(program, client)
    to_the_end = 0xFFFF_FFFF_FFFF_FFFF
    chunks = [file_chunk(opened, 2, 3), memory_chunk(b"-"), file_chunk(opened, 8, to_the_end)]
    assert program.respond(request_id, chunks).code == c.OK
    assert call.wait().body == b"234-89"
    assert program.kernel.CloseHandle(opened)


def test_a_part_that_the_file_has_not_is_refused(program, client, opened):
    _, request_id = begun(program, client)
    assert program.respond(request_id, [file_chunk(opened, 8, 3)]).code == c.HANDLE_EOF
    assert program.respond(request_id, [file_chunk(program.port, 0, 1)]).code == c.INVALID_HANDLE


def test_a_file_that_is_not_there(program, tmp_path):
    handle = program.kernel.CreateFileW(str(tmp_path / "absent"), 0x80000000, 1, NULL, 3, 0, NULL)
    assert handle == ffi.cast("HANDLE", -1)
    assert program.kernel.GetLastError() == c.FILE_NOT_FOUND


def test_trailers_take_chunks_by_http_sys_or_streams(program, client):
    _, request_id = begun(program, client)
    assert program.respond(request_id, [trailers_chunk({"a": "1"})]).code == c.INVALID_PARAMETER


def test_what_chunks_are_refused(program, client):
    _, request_id = begun(program, client)
    cached = ffi.new("HTTP_DATA_CHUNK *", {"DataChunkType": c.FROM_CACHE})
    assert program.respond(request_id, [cached]).code == c.NOT_SUPPORTED
    nowhere = ffi.new("HTTP_DATA_CHUNK *")
    nowhere.FromMemory.pBuffer, nowhere.FromMemory.BufferLength = ffi.cast("void *", 16), 4
    assert program.respond(request_id, [nowhere]).code == c.NOACCESS


# -- opaque mode


UPGRADE = {"Upgrade": "raw", "Connection": "Upgrade"}


def upgraded(program, client):
    call, request_id = begun(program, client, headers=list(UPGRADE.items()))
    assert program.respond(request_id, b"", c.OPAQUE | c.MORE, status=101, headers=UPGRADE).code == c.OK
    return call, request_id


def test_before_the_answer_there_is_nothing_to_read_of_an_upgrade(program, client):
    _, request_id = begun(program, client, headers=list(UPGRADE.items()))
    assert program.read(request_id).code == c.HANDLE_EOF


def test_after_it_bytes_go_both_ways(program, client):
    call, request_id = upgraded(program, client)
    io = program.read(request_id)
    assert io.code == c.IO_PENDING
    call.send(b"GET / HTTP/1.1\r\n\r\n")
    assert program.result(io) == (c.OK, 18)
    program.send(request_id, b"raw", c.MORE | c.OPAQUE)
    assert bytes(call.body) == b"raw"
    assert (call.status, call.upgraded, call.complete) == (101, True, False)


def test_bytes_that_came_with_the_request_are_not_lost(program, client):
    client.send_raw(
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\nearly", 8080
    )
    request_id = program.take().request.RequestId
    program.respond(request_id, b"", c.OPAQUE | c.MORE, status=101, headers=UPGRADE)
    assert program.read(request_id).data == b"early"
    assert program.read(request_id).code == c.IO_PENDING


def test_the_clients_end_is_an_end_of_file_and_ours_the_connections(program, client):
    call, request_id = upgraded(program, client)
    client.close()
    assert program.read(request_id).code == c.HANDLE_EOF
    program.send(request_id, b"bye", c.DISCONNECT)
    assert call.wait().body == b"bye"
    assert client.connection.gone


# -- pace


def test_held_sends_are_not_seen_before_they_complete(machine, program, client):
    machine.pace = Pace.HELD
    call, request_id = begun(program, client)
    io = program.respond(request_id, b"hello")
    assert io.code == c.IO_PENDING
    assert (call.status, program.packets()) == (0, [])
    assert machine.complete_sends() == 1
    assert program.result(io)[0] == c.OK
    assert call.wait().body == b"hello"


def test_sends_may_complete_by_packet_soon(machine, program, client):
    machine.pace = Pace.SOON
    call, request_id = begun(program, client)
    io = program.respond(request_id, b"hello")
    assert io.code == c.IO_PENDING
    assert call.wait().body == b"hello"
    assert program.result(io)[0] == c.OK


def test_a_client_that_does_not_read_makes_sends_pend(program, client):
    call, request_id = begun(program, client)
    client.paused = True
    size = 100_000
    assert (
        program.respond(request_id, b"x" * size, c.MORE, headers={"Content-Length": str(size + 3)}).code
        == c.OK
    )
    io = program.send(request_id, b"end")
    assert io.code == c.IO_PENDING
    assert program.packets() == []
    client.paused = False
    assert program.result(io) == (c.OK, 3)
    assert call.wait().body == b"x" * size + b"end"


def test_data_that_is_buffered_does_not_wait_for_the_clients_acknowledgement(machine, program, client):
    machine.acknowledgements.held = True
    _, request_id = begun(program, client)
    assert program.respond(request_id, b"abc", c.MORE, headers={"Content-Length": "6"}).code == c.OK
    assert program.send(request_id, b"end").code == c.OK


def test_data_that_is_not_buffered_does(machine, program, client):
    machine.acknowledgements.held = True
    call, request_id = begun(program, client)
    first = program.respond(request_id, b"abc", c.MORE, buffered=False, headers={"Content-Length": "6"})
    assert first.code == c.IO_PENDING
    assert bytes(call.body) == b"abc"
    assert program.send(request_id, b"end", buffered=False).code == c.BAD_COMMAND
    assert machine.acknowledge() == 1
    assert program.result(first)[0] == c.OK
    last = program.send(request_id, b"end", buffered=False)
    assert (last.code, machine.acknowledge()) == (c.IO_PENDING, 1)
    assert program.result(last)[0] == c.OK
    assert call.wait().body == b"abcend"


def test_data_that_is_buffered_waits_while_a_client_is_far_behind(program, client):
    _, request_id = begun(program, client)
    client.paused = True
    program.respond(request_id, b"x" * 100_000, c.MORE, headers={"Content-Length": "100003"})
    last = program.send(request_id, b"end")
    assert last.code == c.IO_PENDING
    client.paused = False
    assert program.result(last)[0] == c.OK


def test_a_client_that_goes_away_ends_a_send_that_pends(program, client):
    call, request_id = begun(program, client)
    client.paused = True
    program.respond(request_id, b"x" * 100_000, c.MORE, headers={"Content-Length": "100003"})
    io = program.send(request_id, b"end")
    client.disconnect()
    assert program.result(io) == (c.CONNECTION_INVALID, 0)
    assert call.reset


# -- cancelling a request


def test_a_cancelled_request_resets_its_connection_and_ends_what_pends(machine, program, client):
    machine.pace = Pace.HELD
    call, request_id = begun(program, client, "POST", length=3)
    read = program.read(request_id)
    send = program.respond(request_id, b"", c.MORE)
    assert program.call("HttpCancelHttpRequest", request_id).code == c.OK
    assert call.reset
    results = {address: code for address, code, _ in program.packets()}
    assert results == {read.address: c.OPERATION_ABORTED, send.address: c.OPERATION_ABORTED}
    assert program.call("HttpCancelHttpRequest", request_id).code == c.CONNECTION_INVALID


def test_closing_the_queue_resets_what_is_under_way(machine, program, client):
    call, request_id = begun(program, client)
    program.respond(request_id, b"", c.MORE, headers={"Content-Length": "5"})
    program.http.HttpCloseRequestQueue(program.queue)
    assert call.reset
    assert machine.httperr == [(0, "Connection_Abandoned_By_AppPool")]
