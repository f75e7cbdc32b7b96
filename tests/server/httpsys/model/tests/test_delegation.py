"""The fake's delegation: who may hand what to whom, and what becomes of it."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import DELEGATION, NULL, URL, VERSION, Program

SERVER, CONFIG = 1, 2
TARGET_URL = "http://localhost:8081/app/"


@pytest.fixture
def source(machine):
    return Program(machine, "source")


@pytest.fixture
def target(machine):
    return Program(machine, "target", queue="target", urls=(TARGET_URL,))


def open_target(source, name="target"):
    """Open a queue to delegate to it, and make the rule."""
    code, handle = source.open(name, c.OPEN_EXISTING | c.DELEGATION)
    assert code == c.OK
    return handle


def rule(source, name="target"):
    handle = open_target(source, name)
    assert source.bind(handle, DELEGATION) == c.OK
    return handle


def delegate(source, handle, request_id, url=TARGET_URL, group=0):
    text = ffi.new("char16_t[]", url)
    info = ffi.new("HTTP_DELEGATE_REQUEST_PROPERTY_INFO *", (1, 2 * len(url), text))
    return source.http.HttpDelegateRequestEx(source.queue, handle, request_id, group, 1, info)


def received(machine, source, method="GET", **more):
    """Have the source receive a request; returns the client's side and the id."""
    call = machine.client().request(method, URL, **more)
    return call, source.take().request.RequestId


# -- what it does


def test_the_target_answers(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source)
    assert delegate(source, handle, request_id) == c.OK
    request = target.take().request
    assert ffi.unpack(request.pRawUrl, request.RawUrlLength) == b"/"
    assert request.UrlContext == 1
    assert request.RequestId != request_id
    target.respond(request.RequestId, b"from there")
    assert call.wait().body == b"from there"


def test_the_source_knows_the_request_no_more(machine, source, target):
    handle = rule(source)
    _, request_id = received(machine, source)
    delegate(source, handle, request_id)
    assert source.respond(request_id).code == c.CONNECTION_INVALID
    assert delegate(source, handle, request_id) == c.CONNECTION_INVALID
    assert source.windows.alive().get("request") is None


def test_a_body_goes_along_also_what_of_it_comes_later(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source, "POST", length=6)
    call.send(b"abc")
    assert delegate(source, handle, request_id) == c.OK
    moved = target.take().request.RequestId
    assert target.read(moved).data == b"abc"
    call.send(b"def")
    assert target.read(moved).data == b"def"


def test_a_client_that_goes_away_is_noticed_by_the_target(machine, source, target):
    handle = rule(source)
    client = machine.client()
    client.request("GET", URL)
    delegate(source, handle, source.take().request.RequestId)
    moved = target.take().request.RequestId
    client.disconnect()
    assert target.respond(moved).code == c.CONNECTION_INVALID


def test_a_target_may_be_shared_with_workers_and_restarted(machine, source):
    controller = Program(machine, "iis", queue="target", flags=c.CONTROLLER, urls=(TARGET_URL,))
    handle = rule(source)
    call, request_id = received(machine, source)
    assert delegate(source, handle, request_id) == c.OK
    worker = Program(machine, "w3wp", queue="target", flags=c.OPEN_EXISTING)
    worker.respond(worker.take().request.RequestId, b"worker")
    assert call.wait().body == b"worker"
    machine.kill(worker.windows)
    call, request_id = received(machine, source)
    assert delegate(source, handle, request_id) == c.OK
    machine.kill(controller.windows)
    assert call.reset


# -- rules


def test_one_rule_for_a_queue_in_a_process(source, target):
    first = rule(source)
    assert source.bind(first, DELEGATION) == c.ALREADY_EXISTS
    second = open_target(source)
    assert source.bind(second, DELEGATION) == c.ALREADY_EXISTS
    assert source.bind(first, DELEGATION, present=0) == c.OK
    assert source.bind(first, DELEGATION, present=0) == c.FILE_NOT_FOUND
    assert source.bind(second, DELEGATION) == c.OK


