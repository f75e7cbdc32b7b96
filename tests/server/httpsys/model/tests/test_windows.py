"""What Microsoft's own HTTP.sys was seen to do: facts that Wine's test suite asserts, which runs on Windows too.

Wine's `dlls/httpapi/tests/httpapi.c` is run on several Windows by Wine's test machines. Each test here is one of its
facts, on the model, where it is about what hostler calls: the model says nothing else than Windows did there.
"""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.program import NULL, URL, Program

REQUEST_V1 = 848
"""sizeof(HTTP_REQUEST_V1)"""

MORE_ENTITY_BODY_EXISTS = 1


@pytest.fixture
def idle(machine):
    """A program that listens nowhere."""
    return Program(machine, urls=())


def head(client):
    return bytes(client.received).partition(b"\r\n\r\n")[0]


class TestHandlesAndIds:
    def test_calls_on_no_queue_say_invalid_handle(self, program):
        program.queue = NULL
        assert program.receive().code == c.INVALID_HANDLE
        assert program.read(0).code == c.INVALID_HANDLE

    def test_calls_on_a_closed_queue_say_invalid_handle(self, machine, program):
        assert program.http.HttpCloseRequestQueue(program.queue) == c.OK
        assert program.receive().code == c.INVALID_HANDLE
        assert machine.defects.pop().endswith("which is closed")

    def test_requests_that_there_are_not_are_invalid_connections(self, program):
        assert program.receive(request_id=0xDEADBEEF).code == c.CONNECTION_INVALID
        assert program.respond(0xDEADBEEF).code == c.CONNECTION_INVALID
        assert program.read(0).code == c.CONNECTION_INVALID

    def test_a_request_that_was_answered_is_there_no_more(self, program, client):
        client.request("POST", URL, body=b"ping")
        request_id = program.take().request.RequestId
        assert program.respond(request_id).code == c.OK
        assert program.receive(request_id=request_id).code == c.CONNECTION_INVALID
        assert program.read(request_id).code == c.CONNECTION_INVALID

    def test_a_cancelled_receive_is_aborted_with_no_bytes(self, program):
        io = program.receive()
        assert io.code == c.IO_PENDING
        assert program.cancel(io) == c.OK
        assert program.result(io) == (c.OPERATION_ABORTED, 0)


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost:50000", "localhost:50000", "localhost:50000/", "http://localhost/",
            "http://localhost:/", "http://localhost:0/",
        ],
    )  # fmt: skip
    def test_no_url_without_a_scheme_a_port_and_a_slash(self, idle, url):
        assert idle.add(url) == c.INVALID_PARAMETER

    def test_a_url_twice_in_a_group_exists(self, idle):
        assert idle.add(URL) == c.OK
        assert idle.add(URL) == c.ALREADY_EXISTS

    def test_a_url_that_is_removed_twice_is_not_found(self, idle):
        assert idle.add(URL) == c.OK
        assert idle.http.HttpRemoveUrlFromUrlGroup(idle.group, URL, 0) == c.OK
        assert idle.http.HttpRemoveUrlFromUrlGroup(idle.group, URL, 0) == c.FILE_NOT_FOUND

    def test_the_context_of_a_url_comes_with_its_requests(self, idle, client):
        assert idle.add(URL, 0xDEADBEEF) == c.OK
        client.request("GET", URL)
        assert idle.take().request.UrlContext == 0xDEADBEEF


class TestBuffers:
    def test_one_that_cannot_hold_the_structure_leaves_the_request_for_the_next_call(self, program, client):
        client.request("GET", URL)
        assert program.receive(REQUEST_V1 - 1).code == c.INSUFFICIENT_BUFFER
        assert program.take()

    def test_one_that_is_too_small_for_the_head_gets_the_ids_and_takes_the_request(self, program, client):
        client.request("GET", URL)
        io = program.receive(REQUEST_V1)
        assert io.code == c.MORE_DATA
        assert io.size > REQUEST_V1
        assert io.request.ConnectionId
        request_id = io.request.RequestId
        assert request_id
        # "At this point the request has been assigned a specific ID, and one cannot receive it with HTTP_NULL_ID."
        assert program.receive().code == c.IO_PENDING
        needed = io.size
        assert program.receive(needed - 1, request_id).code == c.MORE_DATA
        again = program.receive(needed, request_id)
        assert (again.code, again.request.RequestId) == (c.OK, request_id)


