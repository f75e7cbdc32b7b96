"""The fake's request queues: names, roles, users, demand start, shutdown, the end of processes."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.model.program import NULL, URL, VERSION, Program, address_of
from tests.server.httpsys.model.queue import Demand

BASIC, LIMITED, FULL = range(3)
QUEUE_LENGTH, STATE, VERBOSITY = 4, 5, 6


def set_queue(program, number, value):
    info = ffi.new("uint32_t *", value)
    return program.http.HttpSetRequestQueueProperty(program.queue, number, info, 4, 0, NULL)


def worker(machine, name="worker", queue="q", **more):
    return Program(machine, name, queue=queue, flags=c.OPEN_EXISTING, **more)


# -- creating and opening: HttpCreateRequestQueue


def test_a_name_is_taken_once_whatever_its_case(machine):
    program = Program(machine, queue="Front")
    assert program.open("front")[0] == c.ALREADY_EXISTS
    assert program.open("front", c.OPEN_EXISTING)[0] == c.OK


@pytest.mark.parametrize(
    ("name", "flags", "code"),
    [
        ("absent", c.OPEN_EXISTING, c.FILE_NOT_FOUND),
        (None, c.OPEN_EXISTING, c.INVALID_PARAMETER),
        ("q", c.OPEN_EXISTING | c.CONTROLLER, c.INVALID_PARAMETER),
        ("new", c.DELEGATION, c.INVALID_PARAMETER),
        ("new", 0x10, c.INVALID_PARAMETER),
        ("x" * 131, 0, c.INVALID_PARAMETER),
        ("😀" * 66, 0, c.INVALID_PARAMETER),
        ("x" * 130, 0, c.OK),
        ("a\\b", 0, c.INVALID_NAME),
    ],
)
def test_flags_and_names(machine, name, flags, code):
    assert Program(machine, queue="q").open(name, flags)[0] == code


def test_the_version_and_the_initialization_are_checked(machine):
    windows = machine.process()
    out = ffi.new("HANDLE *")
    old = ffi.new("HTTPAPI_VERSION *", (1, 0))
    assert windows.http.HttpCreateRequestQueue(VERSION[0], NULL, NULL, 0, out) == c.DLL_INIT_FAILED
    assert windows.http.HttpInitialize(old[0], 1, NULL) == c.REVISION_MISMATCH
    assert windows.http.HttpInitialize(VERSION[0], 3, NULL) == c.OK
    assert windows.http.HttpCreateRequestQueue(old[0], NULL, NULL, 0, out) == c.REVISION_MISMATCH
    assert windows.http.HttpCreateRequestQueue(VERSION[0], NULL, NULL, 0, out) == c.OK


def test_opening_takes_no_security_descriptor(machine):
    program = Program(machine, queue="q")
    attributes = ffi.new("SECURITY_ATTRIBUTES *", (24, NULL, 0))
    assert program.open("q", c.OPEN_EXISTING, attributes)[0] == c.INVALID_PARAMETER


def security(windows, sddl):
    descriptor = ffi.new("void **")
    convert = windows.security.ConvertStringSecurityDescriptorToSecurityDescriptorW
    assert convert(sddl, 1, descriptor, NULL)
    return descriptor[0], ffi.new("SECURITY_ATTRIBUTES *", (24, descriptor[0], 0))


@pytest.mark.parametrize(
    ("sddl", "code"),
    [
        (None, c.ACCESS_DENIED),
        ("D:(A;;GA;;;WD)", c.OK),
        ("D:(A;;GA;;;BA)", c.ACCESS_DENIED),
        ("D:(A;;GA;;;{bob})", c.OK),
        ("D:(A;;GA;;;{ann})", c.ACCESS_DENIED),
    ],
)
def test_another_user_needs_to_be_let_in(machine, sddl, code):
    bob = machine.process("bob", user="bob")
    owner = Program(machine)
    text = sddl and sddl.format(bob=machine.sid("bob"), ann=machine.sid("ann"))
    descriptor, attributes = security(owner.windows, text) if text else (NULL, NULL)
    assert owner.open("q", 0, attributes)[0] == c.OK
    owner.kernel.LocalFree(descriptor)
    assert Program(machine, windows=bob, urls=()).open("q", c.OPEN_EXISTING)[0] == code


def test_text_that_is_no_security_descriptor_is_refused(machine):
    windows = machine.process()
    convert = windows.security.ConvertStringSecurityDescriptorToSecurityDescriptorW
    assert convert("everybody", 1, ffi.new("void **"), NULL) == 0
    assert windows.kernel.GetLastError() == c.INVALID_PARAMETER


# -- roles


def test_a_request_goes_to_whichever_process_asked_first(machine, client):
    creator, other = Program(machine, queue="q"), worker(machine)
    ios = [other.receive(), creator.receive()]
    client.request("GET", URL)
    machine.client().request("GET", URL)
    assert other.result(ios[0])[0] == c.OK
    assert creator.result(ios[1])[0] == c.OK


def test_a_request_of_one_process_is_unknown_to_another(machine, client):
    creator, other = Program(machine, queue="q"), worker(machine)
    client.request("GET", URL)
    request_id = creator.take().request.RequestId
    assert other.respond(request_id).code == c.CONNECTION_INVALID
    assert other.receive(request_id=request_id).code == c.CONNECTION_INVALID
    assert creator.receive(request_id=request_id).code == c.HANDLE_EOF


def test_a_controller_does_no_io(machine):
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    assert controller.receive().code == c.INVALID_PARAMETER
    assert controller.respond(1).code == c.INVALID_PARAMETER


def test_a_controller_keeps_requests_for_workers_to_come(machine, client):
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    demand = controller.call("HttpWaitForDemandStart")
    assert demand.code == c.IO_PENDING
    call = client.request("GET", URL)
    assert controller.result(demand) == (c.OK, 0)
    program = worker(machine)
    program.respond(program.take().request.RequestId, b"late")
    assert call.wait().body == b"late"


def test_demand_is_only_for_requests_that_no_receive_takes(machine, client):
    controller, program = Program(machine, queue="q", flags=c.CONTROLLER), None
    program = worker(machine)
    demand = controller.call("HttpWaitForDemandStart")
    program.receive()
    client.request("GET", URL)
    assert controller.packets() == []
    machine.client().request("GET", URL)
    assert controller.result(demand) == (c.OK, 0)


def test_demand_that_is_there_already_is_over_at_once(machine, client):
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    client.request("GET", URL)
    assert controller.call("HttpWaitForDemandStart").code == c.OK


def test_demand_may_be_for_what_arrives_alone(machine, client):
    machine.demand = Demand.ARRIVAL
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    client.request("GET", URL)
    demand = controller.call("HttpWaitForDemandStart")
    assert demand.code == c.IO_PENDING
    machine.client().request("GET", URL)
    assert controller.result(demand) == (c.OK, 0)


def test_demand_may_be_every_request(machine, client):
    machine.demand = Demand.EVERY
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    program = worker(machine)
    receive = program.receive()
    demand = controller.call("HttpWaitForDemandStart")
    client.request("GET", URL)
    assert controller.result(demand) == (c.OK, 0)
    assert program.result(receive)[0] == c.OK


def test_who_may_wait_for_demand(machine):
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    assert worker(machine).call("HttpWaitForDemandStart").code == c.INVALID_ID_AUTHORITY
    first = controller.call("HttpWaitForDemandStart")
    assert controller.call("HttpWaitForDemandStart").code == c.ALREADY_EXISTS
    controller.cancel(first)
    second = controller.call("HttpWaitForDemandStart")
    assert controller.http.HttpShutdownRequestQueue(controller.queue) == c.OK
    assert [code for _, code, _ in controller.packets()] == [c.OPERATION_ABORTED] * 2
    assert second.code == c.IO_PENDING
    assert controller.call("HttpWaitForDemandStart").code == c.INVALID_HANDLE


# -- 503


@pytest.mark.parametrize(
    ("verbosity", "reason"), [(LIMITED, b"Service Unavailable"), (FULL, b"QueueFull"), (BASIC, None)]
)
def test_a_full_queue_is_503_as_openly_as_it_says(machine, verbosity, reason):
    program = Program(machine)
    assert set_queue(program, QUEUE_LENGTH, 2) == c.OK
    assert set_queue(program, VERBOSITY, verbosity) == c.OK
    calls = [machine.client().request("GET", URL) for _ in range(3)]
    assert machine.httperr == [(503, "QueueFull")]
    assert [call.status for call in calls[:2]] == [0, 0]
    if reason is None:
        assert calls[2].reset
    else:
        assert (calls[2].wait().status, calls[2].reason) == (503, reason)


def test_a_queue_that_is_disabled_is_503(machine, client):
    program = Program(machine)
    set_queue(program, VERBOSITY, FULL)
    assert set_queue(program, STATE, 1) == c.OK
    assert client.request("GET", URL).wait().reason == b"Disabled"
    assert set_queue(program, STATE, 0) == c.OK
    call = client.request("GET", URL)
    program.take()
    assert call.status == 0


def test_properties_are_for_who_created_the_queue_and_in_their_range(machine):
    program = Program(machine, queue="q")
    assert set_queue(worker(machine), VERBOSITY, FULL) == c.INVALID_PARAMETER
    assert set_queue(program, VERBOSITY, 3) == c.INVALID_PARAMETER
    assert set_queue(program, QUEUE_LENGTH, 0) == c.INVALID_PARAMETER
    assert set_queue(program, 3, 0) == c.INVALID_PARAMETER
    out, length = ffi.new("uint32_t *"), ffi.new("uint32_t *")
    query = program.http.HttpQueryRequestQueueProperty
    assert query(program.queue, QUEUE_LENGTH, out, 4, 0, length, NULL) == c.OK
    assert (out[0], length[0]) == (1000, 4)
    assert query(program.queue, QUEUE_LENGTH, out, 3, 0, length, NULL) == c.MORE_DATA
    assert query(program.queue, QUEUE_LENGTH, NULL, 4, 0, length, NULL) == c.INVALID_PARAMETER
    assert query(program.queue, QUEUE_LENGTH, out, 4, 1, length, NULL) == c.INVALID_PARAMETER


# -- shutting down, closing, dying


def test_a_queue_that_is_shut_down_gets_nothing_new_and_loses_what_it_has(machine, client):
    program = Program(machine, queue="q")
    set_queue(program, VERBOSITY, FULL)
    call = client.request("GET", URL)
    request_id = program.take().request.RequestId
    pending = program.receive()
    assert program.http.HttpShutdownRequestQueue(program.queue) == c.OK
    assert program.result(pending) == (c.OPERATION_ABORTED, 0)
    assert program.receive().code == c.INVALID_HANDLE
    assert machine.client().request("GET", URL).wait().reason == b"AppShutdown"
    assert program.respond(request_id, b"last").code == c.CONNECTION_INVALID
    assert call.reset


def test_shutting_down_lets_an_answer_be_completed_whose_last_call_was_made(machine, client):
    program = Program(machine)
    machine.pace = Pace.HELD
    calls = [machine.client().request("GET", URL) for _ in range(2)]
    last = program.respond(program.take().request.RequestId, b"all")
    more = program.respond(program.take().request.RequestId, b"some", c.MORE)
    program.http.HttpShutdownRequestQueue(program.queue)
    assert program.result(more) == (c.OPERATION_ABORTED, 0)
    machine.complete_sends()
    assert program.result(last)[0] == c.OK
    assert calls[0].wait().body == b"all"
    assert calls[1].reset


def test_shutting_down_leaves_what_was_not_received_to_others(machine, client):
    creator, other = Program(machine, queue="q"), worker(machine)
    call = client.request("GET", URL)
    creator.http.HttpShutdownRequestQueue(creator.queue)
    other.respond(other.take().request.RequestId, b"other")
    assert call.wait().body == b"other"
    late = client.request("GET", URL)
    other.respond(other.take().request.RequestId)
    assert late.wait().status == 200


def test_shutting_down_ends_the_waits_for_disconnects(machine, client):
    program = Program(machine)
    client.request("GET", URL)
    wait = program.call("HttpWaitForDisconnectEx", program.take().request.ConnectionId, 0)
    program.http.HttpShutdownRequestQueue(program.queue)
    assert program.result(wait) == (c.OPERATION_ABORTED, 0)


def test_a_process_that_dies_loses_what_it_received_and_not_what_waits(machine):
    controller = Program(machine, queue="q", flags=c.CONTROLLER)
    program = worker(machine)
    received, waiting = (machine.client().request("GET", URL) for _ in range(2))
    program.take()
    machine.kill(program.windows)
    assert received.reset
    assert machine.httperr == [(0, "Connection_Abandoned_By_AppPool")]
    assert program.windows.alive() == {}
    heir = worker(machine, "heir")
    heir.respond(heir.take().request.RequestId, b"heir")
    assert waiting.wait().body == b"heir"
    controller.close()


def test_the_end_of_the_last_handle_is_the_end_of_the_queue(machine):
    program = Program(machine, queue="q")
    set_queue(program, VERBOSITY, FULL)
    other = worker(machine)
    waiting = machine.client().request("GET", URL)
    program.http.HttpCloseRequestQueue(program.queue)
    assert not waiting.status
    other.http.HttpCloseRequestQueue(other.queue)
    assert waiting.wait().reason == b"AppOffline"
    assert program.open("q", c.OPEN_EXISTING)[0] == c.FILE_NOT_FOUND
    assert machine.client().request("GET", URL).wait().status == 503


def test_closing_gives_everything_back(machine, client):
    program = Program(machine)
    client.request("GET", URL)
    program.take()
    program.receive()
    assert machine.alive() == {
        "HttpInitialize": 1, "queue handle": 1, "port": 1, "session": 1, "url group": 1, "url": 1,
        "request": 1, "operation": 1,
    }  # fmt: skip
    program.close()
    assert machine.alive() == {}


def test_handles_are_never_given_out_twice(machine):
    program = Program(machine)
    values = set()
    for _ in range(5):
        _, handle = program.open(None)
        values.add(address_of(handle))
        program.http.HttpCloseRequestQueue(handle)
    assert len(values) == 5