def test_another_process_may_have_one_too(machine, source, target):
    rule(source)
    rule(Program(machine, "other", urls=()))


def test_closing_the_handle_ends_the_rule(machine, source, target):
    handle = rule(source)
    source.http.HttpCloseRequestQueue(handle)
    again = open_target(source)
    _, request_id = received(machine, source)
    assert delegate(source, again, request_id) == c.INVALID_PARAMETER
    assert source.bind(again, DELEGATION) == c.OK
    assert delegate(source, again, request_id) == c.OK


def test_a_handle_that_was_not_opened_for_it_cannot_be_delegated_to(source, target):
    _, handle = source.open("target", c.OPEN_EXISTING)
    assert source.bind(handle, DELEGATION) == c.INVALID_PARAMETER


def test_a_handle_to_delegate_to_does_no_io_and_serves_nothing(machine, source, target):
    handle = open_target(source)
    request, moved, overlapped = ffi.new("HTTP_REQUEST *"), ffi.new("uint32_t *"), ffi.new("OVERLAPPED *")
    receive = source.http.HttpReceiveHttpRequest
    assert receive(handle, 0, 0, request, 864, moved, overlapped) == c.INVALID_PARAMETER


def test_opening_needs_the_queue_and_the_right(machine, source, target):
    assert source.open("absent", c.OPEN_EXISTING | c.DELEGATION)[0] == c.FILE_NOT_FOUND
    bob = Program(machine, windows=machine.process("bob", user="bob"), urls=())
    assert bob.open("target", c.OPEN_EXISTING | c.DELEGATION)[0] == c.ACCESS_DENIED


# -- what is refused, the request staying where it is


def still_there(source, call, request_id):
    assert source.respond(request_id, b"own").code == c.OK
    return call.wait().body == b"own"


def test_without_a_rule(machine, source, target):
    call, request_id = received(machine, source)
    assert delegate(source, open_target(source), request_id) == c.INVALID_PARAMETER
    assert still_there(source, call, request_id)


def test_after_the_body_was_begun(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source, "POST", body=b"abc")
    source.read(request_id, 1)
    assert delegate(source, handle, request_id) == c.INVALID_PARAMETER
    assert still_there(source, call, request_id)


def test_after_the_body_came_with_the_head(machine, source, target):
    handle = rule(source)
    machine.client().request("POST", URL, body=b"abc")
    request_id = source.receive(flags=c.COPY_BODY).request.RequestId
    assert delegate(source, handle, request_id) == c.INVALID_PARAMETER


def test_after_the_response_has_begun(machine, source, target):
    handle = rule(source)
    _, request_id = received(machine, source)
    source.respond(request_id, b"", c.MORE, headers={"Content-Length": "1"})
    assert delegate(source, handle, request_id) == c.INVALID_PARAMETER


def test_to_a_prefix_that_the_target_has_not(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source)
    assert delegate(source, handle, request_id, "http://localhost:8081/other/") == c.FILE_NOT_FOUND
    assert still_there(source, call, request_id)
    machine.lenient_delegate_url = True
    call, request_id = received(machine, source)
    assert delegate(source, handle, request_id, "http://localhost:8081/other/") == c.OK
    assert target.take().request.UrlContext == 0


def test_to_a_group_that_is_stale(machine, source, target):
    handle = rule(source)
    _, request_id = received(machine, source)
    assert delegate(source, handle, request_id, group=99) == c.INVALID_PARAMETER
    assert delegate(source, handle, request_id, group=target.group) == c.OK


