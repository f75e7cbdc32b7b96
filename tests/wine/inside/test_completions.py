"""What each asynchronous call returns, and whether a packet follows: what the completion port is built on.

A record of what Wine's implementation does, which hostler does not rely on where Microsoft says otherwise or nothing:
each row is one that a server can meet.
"""

from __future__ import annotations

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.wine.inside.native_queue import MORE_DATA, PENDING, SMALLEST, SUCCESS, answer

HANDLE_EOF = 38
INVALID_PARAMETER = 87
INSUFFICIENT_BUFFER = 122
OPERATION_ABORTED = 995
NOT_FOUND = 1168
CONNECTION_INVALID = 1229
NOBODY = 0x7FFFFFFF00000001
"""A request id that no request has."""


@pytest.fixture(params=["packets always", "packets when pending"])
def always(request, native):
    """Give whether a call that is over at once posts a packet too: the default, and skip-on-success mode."""
    if request.param == "packets when pending":
        native.skip_on_success()
    return request.param == "packets always"


def test_a_receive_with_nothing_waiting_is_pending_until_a_request_comes(native, always):
    call = native.receive()
    assert call.code == PENDING
    assert native.no_packet()
    client = native.client()
    native.send(client, target="/later")
    ((address, code, size),) = native.packets()
    assert (address, code) == (call.address, SUCCESS)
    assert size > ffi.sizeof("HTTP_REQUEST_V1")
    raw = ffi.buffer(call.request.pRawUrl, call.request.RawUrlLength)
    assert bytes(raw) == b"/later"
    assert call.request.UrlContext == 17


def test_a_receive_with_a_request_waiting_is_over_at_once(native, always):
    call = native.receive_at_once()
    assert call.code == SUCCESS
    assert call.request_id
    assert native.no_packet() is not always


def test_a_pending_receive_that_is_too_small_says_what_it_needs_and_whose_request_it_is(native, always):
    small = native.receive(room=SMALLEST)
    assert small.code == PENDING
    client = native.client()
    native.send(client)
    ((address, code, needed),) = native.packets()
    assert (address, code) == (small.address, MORE_DATA)
    again = native.receive(small.request_id, needed)
    assert again.code == SUCCESS
    assert again.request_id == small.request_id


def test_a_receive_that_is_too_small_for_what_waits_says_so_at_once(native, always):
    small = native.receive_at_once(room=SMALLEST)
    assert small.code == MORE_DATA
    assert small.size[0] > SMALLEST
    assert native.no_packet() is not always
    assert native.receive(small.request_id, small.size[0]).code == SUCCESS


def test_a_receive_smaller_than_any_request_is_refused(native, always):
    assert native.receive(room=SMALLEST - 1).code == INSUFFICIENT_BUFFER
    assert native.no_packet()


def test_an_unknown_request_is_a_connection_that_is_gone(native, always):
    assert native.receive(NOBODY).code == CONNECTION_INVALID
    assert native.read_body(NOBODY).code == CONNECTION_INVALID
    assert native.respond(NOBODY).code == CONNECTION_INVALID
    assert native.no_packet()


def test_a_body_is_read_at_once_and_then_at_its_end(native, always):
    _, call = native.received(method="POST", body=b"hello")
    read = native.read_body(call.request_id)
    assert read.code == SUCCESS
    if always:
        assert native.packets() == [(read.address, SUCCESS, 5)]
    else:
        assert read.size[0] == 5
    assert ffi.buffer(read.buffer, 5)[:] == b"hello"
    assert native.read_body(call.request_id).code == HANDLE_EOF
    assert native.no_packet()


def test_a_response_is_sent_at_once(native, always):
    client, call = native.received()
    sent = native.respond(call.request_id, 200, b"hello")
    assert sent.code == SUCCESS
    assert native.no_packet() is not always
    assert answer(client) == ("HTTP/1.1 200 Fine", b"hello")


def test_a_response_to_a_client_that_is_gone_fails(native, always):
    client, call = native.received()
    client.close()
    waiting = (
        native.receive()
    )  # another connection's turn, after which the driver has seen the first one's end
    other = native.client()
    native.send(other)
    native.packets()
    assert waiting.request_id
    codes = [native.respond(call.request_id).code for _ in range(50)]
    assert CONNECTION_INVALID in codes


def test_a_cancelled_receive_is_over_with_its_own_packet(native, always):
    call = native.receive()
    assert native.cancel(call) == (True, 0)
    assert native.packets() == [(call.address, OPERATION_ABORTED, 0)]
    assert native.cancel(call) == (False, NOT_FOUND)
    assert native.no_packet()


def test_closing_the_queue_ends_every_receive(native, always):
    calls = [native.receive() for _ in range(5)]
    assert {call.code for call in calls} == {PENDING}
    assert native.close() == SUCCESS
    ended = native.packets(5)
    assert sorted(ended) == sorted((call.address, OPERATION_ABORTED, 0) for call in calls)


def test_retrying_by_id_can_fail_and_then_any_request_will_do(native, always):
    """A request that was too large for the buffer goes with its client."""
    small = native.receive(room=SMALLEST)
    client = native.client()
    native.send(client)
    ((_, code, _),) = native.packets()
    assert code == MORE_DATA
    client.close()
    gone = {INVALID_PARAMETER, CONNECTION_INVALID, HANDLE_EOF}
    again = native.receive(small.request_id)
    assert again.code in {SUCCESS, *gone}
    assert native.receive().code == PENDING
