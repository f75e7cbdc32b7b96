"""The fake's completion ports and operations: packets, cancellation, and what would corrupt memory on Windows."""

import gc
import random
import threading

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.model.program import INVALID_HANDLE_VALUE, NULL, URL, Io, Program, address_of


def expect(machine, *defects):
    assert machine.defects == list(defects)
    machine.defects.clear()


# -- ports


def test_a_wait_without_packets_times_out(program):
    entries, count = ffi.new("OVERLAPPED_ENTRY[]", 4), ffi.new("uint32_t *")
    assert program.kernel.GetQueuedCompletionStatusEx(program.port, entries, 4, count, 10, 0) == 0
    assert program.kernel.GetLastError() == c.WAIT_TIMEOUT


def test_what_is_posted_comes_out_with_its_key_and_size(program):
    posted = ffi.new("OVERLAPPED *")
    assert program.kernel.PostQueuedCompletionStatus(program.port, 5, 9, posted)
    entries, count = ffi.new("OVERLAPPED_ENTRY[]", 4), ffi.new("uint32_t *")
    assert program.kernel.GetQueuedCompletionStatusEx(program.port, entries, 4, count, 0, 0)
    assert count[0] == 1
    assert (entries[0].lpCompletionKey, entries[0].dwNumberOfBytesTransferred) == (9, 5)
    assert entries[0].lpOverlapped == posted


def test_packets_come_in_batches_in_order_with_the_key_of_their_handle(program):
    ios = [program.receive() for _ in range(5)]
    for io in ios:
        program.cancel(io)
    entries, count = ffi.new("OVERLAPPED_ENTRY[]", 3), ffi.new("uint32_t *")
    assert program.kernel.GetQueuedCompletionStatusEx(program.port, entries, 3, count, 0, 0)
    assert [address_of(entry.lpOverlapped) for entry in entries] == [io.address for io in ios[:3]]
    assert {entry.lpCompletionKey for entry in entries} == {7}
    assert [address for address, _, _ in program.packets()] == [io.address for io in ios[3:]]


def test_a_thread_that_waits_is_woken_by_a_completion(machine, program):
    io = program.receive()
    results = []
    thread = threading.Thread(target=lambda: results.append(program.packets(timeout=5000)))
    thread.start()
    machine.client().request("GET", URL)
    thread.join(5)
    assert [address for [(address, _, _)] in results] == [io.address]


def test_a_thread_that_waits_is_woken_when_the_port_is_closed(machine, program):
    codes = []

    def wait():
        entries, count = ffi.new("OVERLAPPED_ENTRY[]", 1), ffi.new("uint32_t *")
        program.kernel.GetQueuedCompletionStatusEx(program.port, entries, 1, count, 0xFFFFFFFF, 0)
        codes.append(program.kernel.GetLastError())

    thread = threading.Thread(target=wait)
    thread.start()
    assert program.kernel.CloseHandle(program.port)
    thread.join(5)
    assert codes in ([c.ABANDONED_WAIT], [c.INVALID_HANDLE])
    machine.defects.clear()  # it may have begun to wait after that


def test_a_handle_is_associated_once(program):
    assert program.kernel.CreateIoCompletionPort(program.queue, program.port, 0, 0) == NULL
    assert program.kernel.GetLastError() == c.INVALID_PARAMETER


def test_last_errors_belong_to_threads(program):
    program.packets()
    seen = []
    thread = threading.Thread(target=lambda: seen.append(program.kernel.GetLastError()))
    thread.start()
    thread.join(5)
    assert seen == [0]
    assert program.kernel.GetLastError() == c.WAIT_TIMEOUT


def test_a_shuffled_machine_loses_and_invents_nothing(machine, program):
    machine.shuffle = random.Random(3)
    ios = [program.receive() for _ in range(20)]
    for io in ios:
        program.cancel(io)
    seen = []
    while batch := program.packets(most=4):
        seen += [address for address, _, _ in batch]
    assert sorted(seen) == sorted(io.address for io in ios)
    assert seen != [io.address for io in ios]


def test_packets_can_be_held_back(machine, program):
    machine.hold_packets = True
    io = program.receive()
    machine.client().request("GET", URL)
    assert program.packets() == []
    assert program.kernel.PostQueuedCompletionStatus(program.port, 0, 1, NULL)
    assert len(program.packets()) == 1
    assert program.cancel(io) == c.NOT_FOUND  # it is over, its packet is on the way
    assert machine.release_packets() == 1
    assert program.result(io)[0] == c.OK


# -- cancelling


def test_cancelling_without_an_overlapped_cancels_everything_on_the_handle(program):
    ios = [program.receive(), program.receive()]
    assert program.kernel.CancelIoEx(program.queue, NULL)
    assert [code for _, code, _ in program.packets()] == [c.OPERATION_ABORTED] * 2
    assert {io.overlapped.Internal for io in ios} == {c.status_of(c.OPERATION_ABORTED)}


def test_a_cancelled_receive_takes_no_request(machine, program):
    program.cancel(program.receive())
    call = machine.client().request("GET", URL)
    program.packets()
    program.respond(program.take().request.RequestId)
    assert call.wait().status == 200


def test_a_cancelled_read_leaves_the_body(machine, program):
    call = machine.client().request("POST", URL, length=3)
    request_id = program.take().request.RequestId
    io = program.read(request_id)
    assert io.code == c.IO_PENDING
    program.cancel(io)
    assert program.result(io) == (c.OPERATION_ABORTED, 0)
    call.send(b"abc")
    assert program.read(request_id).data == b"abc"