def test_without_the_prefix(machine, source, target):
    handle = rule(source)
    _, request_id = received(machine, source)
    call = source.http.HttpDelegateRequestEx
    assert call(source.queue, handle, request_id, 0, 0, NULL) == c.INVALID_PARAMETER
    text = ffi.new("char16_t[]", TARGET_URL)
    with_nul = ffi.new("HTTP_DELEGATE_REQUEST_PROPERTY_INFO *", (1, ffi.sizeof(text), text))
    call(source.queue, handle, request_id, 0, 1, with_nul)
    assert machine.defects.pop() == "the DelegateUrl property counts its NUL"


def test_when_the_target_was_shut_down(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source)
    target.http.HttpShutdownRequestQueue(target.queue)
    assert delegate(source, handle, request_id) == c.FILE_NOT_FOUND
    assert still_there(source, call, request_id)


# -- what becomes of a queue that is gone, on which Windows


def test_a_new_windows_says_that_the_queue_is_no_more(machine, source, target):
    handle = rule(source)
    call, request_id = received(machine, source)
    target.close()
    assert delegate(source, handle, request_id) == c.OBJECT_NO_LONGER_EXISTS
    Program(machine, "target again", queue="target", urls=(TARGET_URL,))
    assert delegate(source, handle, request_id) == c.OBJECT_NO_LONGER_EXISTS
    source.http.HttpCloseRequestQueue(handle)
    assert delegate(source, rule(source), request_id) == c.OK
    assert not call.reset


def test_an_older_windows_keeps_the_queue_for_its_delegators():
    machine = Machine(version="2022")
    source = Program(machine, "source")
    target = Program(machine, "target", queue="target", urls=(TARGET_URL,))
    handle = rule(source)
    _, request_id = received(machine, source)
    target.close()
    assert delegate(source, handle, request_id) == c.FILE_NOT_FOUND
    again = Program(machine, "again", urls=())
    assert again.open("target")[0] == c.ALREADY_EXISTS
    heir = Program(machine, "heir", queue="target", flags=c.OPEN_EXISTING)
    heir.bind(heir.queue)
    heir.add(TARGET_URL, 5)
    assert delegate(source, handle, request_id) == c.OK
    assert heir.take().request.UrlContext == 5
    machine.close()
    assert machine.defects == []


def test_windows_2019_delegates_without_the_flag():
    machine = Machine(version="2019")
    source = Program(machine, "source")
    target = Program(machine, "target", queue="target", urls=(TARGET_URL,))
    assert source.open("target", c.OPEN_EXISTING | c.DELEGATION)[0] == c.INVALID_PARAMETER
    _, handle = source.open("target", c.OPEN_EXISTING)
    assert source.bind(handle, DELEGATION) == c.OK
    _, request_id = received(machine, source)
    assert delegate(source, handle, request_id) == c.OK
    assert target.take()
    machine.close()


def test_windows_2016_has_no_delegation():
    machine = Machine(version="2016")
    program = Program(machine, queue="q")
    assert not hasattr(program.http, "HttpDelegateRequestEx")
    assert not hasattr(program.http, "HttpIsFeatureSupported")
    assert program.bind(program.queue, DELEGATION) == c.INVALID_PARAMETER
    machine.close()


@pytest.mark.parametrize(
    ("version", "trailers", "delegation"), [("2019", 0, 1), ("2022", 1, 1), ("new", 1, 1)]
)
def test_features(version, trailers, delegation):
    machine = Machine(version=version)
    http = machine.process().http
    has = http.HttpIsFeatureSupported
    for flags in (0, SERVER):
        assert not flags or http.HttpInitialize(VERSION[0], flags, NULL) == c.OK
        assert (has(c.RESPONSE_TRAILERS), has(c.DELEGATE_EX)) == (0, 0)
    assert http.HttpInitialize(VERSION[0], CONFIG, NULL) == c.OK
    assert (has(c.RESPONSE_TRAILERS), has(c.DELEGATE_EX), has(99)) == (trailers, delegation, 0)
    assert http.HttpTerminate(CONFIG, NULL) == c.OK
    assert (has(c.RESPONSE_TRAILERS), has(c.DELEGATE_EX)) == (0, 0)
    machine.close()