class TestRequests:
    def test_a_plain_one(self, program, client):
        client.request("GET", f"{URL}foobar?a=b", [("User-Agent", "WINE")])
        io = program.take()
        request = io.request
        assert io.size > REQUEST_V1
        assert (request.Flags, request.EntityChunkCount, request.pEntityChunks) == (0, 0, NULL)
        assert (request.Version.MajorVersion, request.Version.MinorVersion) == (1, 1)
        assert request.pUnknownVerb == NULL
        assert ffi.string(request.pRawUrl) == b"/foobar?a=b"
        cooked = request.CookedUrl
        lengths = (cooked.FullUrlLength, cooked.HostLength, cooked.AbsPathLength, cooked.QueryStringLength)
        assert lengths == tuple(
            2 * len(text) for text in (f"{URL}foobar?a=b", "localhost:8080", "/foobar", "?a=b")
        )
        assert cooked.pHost == cooked.pFullUrl + len("http://")
        assert cooked.pAbsPath == cooked.pHost + len("localhost:8080")
        assert cooked.pQueryString == cooked.pAbsPath + len("/foobar")
        assert ffi.string(cooked.pFullUrl) == f"{URL}foobar?a=b"

    def test_a_target_in_absolute_form_goes_before_the_host_header(self, program, client):
        client.send_raw(b"GET http://localhost:8080/ HTTP/1.1\r\nHost: ignored\r\n\r\n", 8080)
        request = program.take().request
        assert ffi.string(request.pRawUrl) == b"http://localhost:8080/"
        assert ffi.string(request.CookedUrl.pFullUrl) == "http://localhost:8080/"
        assert request.CookedUrl.AbsPathLength == 2

    def test_unknown_verbs_and_headers_come_as_text_and_values_without_blanks_around(self, program, client):
        client.send_raw(b"xyzzy / HTTP/1.1\r\nHost: localhost:8080\r\nQux: foo baz \r\n\r\n", 8080)
        request = program.take().request
        assert request.Verb == 1
        assert ffi.unpack(request.pUnknownVerb, request.UnknownVerbLength) == b"xyzzy"
        assert request.Headers.UnknownHeaderCount == 1
        [header] = request.Headers.pUnknownHeaders[0:1]
        assert ffi.unpack(header.pName, header.NameLength) == b"Qux"
        assert ffi.unpack(header.pRawValue, header.RawValueLength) == b"foo baz"

    def test_what_is_no_request_is_answered_400_and_the_connection_closed(self, program, client):
        client.send_raw(b"foo\r\n\r\n", 8080)
        assert bytes(client.received).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nConnection: close\r\n" in bytes(client.received)
        assert client.connection.gone
        assert program.receive().code == c.IO_PENDING

    def test_connections_have_ids_and_each_request_one_of_its_own(self, machine, program):
        requests = []
        for _ in range(2):
            machine.client().request("GET", URL)
            requests.append(program.take().request)
        assert requests[0].ConnectionId != requests[1].ConnectionId
        assert requests[0].RequestId != requests[1].RequestId

    def test_the_next_request_of_a_connection_is_delivered_when_the_one_before_is_answered(
        self, program, client
    ):
        one = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
        first, second = program.receive(), program.receive()
        client.send_raw(one, 8080)
        client.send_raw(one, 8080)
        assert program.result(first)[0] == c.OK
        assert program.respond(first.request.RequestId).code == c.OK
        assert program.result(second)[0] == c.OK
        assert first.request.ConnectionId == second.request.ConnectionId
        assert first.request.RequestId != second.request.RequestId


class TestBodies:
    def test_one_that_is_left_in_the_kernel_is_a_flag(self, program, client):
        client.request("POST", URL, body=b"ping\0")
        request = program.take().request
        assert request.Flags & MORE_ENTITY_BODY_EXISTS
        assert (request.EntityChunkCount, request.pEntityChunks) == (0, NULL)

    def test_it_comes_in_pieces_as_large_as_the_buffer_and_then_ends_at_once(self, program, client):
        client.request("POST", URL, body=b"ping\0")
        request_id = program.take().request.RequestId
        assert program.read(request_id, 2).data == b"pi"
        rest = program.read(request_id, 4)
        assert (rest.code, rest.data) == (c.OK, b"ng\0")
        assert program.read(request_id).code == c.HANDLE_EOF
        assert program.read(request_id).code == c.HANDLE_EOF


class TestResponses:
    def test_a_whole_one_gets_a_content_length_and_a_date(self, program, client):
        client.request("GET", URL)
        program.respond(program.take().request.RequestId, b"pongpang", status=418)
        assert head(client).startswith(b"HTTP/1.1 418 ")
        assert b"\r\nContent-Length: 8" in head(client)
        assert b"\r\nDate: " in head(client)

    def test_its_own_content_length_stays_its_body_is_not_cut_and_its_date_is_replaced(
        self, machine, program, client
    ):
        client.request("GET", URL)
        headers = {"Content-Length": "6", "Date": "yesteryear"}
        program.respond(program.take().request.RequestId, b"pongpang", headers=headers)
        assert b"\r\nContent-Length: 6" in head(client)
        assert b"yesteryear" not in bytes(client.received)
        assert bytes(client.received).endswith(b"\r\n\r\npongpang")
        assert machine.defects.pop().endswith("has 8 bytes of a Content-Length of 6")

    def test_a_small_one_is_over_at_once_and_its_packet_comes_unless_the_queue_skips_it(
        self, machine, client
    ):
        program = Program(machine, skips=False)
        client.request("GET", URL)
        taken = program.take()
        assert program.packets() == [(taken.address, c.OK, taken.size)]
        io = program.respond(taken.request.RequestId)
        assert io.code == c.OK
        assert program.packets() == [(io.address, c.OK, io.size)]


class TestSessionsAndGroups:
    @pytest.mark.parametrize(("version", "code"), [((1, 1), 1306), ((3, 0), 1306), ((2, 0), 0)])
    def test_versions(self, program, version, code):
        session = ffi.new("HTTP_SERVER_SESSION_ID *")
        wanted = ffi.new("HTTPAPI_VERSION *", version)
        assert program.http.HttpCreateServerSession(wanted[0], session, 0) == code
        if not code:
            assert program.http.HttpCloseServerSession(session[0]) == c.OK

    def test_there_is_no_group_without_a_session(self, program):
        group = ffi.new("HTTP_URL_GROUP_ID *", 1)
        assert program.http.HttpCreateUrlGroup(0, group, 0) == c.INVALID_PARAMETER
        assert group[0] == 1

    def test_what_is_closed_is_no_session_and_its_groups_are_closed_with_it(self, program):
        assert program.http.HttpCloseServerSession(program.session) == c.OK
        assert program.http.HttpCloseUrlGroup(program.group) == c.INVALID_PARAMETER
        assert program.http.HttpCloseServerSession(program.session) == c.INVALID_PARAMETER