def test_a_cancelled_send_breaks_the_connection(machine, program):
    machine.pace = Pace.HELD
    call = machine.client().request("GET", URL)
    request_id = program.take().request.RequestId
    io = program.respond(request_id, b"x")
    program.cancel(io)
    assert program.result(io) == (c.OPERATION_ABORTED, 0)
    assert call.reset
    assert machine.complete_sends() == 0
    assert program.respond(request_id).code == c.CONNECTION_INVALID


# -- what would be wrong on Windows


def test_freeing_the_memory_of_a_pending_call_is_noticed(machine, program):
    program.http.HttpReceiveHttpRequest(
        program.queue, 0, 0, ffi.new("HTTP_REQUEST *"), 864, NULL, ffi.new("OVERLAPPED *")
    )
    gc.collect()
    expect(machine, *["memory of HttpReceiveHttpRequest was freed while it is pending"] * 2)
    call = machine.client().request("GET", URL)
    assert any("gone" in defect for defect in machine.defects)
    machine.defects.clear()
    assert not call.status


def test_freeing_the_overlapped_before_its_packet_was_taken_is_noticed(machine, program):
    buffer = ffi.new("char[]", 4096)
    request = ffi.cast("HTTP_REQUEST *", buffer)
    overlapped = ffi.new("OVERLAPPED *")
    program.http.HttpReceiveHttpRequest(program.queue, 0, 0, request, 4096, NULL, overlapped)
    machine.client().request("GET", URL)
    del overlapped
    gc.collect()
    expect(machine, "memory of HttpReceiveHttpRequest was freed while it has its packet on the way")


def test_memory_may_go_once_the_packet_was_taken(machine, program):
    overlapped, buffer = ffi.new("OVERLAPPED *"), ffi.new("char[]", 4096)
    request = ffi.cast("HTTP_REQUEST *", buffer)
    program.http.HttpReceiveHttpRequest(program.queue, 0, 0, request, 4096, NULL, overlapped)
    machine.client().request("GET", URL)
    program.packets()
    del overlapped, request, buffer
    gc.collect()
    assert machine.defects == []


def test_using_an_overlapped_twice_is_noticed(machine, program):
    io = program.receive()
    program.receive(io=Io(overlapped=io.overlapped, buffer=ffi.new("char[]", 4096)))
    expect(machine, "HttpReceiveHttpRequest uses an OVERLAPPED that HttpReceiveHttpRequest still owns")
    program.packets()


def test_using_an_overlapped_whose_packet_is_on_the_way_is_noticed(machine, program):
    io = program.receive()
    machine.client().request("GET", URL)
    program.receive(io=Io(overlapped=io.overlapped, buffer=io.buffer))
    assert len(machine.defects) == 1
    machine.defects.clear()


def test_memory_of_a_send_that_changes_before_it_is_sent_is_noticed(machine, program):
    machine.pace = Pace.HELD
    call = machine.client().request("GET", URL)
    data = ffi.new("char[]", b"before")
    chunk = ffi.new("HTTP_DATA_CHUNK *")
    chunk.FromMemory.pBuffer, chunk.FromMemory.BufferLength = data, 6
    program.respond(program.take().request.RequestId, [chunk])
    data[0] = b"B"
    machine.complete_sends()
    expect(machine, "memory of a send that was under way changed")
    assert call.wait().body == b"Before"


def test_closing_a_handle_twice_and_using_a_closed_one_is_noticed(machine, program):
    program.http.HttpCloseRequestQueue(program.queue)
    assert program.http.HttpCloseRequestQueue(program.queue) == c.INVALID_HANDLE
    assert program.receive().code == c.INVALID_HANDLE
    value = address_of(program.queue)
    expect(
        machine,
        f"program closes queue handle {value:#x} again",
        f"program uses queue handle {value:#x}, which is closed",
    )


def test_handles_of_other_processes_are_none(machine, program):
    other = Program(machine, "other", urls=())
    assert other.http.HttpShutdownRequestQueue(program.queue) == c.INVALID_HANDLE


def test_a_file_handle_is_no_port_and_a_port_is_no_queue(machine, program):
    assert program.http.HttpShutdownRequestQueue(program.port) == c.INVALID_HANDLE
    assert program.kernel.CreateIoCompletionPort(INVALID_HANDLE_VALUE, program.queue, 0, 0) == NULL


def test_a_queue_without_a_port_can_be_waited_on_by_a_call_without_an_overlapped(machine):
    program = Program(machine, port=False)
    io = Io(overlapped=NULL, buffer=ffi.new("char[]", 4096))
    thread = threading.Thread(target=lambda: program.receive(io=io))
    thread.start()
    machine.wait_for(lambda: machine.alive().get("operation"))
    machine.client().request("GET", URL)
    thread.join(5)
    assert io.code == c.OK
    assert io.request.UrlContext == 1


def test_a_read_that_is_held_can_be_cancelled(machine, program):
    machine.pace = Pace.HELD
    call = machine.client().request("POST", URL, length=6)
    request_id = program.take().request.RequestId
    waited = program.read(request_id)
    call.send(b"abc")
    program.cancel(waited)
    assert program.result(waited) == (c.OPERATION_ABORTED, 0)
    at_once = program.read(request_id)
    program.cancel(at_once)
    assert program.result(at_once) == (c.OPERATION_ABORTED, 0)
    assert machine.complete_sends() == 0
    last = program.read(request_id)
    machine.complete_sends()
    assert program.result(last) == (c.OK, 3)
